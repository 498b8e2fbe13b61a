"""One e-mail address that can stand in a header, or why it cannot. Pure."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["NO_ADDRESS", "WRONG_ADDRESS", "address_problem", "same_mailbox"]

NO_ADDRESS: Final = "no e-mail address"
WRONG_ADDRESS: Final = "not one e-mail address"

# Plain dot-atoms: quoted local parts and address literals are legal and used by nobody a
# newsletter goes to. Letters of any script may stand in either part (RFC 6531).
_ATOM: Final = r"[^\s@.,:;<>()\[\]\\\"]+"
_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_ADDRESS: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+")
_LONGEST: Final = 254
_LONGEST_LOCAL: Final = 64


def address_problem(text: str | None) -> str | None:
    """Why `text` is refused as an address; None when it is one."""
    if not text or text.isspace():
        return NO_ADDRESS
    if (
        len(text) > _LONGEST
        or not text.isprintable()
        or _ADDRESS.fullmatch(text) is None
        or text.index("@") > _LONGEST_LOCAL
    ):
        return WRONG_ADDRESS
    return None


def same_mailbox(text: str) -> str:
    """What two spellings of one mailbox share: case means nothing to any large provider."""
    return text.strip().lower()
