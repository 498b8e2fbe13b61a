"""The receipt of a user list: ``LIST.receipt.json``, what `prepare` promised about it.

Light on purpose: the upload reads receipts and imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.errors import InputError, MachineError
from pipeline.records import Receipt, SourceFingerprint
from pipeline.userlist.lines import HEADER, find_shape, is_header, read_line
from pipeline.userlist.list_file import REMEDY, ListFile

__all__ = ["encode_receipt", "invalid_line", "make_receipt", "read_receipt", "receipt_path"]

VERSION: Final = 1


def receipt_path(list_path: Path) -> Path:
    """Beside the list, with its whole name; a path without a name, such as ``.``, has one too."""
    return list_path.parent / (list_path.name + ".receipt.json")


def encode_receipt(receipt: Receipt) -> bytes:
    """The receipt as readable JSON."""
    return orjson.dumps(receipt.as_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_receipt(list_path: Path) -> Receipt | None:
    """The receipt beside the list, or None when there is none.

    Raises:
        InputError: the receipt is damaged or of a later version.
    """
    path = receipt_path(list_path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MachineError(
            f"cannot read the receipt: {error.strerror}", source=path, remedy="check its mode"
        ) from error
    try:
        return _receipt(orjson.loads(data))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "the receipt is damaged or was written by another version",
            source=path,
            remedy="prepare the list again, or remove the receipt to have the list checked anew",
        ) from error


def _receipt(plain: dict[str, Any]) -> Receipt:
    known = {one.name for one in fields(Receipt)}
    if plain["version"] != VERSION or not plain.keys() <= known:
        raise ValueError("version")
    for name, kind in (("bytes", int), ("users", int), ("sha256", str), ("list_name", str)):
        if type(plain[name]) is not kind:
            raise TypeError(name)
    sources = tuple(SourceFingerprint(**one) for one in plain.pop("sources"))
    return Receipt(**plain, sources=sources)


def make_receipt(list_path: Path) -> Receipt:
    """Read a list made elsewhere to its end and write down what it is; writes nothing.

    Raises:
        InputError: missing, or a line that `check` would not accept.
    """
    file = ListFile(list_path)
    for block in file.blocks():
        first = block.first_line == 1
        if first and is_header(block.data.partition(b"\n")[0], file.kind):
            raise invalid_line(list_path, 1, HEADER)
        if find_shape(block.data, file.kind, lines=block.lines) is not None:
            continue
        for number, line in block.iter_lines():
            problem = read_line(line, file.kind, first=number == 1).problem
            if problem is not None:
                raise invalid_line(list_path, number, problem)
    return Receipt(
        list_name=list_path.name,
        format=file.kind,
        bytes=file.bytes,
        users=file.lines,
        sha256=file.sha256,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def invalid_line(list_path: Path, number: int, problem: str) -> InputError:
    """The error for a line that is no user."""
    return InputError(problem, source=list_path, position=f"line {number:,}", remedy=REMEDY)
