"""The approval page in a real browser."""
