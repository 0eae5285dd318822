"""One class per resource type: find it, capture its restorable state, put it back. May import model, errors, ports."""
