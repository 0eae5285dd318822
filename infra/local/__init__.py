"""The embedded engine: AWS on one machine with no account, and what is deployed to it."""
