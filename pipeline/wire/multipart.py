"""Framing of a multipart/form-data body that holds exactly one file (RFC 7578).

Strategy: a body is prologue + file + epilogue, so its exact length is known before a byte of the
file is read. The framing never exceeds `limits.ENVELOPE`, the room that the list's size limit
leaves for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pipeline.errors import ConfigurationError
from pipeline.limits import ENVELOPE

__all__ = ["Framing", "frame_file", "shorten_file_name"]

# RFC 2046 §5.1.1, without the space and the characters that would need quoting in the header.
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'+_.-]{1,70}")
# A media type with optional parameters; nothing that could end the header line.
_CONTENT_TYPE: Final = re.compile(r"[!#$&^_.+\w-]+/[!#$&^_.+\w-]+(?:[ \t]*;[ -~]*)?", re.ASCII)
# Browsers escape exactly these three (HTML standard, "multipart form data").
_ESCAPES: Final = str.maketrans({"\r": "%0D", "\n": "%0A", '"': "%22"})
# Half the envelope: what is left holds two boundaries, both names and the part's content type.
MAX_FILE_NAME: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """The bytes around the file and the request headers that describe them.

    ``content_length`` counts the whole body, in bytes; ``content_type`` names the boundary.
    """

    prologue: bytes
    epilogue: bytes
    content_type: str
    content_length: int


def frame_file(
    *,
    boundary: str,
    part_name: str,
    file_name: str,
    part_content_type: str,
    file_bytes: int,
) -> Framing:
    """Frame one file of `file_bytes` bytes.

    Args:
        boundary: 1 to 70 characters that do not occur in the file at the start of a line.
        part_name: Name of the form field.
        file_name: Name of the file, escaped as browsers do.
        part_content_type: Media type of the part; ASCII.
        file_bytes: Exact size of the file.

    Raises:
        ConfigurationError: a part of the framing is malformed, or all of it exceeds
            `limits.ENVELOPE` bytes.
    """
    if not _BOUNDARY.fullmatch(boundary):
        raise ConfigurationError("the multipart boundary is malformed")
    if not _CONTENT_TYPE.fullmatch(part_content_type):
        raise ConfigurationError(
            "not a media type",
            source="--part-content-type",
            remedy="write for example application/octet-stream",
        )
    prologue = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{_escape(part_name)}";'
        f' filename="{_escape(file_name)}"\r\n'
        f"Content-Type: {part_content_type}\r\n\r\n"
    ).encode("utf-8", errors="replace")
    epilogue = f"\r\n--{boundary}--\r\n".encode("ascii")
    framing = len(prologue) + len(epilogue)
    if framing > ENVELOPE:
        raise ConfigurationError(
            "the names and the type of the file part are too long",
            limit=ENVELOPE,
            actual=framing,
            remedy="give a shorter --file-name, --part-name or --part-content-type",
        )
    return Framing(
        prologue=prologue,
        epilogue=epilogue,
        content_type=f"multipart/form-data; boundary={boundary}",
        content_length=framing + file_bytes,
    )


def shorten_file_name(name: str, *, max_bytes: int = MAX_FILE_NAME) -> str:
    """`name` cut in the middle so that it takes at most `max_bytes` once escaped, suffix kept."""
    if _escaped_bytes(name) <= max_bytes:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = dot + suffix if stem and _escaped_bytes(dot + suffix) <= max_bytes // 2 else ""
    kept = name
    while _escaped_bytes(kept + ending) > max_bytes:
        kept = kept[:-1]
    return kept + ending


def _escape(name: str) -> str:
    return name.translate(_ESCAPES)


def _escaped_bytes(name: str) -> int:
    return len(_escape(name).encode("utf-8", errors="replace"))
