"""What is never shipped to Lambda: the stacks, the embedded engine, the `grace` command."""
