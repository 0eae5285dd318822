"""How our ids travel in the tags of a letter: SES takes letters, digits, `_` and `-`, and a person's id may hold a dot."""

_DOT = "D"
"""No id of ours holds a capital, so this stands for nothing else."""


def tagged(value: str) -> str:
    """Return an id as SES takes it for a tag's value."""
    return value.replace(".", _DOT)


def untagged(value: str) -> str:
    """Return the id that a tag's value carries."""
    return value.replace(_DOT, ".")
