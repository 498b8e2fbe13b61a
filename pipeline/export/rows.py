"""Users as rows of the export table: one row per item, the same columns in every table sink."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_plus

import orjson

from pipeline.records import UserRecommendations, first_text

__all__ = ["COLUMNS", "Part", "Row", "iter_parts", "iter_rows", "recommendation_id", "share_mark"]

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
Part: TypeAlias = tuple[Sequence[Any], ...]
_FIELDS: Final = ("id", "url", "title", "image_link")
_PARAMETER: Final = "recommendation_id="
_RECOMMENDATION_ID: Final = re.compile(r"[?&]recommendation_id=([^&#]*)")


def recommendation_id(url: str) -> str | None:
    """The query parameter by which the vendor attributes a visit; None where it is missing."""
    match = _RECOMMENDATION_ID.search(url)
    if match is None or 0 <= url.find("#") < match.start():
        return None
    value = match[1]
    return unquote_plus(value) if "%" in value or "+" in value else value


def share_mark(urls: Sequence[Any]) -> bool:
    """Whether all are https and end in one and the same recommendation id; False: look closer.

    The vendor marks all results of a block alike, so a few searches through all of them do.
    """
    first = urls[0]
    if type(first) is not str:
        return False
    at = first.find(_PARAMETER)
    if at < 1 or first[at - 1] not in "?&" or not first[at + 18 : at + 19].isalnum():
        return False
    try:
        text = "\n".join(["", *urls, ""])
    except TypeError:
        return False
    count = len(urls)
    return (
        count == text.count(first[at - 1 :] + "\n") == text.count("\nhttps://")
        and count == text.count(_PARAMETER)
        and count + 1 == text.count("\n")
        and "#" not in text
    )


def iter_parts(users: Sequence[UserRecommendations]) -> Iterator[Part]:
    """Rows in the order of the export, column by column; together the rows of a few items.

    A user or block without results is one row. ``block`` counts a user's blocks from 0 and
    ``position`` a block's items from 0. ``extra`` is JSON: unknown elements of the item, and on the
    first row of a user or block also what its own ``extra`` holds, under ``#user`` and ``#block``.
    A documented element that is not plain text has its first text in its column and all of it in
    ``extra``.
    """
    for user in users:
        user_id, updated_at = user["auth_user_id"], user["updated_at"]
        user_extra = user.get("extra")
        blocks = user["recommendations"]
        if not blocks:
            extra = _encode({"#user": user_extra} if user_extra else {})
            yield _no_items(user_id, None, None, updated_at, extra)
        for number, block in enumerate(blocks):
            kind, results = block["recommendation_type"], block["results"]
            outer: dict[str, Any] = {}
            if user_extra and number == 0:
                outer["#user"] = user_extra
            if block.get("extra"):
                outer["#block"] = block["extra"]
            if not results:
                yield _no_items(user_id, number, kind, updated_at, _encode(outer))
                continue
            count = len(results)
            *columns, extras = _item_columns(results, outer)
            yield (
                [user_id] * count, [number] * count, [kind] * count, range(count),
                *columns, [updated_at] * count, extras,
            )  # fmt: skip


def iter_rows(users: Sequence[UserRecommendations]) -> Iterator[Row]:
    """The rows of `iter_parts`, one by one."""
    return chain.from_iterable(zip(*part, strict=True) for part in iter_parts(users))


def _no_items(
    user_id: str, number: int | None, kind: str | None, updated_at: str | None, extra: str | None
) -> Part:
    nothing = [None]
    return (
        [user_id], [number], [kind], nothing, nothing, nothing, nothing, nothing, nothing,
        [updated_at], [extra],
    )  # fmt: skip


_Fields: TypeAlias = tuple[str | None, str | None, str | None, str | None]


def _item_columns(results: Sequence[dict[str, Any]], outer: dict[str, Any]) -> Part:
    """The documented fields, the recommendation ids, and extras, `outer` in the first of these."""
    fields = _plain_fields(results)
    extras: list[str | None] = [None] * len(results)
    if fields is None:
        found = []
        for at, item in enumerate(results):
            documented, rest = _split_fields(item)
            found.append(documented)
            extras[at] = _encode(rest | outer if at == 0 else rest)
        fields = list(zip(*found, strict=True))
    else:
        extras[0] = _encode(outer)
    urls = fields[1]
    if share_mark(urls):
        marks = [recommendation_id(urls[0])] * len(urls)
    else:
        marks = [None if url is None else recommendation_id(url) for url in urls]
    return (*fields, marks, extras)


def _plain_fields(results: Sequence[dict[str, Any]]) -> list[Sequence[Any]] | None:
    """The four documented fields, if every item has these as text and nothing else."""
    try:
        fields: list[Sequence[Any]] = [[item[name] for item in results] for name in _FIELDS]
    except KeyError:
        return None
    plain = set(map(len, results)) == {4} and set(map(type, chain.from_iterable(fields))) == {str}
    return fields if plain else None


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
