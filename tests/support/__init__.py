"""What tests share: the world in memory, and a runner for the real state machine."""
