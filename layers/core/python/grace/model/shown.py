"""Text that comes from elsewhere, made fit to be read by a person who decides on it."""

import unicodedata

from grace.model.base import Json

# Control, format (bidirectional, zero-width), surrogate, private, unassigned; line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_CUT = "\u2026"
_LONGEST_VALUE = 200


def visible(text: str) -> str:
    """Return `text` without its unseen characters; line ends and tabs become blanks."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if unicodedata.category(character) not in _UNSEEN else " " if character.isspace() else ""
        for character in text
    )


def shown(text: str, length: int = 200) -> str:
    """Return `text` on one line, without unseen characters, cut to `length` with a mark that it was."""
    plain = " ".join(visible(text).split())
    return plain if len(plain) <= length else plain[: length - 1] + _CUT


def worded(value: Json) -> str:
    """Return a setting's value as a person reads it, for example `not set` for one that is not."""
    match value:
        case None | "":
            return "not set"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{key} = {each}" for key, each in sorted(value.items()))[:_LONGEST_VALUE] or "none"
        case list():
            return ", ".join(map(str, value))[:_LONGEST_VALUE] or "none"
        case _:
            return str(value)[:_LONGEST_VALUE]
