"""Measures the budgets: ratios within one run, and counts. `python -m tests.bench`, or `make bench`."""
