"""A process that turns chunks of plain users into lines: standard input to standard output.

A request is a chunk, an answer is what was counted and the lines, each with its length in front.
An answer without counts says: not plain. The end of standard input is the end.
"""

from __future__ import annotations

import struct
import sys
from typing import Any, Final

import orjson

from pipeline.export.plain_users import parse_plain
from pipeline.export.tally import Counts

__all__ = ["ANSWER", "REQUEST", "serve"]

REQUEST: Final = struct.Struct("<Q")
ANSWER: Final = struct.Struct("<QQ")


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
    users = parse_plain(chunk, names)
    if users is None:
        return b"", b""
    counts = Counts(known_products)
    counts.add(users)
    found: dict[str, Any] = counts.as_dict()
    found["names"] = list(names)
    found["ids"] = [user["auth_user_id"] for user in users]
    lines = b"".join([orjson.dumps(user, option=orjson.OPT_APPEND_NEWLINE) for user in users])
    return orjson.dumps(found), lines
