"""What every export reader is, and how a format is told by content."""

from __future__ import annotations

import codecs
from typing import Final, Literal, Protocol

from pipeline.errors import InputError
from pipeline.records import UserRecommendations

__all__ = ["ExportFormat", "ExportReader", "identify_format"]

ExportFormat = Literal["xml", "json"]

_SPACE: Final = b" \t\r\n"
# Enough for a byte order mark and a blank first line; more blanks than this are no export.
_LOOK: Final = 1024
_FOREIGN: Final = (
    (b"\x1f\x8b", "gzip-compressed data", "decompress it first, or name the local file"),
    (b"PK\x03\x04", "a ZIP archive", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data", "decompress it first"),
    (b"BZh", "bzip2-compressed data", "decompress it first"),
    (b"PAR1", "a Parquet file", "name the XML or JSON export"),
)


class ExportReader(Protocol):
    """A pushed parser: records, more data needed (an empty list), or an InputError.

    It holds no file. After an InputError it is of no further use and raises the same again.
    """

    @property
    def ignored_elements(self) -> int:
        """Parts beside the users, which are checked and left out."""
        ...

    def feed(self, data: bytes) -> list[UserRecommendations]:
        """Take the next bytes of the export; return the users that are complete."""
        ...

    def close(self) -> list[UserRecommendations]:
        """Take the end of the export; return the last users, or raise if it is not whole."""
        ...


def identify_format(head: bytes, *, source: object = None) -> ExportFormat | None:
    """The format that `head`, the first bytes, begins; None while they do not tell.

    Raises:
        InputError: they begin neither XML nor JSON.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "xml"
    text = head.removeprefix(codecs.BOM_UTF8).lstrip(_SPACE)
    if not text:
        return "xml" if len(head) > _LOOK else None
    if text.startswith((b"<", b"\x00<")):
        return "xml"
    if text.startswith((b"{", b"[")):
        return "json"
    if len(head) < 4 and (
        codecs.BOM_UTF8.startswith(head) or any(m.startswith(head) for m, _, _ in _FOREIGN)
    ):
        return None
    for magic, what, remedy in _FOREIGN:
        if head.startswith(magic):
            raise InputError(
                f"this is {what}, not an export",
                source=source,
                position="line 1, column 1, byte 0",
                remedy=remedy,
            )
    raise InputError(
        "this is neither XML nor JSON",
        source=source,
        position="line 1, column 1, byte 0",
        remedy="check that this is the vendor's export",
    )
