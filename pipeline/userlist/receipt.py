"""The receipt of a user list: ``LIST.receipt.json``, what `prepare` promised about it.

Light on purpose: the upload reads receipts and imports nothing heavy.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.errors import InputError, MachineError
from pipeline.limits import READ_CHUNK
from pipeline.records import Receipt, SourceFingerprint

__all__ = ["encode_receipt", "make_receipt", "read_receipt", "receipt_path"]

VERSION: Final = 1
_MAX_LINE: Final = 64 * 1024
_NAMES: Final = ("auth_user_id", "user_id")
_BOM: Final = b"\xef\xbb\xbf"


def receipt_path(list_path: Path) -> Path:
    """Beside the list, with its whole name."""
    return list_path.with_name(list_path.name + ".receipt.json")


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
    """Check a list made elsewhere, line by line, and write down what it is; writes nothing.

    Raises:
        InputError: missing, or a line that is no user: not UTF-8, not JSON, no id, a blank line,
            no line break at the end.
    """
    digest = hashlib.sha256()
    size = users = 0
    kind = ""
    try:
        with list_path.open("rb", buffering=READ_CHUNK) as file:
            while line := file.readline(_MAX_LINE + 1):
                users += 1
                kind = kind or ("jsonl" if line.lstrip(_BOM).lstrip()[:1] == b"{" else "csv")
                problem = _problem(line, kind, first=users == 1)
                if problem:
                    raise InputError(
                        problem,
                        source=list_path,
                        position=f"line {users:,}",
                        remedy="make the list with batchpub prepare",
                    )
                digest.update(line)
                size += len(line)
    except FileNotFoundError as error:
        raise InputError("no such list", source=list_path, remedy="check the path") from error
    except IsADirectoryError as error:
        raise InputError("a folder, not a list", source=list_path) from error
    except OSError as error:
        raise MachineError(f"cannot read: {error.strerror}", source=list_path) from error
    return Receipt(
        list_name=list_path.name,
        format=kind or "jsonl",
        bytes=size,
        users=users,
        sha256=digest.hexdigest(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _problem(line: bytes, kind: str, *, first: bool) -> str | None:
    """What is wrong with one line of a list, None when nothing is."""
    if len(line) > _MAX_LINE:
        return f"a line longer than {_MAX_LINE:,} bytes"
    if not line.endswith(b"\n"):
        return "the last line has no end: the list may be cut"
    if first and line.startswith(_BOM):
        return "a byte order mark would become part of the first id"
    if kind == "jsonl":
        return _json_problem(line)
    try:
        text = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return "not UTF-8"
    if text.startswith('"'):
        inner = text[1:-1]
        if len(text) < 2 or not text.endswith('"') or '"' in inner.replace('""', ""):
            return "not one quoted value"
        text = inner
    elif "," in text or '"' in text:
        return "more than one column"
    if first and text in _NAMES:
        return "a header line: the CSV format has none, it would become a user id"
    return None if text.strip() else "an empty id"


def _json_problem(line: bytes) -> str | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "not JSON"
    if not isinstance(value, dict):
        return "not a JSON object"
    ident = next((value[name] for name in _NAMES if name in value), None)
    if isinstance(ident, bool) or not isinstance(ident, str | int):
        return "no auth_user_id that is text"
    return None if str(ident).strip() else "an empty id"
