"""The two stacks: `vault` keeps (stateful, retained), `engine` works (stateless, replaced at will)."""
