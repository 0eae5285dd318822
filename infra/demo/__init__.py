"""The demo: a small shop under constant traffic, and the storyteller that breaks it three times."""
