"""Users as rows of the export table: one row per item, the same columns in every table sink."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_plus

import orjson

from pipeline.records import UserRecommendations, first_text

__all__ = ["COLUMNS", "Row", "iter_rows", "recommendation_id"]

COLUMNS: Final = (
    "auth_user_id",
    "block",
    "recommendation_type",
    "position",
    "id",
    "url",
    "title",
    "image_link",
    "recommendation_id",
    "updated_at",
    "extra",
)
Row: TypeAlias = tuple[
    str,
    int | None,
    str | None,
    int | None,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
]
_FIELDS: Final = ("id", "url", "title", "image_link")
_RECOMMENDATION_ID: Final = re.compile(r"[?&]recommendation_id=([^&#]*)")


def recommendation_id(url: str) -> str | None:
    """The query parameter by which the vendor attributes a visit; None where it is missing."""
    match = _RECOMMENDATION_ID.search(url)
    if match is None or 0 <= url.find("#") < match.start():
        return None
    value = match[1]
    return unquote_plus(value) if "%" in value or "+" in value else value


def iter_rows(users: Sequence[UserRecommendations]) -> Iterator[Row]:
    """Rows in the order of the export; a user or block without results is one row.

    ``block`` counts a user's blocks from 0 and ``position`` a block's items from 0. ``extra`` is
    JSON: unknown elements of the item, and on the first row of a user or block also what its own
    ``extra`` holds, under ``#user`` and ``#block``. A documented element that is not plain text has
    its first text in its column and all of it in ``extra``.
    """
    for user in users:
        user_id, updated_at = user["auth_user_id"], user["updated_at"]
        user_extra = user.get("extra")
        blocks = user["recommendations"]
        if not blocks:
            extra = _encode({"#user": user_extra} if user_extra else {})
            yield (user_id, None, None, None, None, None, None, None, None, updated_at, extra)
        for number, block in enumerate(blocks):
            kind, results = block["recommendation_type"], block["results"]
            outer: dict[str, Any] = {}
            if user_extra and number == 0:
                outer["#user"] = user_extra
            if block.get("extra"):
                outer["#block"] = block["extra"]
            if not results:
                extra = _encode(outer)
                yield (user_id, number, kind, None, None, None, None, None, None, updated_at, extra)
            for position, item in enumerate(results):
                plain = _plain_fields(item)
                if plain is None:
                    plain, rest = _split_fields(item)
                    extra = _encode(rest | outer)
                else:
                    extra = _encode(outer) if outer else None
                mark = None if plain[1] is None else recommendation_id(plain[1])
                yield (user_id, number, kind, position, *plain, mark, updated_at, extra)
                outer = {}


_Fields: TypeAlias = tuple[str | None, str | None, str | None, str | None]


def _plain_fields(item: dict[str, Any]) -> _Fields | None:
    """The four documented fields, if the item has these as text and nothing else."""
    if len(item) != 4:
        return None
    id_, url, title, image_link = map(item.get, _FIELDS)
    if type(id_) is type(url) is type(title) is type(image_link) is str:
        return id_, url, title, image_link
    return None


def _split_fields(item: dict[str, Any]) -> tuple[_Fields, dict[str, Any]]:
    rest = {name: value for name, value in item.items() if name not in _FIELDS}
    columns: list[str | None] = []
    for name in _FIELDS:
        value = item.get(name)
        if name in item and not isinstance(value, str):
            rest[name] = value
        columns.append(first_text(value))
    return (columns[0], columns[1], columns[2], columns[3]), rest


def _encode(extra: dict[str, Any]) -> str | None:
    return orjson.dumps(extra).decode() if extra else None
