"""Text that comes from elsewhere, made fit to be read by a person who decides on it."""

from __future__ import annotations

import unicodedata

# Control, format (bidirectional, zero-width), surrogate, private, unassigned; line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_CUT = "\u2026"


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
