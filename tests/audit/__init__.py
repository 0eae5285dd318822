"""What is tried more often than a test run has time for. `python -m tests.audit` tries all of it."""
