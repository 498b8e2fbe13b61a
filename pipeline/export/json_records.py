"""One object of a JSON export becomes a user record.

Taken are the documented object, ``{"id", "data": {TYPE: [item, …]}, …}``, the JSON mirror of the
XML, ``{"auth_user_id", "data": {"_metadata", "recommendations": [block, …]}}``, and our own JSON
Lines. What is not part of these is kept in ``extra``, at its path.
"""

from __future__ import annotations

from typing import Any

from pipeline.records import Block, UserRecommendations

__all__ = ["NotAUserError", "build_user", "count_keys"]


class NotAUserError(ValueError):
    """The object is none of the shapes; the text says why and holds no content."""


def build_user(record: dict[str, Any]) -> UserRecommendations:
    """The user that `record`, which is taken apart, describes.

    Raises:
        NotAUserError: it has no usable id, or its recommendations have another shape.
    """
    updated_at = _take_text(record, "updated_at")
    user_id = _take_id(record)
    data = record.pop("data", None)
    if data is None:
        data = {}
    elif not isinstance(data, dict):
        raise NotAUserError("'data' of a user is not an object")
    metadata = data.get("_metadata")
    if isinstance(metadata, dict):
        updated_at = _take_text(metadata, "updated_at") or updated_at
        if not metadata:
            del data["_metadata"]
    blocks: list[Block] = []
    for holder in (record, data):
        found = holder.get("recommendations")
        if _is_block_list(found):
            blocks += map(_build_block, holder.pop("recommendations"))
    for kind in [kind for kind, value in data.items() if _is_item_list(value)]:
        blocks.append({"recommendation_type": kind, "results": data.pop(kind) or []})
    extra = record | ({"data": data} if data else {})
    user: UserRecommendations = {
        "auth_user_id": user_id,
        "updated_at": updated_at,
        "recommendations": blocks,
    }
    if extra:
        # Our own lines carry "extra" already: it is not nested a second time.
        own = extra.pop("extra", None)
        user["extra"] = own | extra if isinstance(own, dict) else extra
        if own is not None and not isinstance(own, dict):
            user["extra"]["extra"] = own
    return user


def _take_id(record: dict[str, Any]) -> str:
    ids = {_id_text(record.pop(name)) for name in ("id", "auth_user_id") if name in record}
    if not ids:
        raise NotAUserError("a user has no id")
    if len(ids) > 1:
        raise NotAUserError("a user has two different ids")
    return ids.pop()


def _id_text(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    # A number beyond 64 bits arrives as a float: its digits are lost.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise NotAUserError("an id is neither text nor a 64-bit integer")


def _take_text(record: dict[str, Any], name: str) -> str | None:
    if name in record and (record[name] is None or isinstance(record[name], str)):
        text: str | None = record.pop(name)
        return text
    return None


def _is_item_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_block_list(value: Any) -> bool:
    return _is_item_list(value) and all(
        isinstance(block.get("recommendation_type"), str) for block in value
    )


def _build_block(block: dict[str, Any]) -> Block:
    results = block.pop("results", None)
    if results is None:
        results = []
    if not _is_item_list(results):
        raise NotAUserError("'results' of a block is not a list of objects")
    built: Block = {"recommendation_type": block.pop("recommendation_type"), "results": results}
    own = block.pop("extra", None)
    extra = block | (own if isinstance(own, dict) else {} if own is None else {"extra": own})
    if extra:
        built["extra"] = extra
    return built


def count_keys(value: Any) -> int:
    """How many members all objects in `value` have together."""
    if isinstance(value, dict):
        return len(value) + sum(
            count_keys(inner) for inner in value.values() if isinstance(inner, dict | list)
        )
    return sum(count_keys(inner) for inner in value if isinstance(inner, dict | list))
