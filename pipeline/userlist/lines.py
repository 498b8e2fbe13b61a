"""What a line of a user list may be (api.md §1.3): one rule for `check` and for the upload. Pure.

Strategy: lists are read in blocks of whole lines. The first line of a block shows what stands
before and after its id; counting then proves, at the speed of memory, that every other line is
written alike and that no id asks for a closer look. A block that fails the proof is read line by
line by `read_line`, which alone says what is valid: the proof only vouches for lines it would let
through unchanged.

JSON Lines: an object with ``auth_user_id`` (or the older ``user_id``), text or a whole number;
other attributes are undocumented and let through. CSV: one value a line, quoted or not, no header.
UTF-8 without a byte order mark; lines end in LF or CRLF, the last one too; no id is blank.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import orjson

from pipeline.extract.columns import ID_COLUMNS

__all__ = [
    "HEADER",
    "LEGACY_NAME",
    "MAX_LINE",
    "NUMBER",
    "OTHER_ATTRIBUTES",
    "FormatName",
    "Line",
    "Shape",
    "find_shape",
    "format_of",
    "is_header",
    "read_line",
]

FormatName = Literal["jsonl", "csv"]

MAX_LINE: Final = 64 * 1024
HEADER: Final = "a header line: the CSV format has none, it would become a user id"

# What is remarkable about a valid line, as bits of `Line.notes`.
NUMBER: Final = 1
LEGACY_NAME: Final = 2
OTHER_ATTRIBUTES: Final = 4

_NAME: Final = "auth_user_id"
_LEGACY: Final = "user_id"
_BOM: Final = b"\xef\xbb\xbf"
# The blanks of the audience rules: an id of these alone is nobody's.
_BLANK: Final = re.compile(r"[\s\u200b\u2060\ufeff]*")

_FIRST_JSON: Final = re.compile(
    rb'([ \t]*\{[ \t]*"(auth_user_id|user_id)"[ \t]*:[ \t]*")[^"\\\n]+("[ \t]*\}[ \t]*\r?\n)'
)
_FIRST_QUOTED: Final = re.compile(rb'((")[^"\n]+("\r?\n))')
_FIRST_BARE: Final = re.compile(rb"[^\"\r\n]+?(\r?\n)")
_CONTROL: Final = bytes(code for code in range(0x20) if code != 0x0A)
# First bytes of every blank beyond ASCII; an id that begins with one might be blank.
_WIDE_BLANK: Final = rb"(?:\xc2[\x85\xa0]|\xe1\x9a|\xe2[\x80\x81]|\xe3\x80|\xef\xbb)"


class Line(NamedTuple):
    """One line: its id, or what is wrong with it; `notes` are bits for what is remarkable."""

    user_id: str
    problem: str | None = None
    notes: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """What stands around every id of a block."""

    prefix: bytes
    suffix: bytes
    legacy_name: bool = False

    @property
    def separator(self) -> bytes:
        """What ends one id and begins the next."""
        return self.suffix + self.prefix


def format_of(head: bytes) -> FormatName:
    """The format, told by the first character of the list."""
    return "jsonl" if head.removeprefix(_BOM).lstrip()[:1] == b"{" else "csv"


def is_header(line: bytes, kind: FormatName) -> bool:
    """Whether the first line of a list is the name of an id column instead of an id."""
    if kind != "csv":
        return False
    return line.strip(b' \t\r\n"').decode(errors="replace").lower() in ID_COLUMNS


def find_shape(block: bytes, kind: FormatName, *, lines: int) -> Shape | None:
    """How all lines of `block` are written, or None where that is not proved."""
    shape = _first_shape(block, kind)
    if shape is None:
        return None
    prefix, suffix, separator = shape.prefix, shape.suffix, shape.separator
    frame = prefix + suffix
    proved = (
        block.endswith(suffix)
        # Each separator holds one line break, so no line break is left for another spelling.
        and block.count(separator) == (lines - 1 if prefix else lines)
        and block.count(b'"') == lines * frame.count(b'"')
        and b"\\" not in block
        and _has_control_only_of(frame, block, lines)
        and (prefix or b"," not in block)
        and not _may_hold_blank(block, shape, lines)
        and not _has_long_line(block)
        and _is_utf8(block)
    )
    return shape if proved else None


def _has_control_only_of(frame: bytes, block: bytes, lines: int) -> bool:
    """Whether every control character but line breaks stands around an id, not in one."""
    around = len(frame) - len(frame.translate(None, _CONTROL))
    if len(block) - len(block.translate(None, _CONTROL)) != lines * around:
        return False
    return not around or all(block.count(one) == lines * frame.count(one) for one in (b"\r", b"\t"))


def _first_shape(block: bytes, kind: FormatName) -> Shape | None:
    if kind == "jsonl":
        match = _FIRST_JSON.match(block)
        return Shape(match[1], match[3], match[2] == b"user_id") if match else None
    if match := _FIRST_QUOTED.match(block):
        return Shape(match[2], match[3])
    match = _FIRST_BARE.match(block)
    return Shape(b"", match[1]) if match else None


def _may_hold_blank(block: bytes, shape: Shape, lines: int) -> bool:
    """Whether an id is empty, or begins with something that might be all there is of it."""
    before = shape.separator
    if before + shape.suffix in block:
        return True
    if block.count(b" ") != lines * (shape.prefix + shape.suffix).count(b" ") and (
        block.startswith(shape.prefix + b" ") or before + b" " in block
    ):
        return True
    if block.isascii():
        return False
    return bool(
        re.match(re.escape(shape.prefix) + _WIDE_BLANK, block)
        or re.search(re.escape(before) + _WIDE_BLANK, block)
    )


def _has_long_line(block: bytes) -> bool:
    at = 0
    while len(block) - at > MAX_LINE:
        end = block.rfind(b"\n", at, at + MAX_LINE)
        if end < 0:
            return True
        at = end + 1
    return False


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def read_line(line: bytes, kind: FormatName, *, first: bool) -> Line:
    """The id of one line, its line break included; `first` for the first line of the list."""
    if len(line) > MAX_LINE:
        return Line("", f"a line longer than {MAX_LINE:,} bytes")
    if not line.endswith(b"\n"):
        return Line("", "the last line has no end: the list may be cut")
    if first and line.startswith(_BOM):
        return Line("", "a byte order mark: it would become part of the first id")
    if line in (b"\n", b"\r\n"):
        return Line("", "a blank line")
    found = _read_json(line) if kind == "jsonl" else _read_csv(line)
    if found.problem is not None or found.user_id[:1].isalnum():
        return found
    return Line("", "an empty id") if _BLANK.fullmatch(found.user_id) else found


def _read_csv(line: bytes) -> Line:
    try:
        text = line[:-1].removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        return Line("", "not UTF-8")
    if "\r" in text or "\0" in text:
        return Line("", "a carriage return or zero byte inside")
    if text.startswith('"'):
        inner = text[1:-1]
        if len(text) < 2 or not text.endswith('"') or '"' in inner.replace('""', ""):
            return Line("", "not one quoted value")
        return Line(inner.replace('""', '"'))
    if "," in text:
        return Line("", "more than one column")
    if '"' in text:
        return Line("", "a quote inside a value without quotes")
    return Line(text)


def _read_json(line: bytes) -> Line:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Line("", "not JSON" if _is_utf8(line) else "not UTF-8")
    if not isinstance(value, dict):
        return Line("", "not a JSON object")
    name = _NAME if _NAME in value else _LEGACY
    if name not in value:
        return Line("", "no auth_user_id")
    if line.count(b'user_id"') > 1 and _is_twice(line):
        return Line("", "an attribute given twice")
    notes = (LEGACY_NAME if name == _LEGACY else 0) | (OTHER_ATTRIBUTES if len(value) > 1 else 0)
    ident: Any = value[name]
    if isinstance(ident, str):
        return Line(ident, None, notes)
    if isinstance(ident, int) and not isinstance(ident, bool):
        return Line(str(ident), None, notes | NUMBER)
    return Line("", "an auth_user_id that is neither text nor a whole number")


def _is_twice(line: bytes) -> bool:
    """Whether the object names one attribute twice, where every reader keeps another one."""
    twice = False

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        # Called for inner objects first: what counts is the answer for the line's own.
        twice = len({name for name, _ in pairs}) < len(pairs)
        return {}

    try:
        json.loads(line, object_pairs_hook=keep, parse_int=str, parse_float=str)
    except RecursionError:  # nested as deep as only orjson follows
        return False
    return twice
