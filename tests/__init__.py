"""The rings of tests, from the inside out: unit, stores, flow, integration, infra, local, browser; house and bench."""
