"""The nouns: frozen, typed documents. May import the standard library and pydantic, nothing else."""
