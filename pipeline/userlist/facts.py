"""What the bytes of many ids prove at once, so that most tests on them can be left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["UNKNOWN", "IdFacts", "facts_of"]

_PLAIN: Final = bytes(range(0x21, 0x7F))
_SIGNS: Final = "@.eE\"'"


@dataclass(frozen=True, slots=True)
class IdFacts:
    """True of every id of a batch; the defaults are true of any.

    plain: printable ASCII without space
    capitals: whether one may have an upper-case letter
    signs: which of ``@ . e E " '`` may occur
    """

    plain: bool = False
    capitals: bool = True
    signs: str = _SIGNS


UNKNOWN: Final = IdFacts()


def facts_of(data: bytes) -> IdFacts:
    """Facts from all ids, joined in UTF-8."""
    if data.translate(None, _PLAIN):
        return UNKNOWN
    return IdFacts(
        plain=True,
        capitals=data.lower() != data,
        signs="".join(sign for sign in _SIGNS if sign.encode() in data),
    )
