"""Ids made unreadable for reports: what kind of text, not whose."""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["mask", "visible"]

# The two characters that are shown leave at least this many hidden.
_HIDDEN: Final = 4
_LONGEST: Final = 20


def mask(user_id: str) -> str:
    """``u123456b`` as ``u######b``: digits as ``#``, letters as ``•``, ASCII signs as they are.

    First and last character are shown of ids with four hidden letters or digits between them.
    Spaces show as ``␣``, what cannot be seen as ``<U+00A0>``; the middle of a long id is cut.
    """
    shown = list(map(_mask_one, user_id))
    if sum(one in "•#" for one in shown[1:-1]) >= _HIDDEN:
        for end in (0, -1):
            if shown[end] in "•#":
                shown[end] = user_id[end]
    if len(shown) > _LONGEST:
        shown = [*shown[: _LONGEST // 2], "…", *shown[1 - _LONGEST // 2 :]]
    return "".join(shown)


def visible(user_id: str) -> str:
    """An id as it is, but with outer spaces as ``␣`` and what cannot be seen as ``<U+00A0>``."""
    inner = user_id.strip(" ")
    before, _, after = user_id.partition(inner) if inner else (user_id, "", "")
    return "".join(("␣" * len(before), *map(_visible_one, inner), "␣" * len(after)))


def _visible_one(character: str) -> str:
    plain = character == " " or unicodedata.category(character)[0] in "LNPS"
    return character if plain else f"<U+{ord(character):04X}>"


def _mask_one(character: str) -> str:
    if character == " ":
        return "␣"
    group = unicodedata.category(character)[0]
    if group == "N":
        return "#"
    if character.isascii() and group in "PS":
        return character
    return "•" if group in "LMPS" else f"<U+{ord(character):04X}>"
