"""Whole users in the reference's plainest form, read without an XML parser.

Strategy: what is read here is a small language, a part of XML: the documented elements in the
documented order, without attributes, comments, instructions or CDATA, blanks between them, values
of characters and references. Regular expressions match it token by token without a gap, so what
is accepted is well-formed by construction, and one C call gives all results of a block. Anything
else is not refused, it is left to the reference reader, which knows all of XML.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pipeline.export.xml_assembler import add_value
from pipeline.records import Block, UserRecommendations

__all__ = ["MAX_PLAIN", "parse_plain"]

# So few bytes hold no value, user or number of elements beyond the limits: they need no check.
MAX_PLAIN: Final = 256 * 1024

_END_OF_USER: Final = "</user>"
_END_OF_RESULTS: Final = "</results>"
_BLANK: Final = r"[ \t\n]*+"
_TEXT: Final = r"([^<]*+)"


def _tags(*parts: str) -> re.Pattern[str]:
    return re.compile(_BLANK.join(parts))


def _leaf(name: str) -> str:
    """An element whose text is a group; for an empty tag the group is the empty text as well."""
    return f"<{name}(?:>{_TEXT}</{name}>| ?/>)"


_USER: Final = _tags(
    "",
    "<user>",
    f"<auth_user_id>{_TEXT}</auth_user_id>",
    "<data>",
    f"(?:{_BLANK.join(('<_metadata>', f'<updated_at>{_TEXT}</updated_at>', '</_metadata>', ''))})?+"
    "<recommendations>",
    "",
)
_BLOCK: Final = _tags(
    "<recommendation>", f"<recommendation_type>{_TEXT}</recommendation_type>", "<results( ?/)?>", ""
)
_EMPTY_BLOCK_END: Final = _tags("</recommendation>", "")
_BLOCK_END: Final = _tags(_END_OF_RESULTS, "</recommendation>", "")
_USER_END: Final = _tags("</recommendations>", "</data>", r"\Z")
# Group 5 holds leaves under any name, group 7 what is no result: `findall` would step over that.
_RESULT: Final = re.compile(
    _BLANK.join(
        (
            "<result>",
            _leaf("id"),
            _leaf("url"),
            _leaf("title"),
            _leaf("image_link"),
            f"((?:<([A-Za-z_][A-Za-z0-9_]*+)>[^<]*+</\\6>{_BLANK})*+)</result>",
            "",
        )
    )
    + r"|([\s\S])"
)
_LEAF: Final = re.compile(r"<([^</>]++)>([^<]*+)<")

# A CR is a line end to XML; the others no document may hold.
_CONTROLS: Final = bytes(set(range(0x20)) - set(b"\t\n"))
_NONCHARACTERS: Final = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")
_NUMBER: Final = re.compile(r"&#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}));")


class _NotPlainError(Exception):
    """Not in the small language; says nothing about XML."""


def parse_plain(data: bytes, names: set[str]) -> list[UserRecommendations] | None:
    """The users in `data`, which begins and ends between users; None when they are not plain.

    None is no verdict on the export. What is returned equals what `XmlExportReader` finds.
    Names of unknown elements are added to `names`: the limit on them is the caller's.
    """
    if len(data) > MAX_PLAIN or len(data.translate(None, _CONTROLS)) != len(data):
        return None
    # "]]>" may not stand in text. A single byte is found at many times the speed of several.
    if b"]" in data and b"]]>" in data:
        return None
    if b"\xef" in data and any(map(data.__contains__, _NONCHARACTERS)):
        return None
    try:
        *users, rest = data.decode().split(_END_OF_USER)
        return None if rest else [_parse_user(user, names) for user in users]
    except (UnicodeDecodeError, _NotPlainError):
        return None


def _parse_user(text: str, names: set[str]) -> UserRecommendations:
    """The user in `text`, which lacks its end tag."""
    head = _USER.match(text)
    if head is None:
        raise _NotPlainError
    user_id, updated_at = head.groups()
    has_references = "&" in text
    if has_references:
        user_id = _resolve(user_id)
        updated_at = updated_at and _resolve(updated_at)
    if not user_id.strip():
        raise _NotPlainError
    position = head.end()
    blocks: list[Block] = []
    while block := _BLOCK.match(text, position):
        start = block.end()
        if block[2]:
            end, closing = start, _EMPTY_BLOCK_END.match(text, start)
        else:
            end = text.find(_END_OF_RESULTS, start)
            closing = _BLOCK_END.match(text, end) if end >= 0 else None
        if closing is None:
            raise _NotPlainError
        kind = block[1]
        results = _parse_results(text, start, end, names) if end > start else []
        if has_references:
            kind = _resolve(kind)
            for item in results:
                for name, value in item.items():
                    if type(value) is list or "&" in value:
                        item[name] = _resolve_any(value)
        blocks.append({"recommendation_type": kind, "results": results})
        position = closing.end()
    if _USER_END.match(text, position) is None:
        raise _NotPlainError
    return {"auth_user_id": user_id, "updated_at": updated_at, "recommendations": blocks}


def _parse_results(text: str, start: int, end: int, names: set[str]) -> list[dict[str, Any]]:
    """The results between two places, their references not resolved."""
    found = _RESULT.findall(text, start, end)
    results: list[dict[str, Any]] = [
        {"id": id_, "url": url, "title": title, "image_link": image}
        if not more
        else _add_leaves({"id": id_, "url": url, "title": title, "image_link": image}, more, names)
        for id_, url, title, image, more, _, other in found
        if not other
    ]
    if len(results) < len(found):
        raise _NotPlainError
    return results


def _add_leaves(item: dict[str, Any], leaves: str, names: set[str]) -> dict[str, Any]:
    for name, value in _LEAF.findall(leaves):
        names.add(name)
        add_value(item, name, value)
    return item


def _resolve_any(value: Any) -> Any:
    return _resolve(value) if isinstance(value, str) else list(map(_resolve, value))


def _resolve(value: str) -> str:
    """`value` with its references replaced by what they mean."""
    # NUL, which no document holds, stands for "&" until no reference is left.
    value = value.replace("&amp;", "\0").replace("&lt;", "<").replace("&gt;", ">")
    if "&" in value:
        value = value.replace("&quot;", '"').replace("&apos;", "'")
        value = _NUMBER.sub(_character, value)
        if "&" in value:
            raise _NotPlainError
    return value.replace("\0", "&")


def _character(reference: re.Match[str]) -> str:
    hexadecimal, decimal = reference.groups()
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    # An ampersand by number would look like the beginning of a reference.
    if code == 0x26:
        return "\0"
    if (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code < 0xD800
        or 0xE000 <= code < 0xFFFE
        or 0x10000 <= code < 0x110000
    ):
        return chr(code)
    raise _NotPlainError
