"""Text of others made harmless: no control characters, no line breaks of odd kinds. Pure."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["inert", "one_line"]

# What a title has no use for and a mail program can trip over. Marks that turn the direction of
# the text behind them go too; the plain marks (LRM, RLM) and joiners of emoji stay.
_LINE_ENDS: Final = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_TURNS: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_CONTROLS: Final = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
_TABLE: Final = str.maketrans(
    dict.fromkeys(_CONTROLS + _TURNS + "\ufeff\ufffe\uffff")
    | dict.fromkeys(_LINE_ENDS, " ")
    | {"\t": "\t", "\n": "\n", "\r": " "}
)
_SPACES: Final = re.compile(r"\s+")


def inert(text: str) -> str:
    """`text` without control characters and marks that turn its direction.

    Line feeds and tabs stay, other line ends become spaces.
    """
    return text if text.isprintable() else text.replace("\r\n", "\n").translate(_TABLE)


def one_line(text: str) -> str:
    """`text` as a header can hold it: one line, single spaces, no control characters."""
    return _SPACES.sub(" ", inert(text)).strip()
