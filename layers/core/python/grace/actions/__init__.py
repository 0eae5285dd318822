"""One class per thing Grace can do to a resource. May import model, errors, ports and the resource it acts on."""
