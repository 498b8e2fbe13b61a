"""Items from a file, for slots that nothing else fills."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pipeline.deliver.links import web_address
from pipeline.deliver.slots import ANY_SLOT
from pipeline.errors import InputError
from pipeline.extract.batch import Wanted
from pipeline.extract.columns import named_column
from pipeline.extract.places import Place, resolve_places
from pipeline.extract.reader import read_extracts

__all__ = ["read_fallback_items"]

_NEEDED: Final = ("url", "title")
_SLOT: Final = "recommendation_type"
_MOST: Final = 10_000


def read_fallback_items(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Items by slot, in file order; those that name no slot are under `ANY_SLOT`.

    People write this file, so every mistake in it is an error.

    Raises:
        ConfigurationError: a column is missing.
        InputError: a row cannot be used, or there are too many.
    """
    items: dict[str, list[dict[str, Any]]] = {}
    count = 0
    for batch in read_extracts(
        resolve_places([path]), Wanted(id_column=None, active="no", pick=_pick)
    ):
        if batch.rejects:
            first = min(batch.rejects, key=lambda one: one.row)
            raise _error(first.reason, batch.place, first.row)
        columns = {batch.id_column: batch.ids.to_pylist()}
        columns |= {name: text.to_pylist() for name, text in batch.texts.items()}
        for at, values in enumerate(zip(*columns.values(), strict=True)):
            row = batch.row_number(at)
            item = dict(zip(columns, values, strict=True))
            _check(item, batch.place, row)
            slot = item.pop(_SLOT, None) or ANY_SLOT
            items.setdefault(slot, []).append({name: one for name, one in item.items() if one})
            count += 1
            if count > _MOST:
                raise InputError(
                    "too many fallback items",
                    source=batch.place,
                    limit=f"{_MOST:,}",
                    remedy="name a file with the few items that suit everybody",
                )
    if not count:
        raise InputError(
            "the file holds no items", source=path, remedy="write some, or leave it out"
        )
    return items


def _pick(found: Sequence[str], source: object) -> list[str]:
    for name in _NEEDED:
        named_column(found, name, source=source, option="a column of the file")
    return ["url", *(name for name in found if name != "url")]


def _check(item: dict[str, Any], place: Place, row: int) -> None:
    if web_address(item["url"]) is None:
        raise _error("the link is not http(s)", place, row)
    if item.get("image_link") and web_address(item["image_link"]) is None:
        raise _error("the image is not http(s)", place, row)
    if not (item["title"] or "").strip():
        raise _error("no title", place, row)


def _error(message: str, place: Place, row: int) -> InputError:
    return InputError(
        f"a fallback item cannot be used: {message}",
        source=place,
        position=f"row {row:,}",
        remedy="mend the file",
    )
