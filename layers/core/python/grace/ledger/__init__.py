"""The audit log, pure: entries, lanes and how each entry follows from the one before."""
