"""The parts the stacks are made of."""
