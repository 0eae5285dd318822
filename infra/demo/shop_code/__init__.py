"""The shop's functions: plain Python, no packages. The folder is their archive."""
