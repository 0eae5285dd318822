"""One class per kind of expectation: what can be observed, and how. May import model, errors, ports, evidence."""
