"""A process that turns chunks of plain users into lines: standard input to standard output.

A request is a chunk, an answer is what was counted and the lines, each with its length in front.
An answer without counts says: not plain. The end of standard input is the end. Chunks are large,
for each costs a turn of both processes, and are read in parts that stay in a processor's cache.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import Any, Final

import orjson

from pipeline.export.plain_users import parse_plain
from pipeline.export.tally import Counts
from pipeline.limits import EXPORT_PIECE

__all__ = ["ANSWER", "REQUEST", "serve"]

REQUEST: Final = struct.Struct("<Q")
ANSWER: Final = struct.Struct("<QQ")
_END_OF_USER: Final = b"</user>"


def serve() -> None:
    """Answer requests until there are no more, or nobody listens."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    known_products: set[str | int] = set()
    try:
        while len(head := requests.read(REQUEST.size)) == REQUEST.size:
            (size,) = REQUEST.unpack(head)
            counted, lines = answer(requests.read(size), known_products)
            answers.write(ANSWER.pack(len(counted), len(lines)))
            answers.write(counted)
            answers.write(lines)
            answers.flush()
    except BrokenPipeError:
        # The owner is gone. Closing the stream would try again to write what it holds.
        sys.stdout = None


def answer(chunk: bytes, known_products: set[str | int]) -> tuple[bytes, bytes]:
    """What was counted in `chunk`, and its users as lines; both empty when it is not plain."""
    names: set[str] = set()
    ids: list[str] = []
    lines: list[bytes] = []
    counts = Counts(known_products)
    for part in _iter_parts(chunk):
        users = parse_plain(part, names)
        if users is None:
            return b"", b""
        counts.add(users)
        ids += [user["auth_user_id"] for user in users]
        lines += [orjson.dumps(user, option=orjson.OPT_APPEND_NEWLINE) for user in users]
    found: dict[str, Any] = counts.as_dict()
    found["names"] = list(names)
    found["ids"] = ids
    return orjson.dumps(found), b"".join(lines)


def _iter_parts(chunk: bytes) -> Iterator[bytes]:
    """Users of about EXPORT_PIECE bytes together; plain parts are together a plain chunk."""
    start = 0
    while start < len(chunk):
        end = chunk.find(_END_OF_USER, start + EXPORT_PIECE)
        end = len(chunk) if end < 0 else end + len(_END_OF_USER)
        yield chunk[start:end]
        start = end
