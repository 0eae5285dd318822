"""The `grace` command: one module per group of commands, for a person at three in the morning."""
