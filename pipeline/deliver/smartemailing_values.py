"""What stands in a custom field: a user's recommendations as one JSON text, safe and not too long.

The text is the ``data`` object of the vendor's JSON (api.md §1.6): ``{TYPE: [{"id", "url", "title",
"image_link"}, …], …}``, UTF-8, no spaces. ``<``, ``>``, ``&`` and doubled or template braces are
written as JSON escapes, so a template that puts the text into a page unescaped, or renders it once
more, finds neither markup nor a command; a JSON parser gives back the very titles. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from pipeline.deliver.fitting import fit_items
from pipeline.deliver.links import UtmTags
from pipeline.deliver.slots import Item, Items, Shelf, Slot

__all__ = ["FieldValue", "FieldValues"]

_EVERY: Final = 2**31
# Structural JSON never has two braces in a row that open, nor one before % or #.
_ESCAPES: Final = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    (b"{{", b"\\u007b\\u007b"),
    (b"{%", b"\\u007b%"),
    (b"{#", b"\\u007b#"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldValue:
    """The text for one custom field.

    ``text`` is None where there is nothing to put there, or nothing of it fits. ``items`` are in
    the text, ``cut_items`` had to be left out for its length.
    """

    text: str | None
    items: int = 0
    cut_items: int = 0


class FieldValues:
    """Makes values; `dropped` counts items and images that must not be shown, by reason.

    Args:
        max_bytes: The longest text, in bytes of UTF-8.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._shelves: dict[str, Shelf] = {}

    @property
    def dropped(self) -> Counter[str]:
        """Items and images left out so far, by reason."""
        return sum((shelf.dropped for shelf in self._shelves.values()), Counter())

    def make(self, items: Items) -> FieldValue:
        """The value of one user; where all items do not fit, `fit_items` says which go.

        Args:
            items: Raw items, best first, by recommendation type.
        """
        shown = {kind: self._shown(kind, raw) for kind, raw in items.items()}
        total = sum(map(len, shown.values()))
        if not total:
            return FieldValue(text=None)
        data = _encode(shown)
        excess = len(data) - self._max_bytes
        if excess <= 0:
            return FieldValue(text=data.decode(), items=total)
        sizes = {kind: [len(_written(item)) for item in some] for kind, some in shown.items()}
        most = fit_items(sizes, excess) or {}
        kept = sum(most.values())
        if not kept:
            return FieldValue(text=None, cut_items=total)
        data = _encode({kind: some[: most[kind]] for kind, some in shown.items()})
        return FieldValue(text=data.decode(), items=kept, cut_items=total - kept)

    def _shown(self, kind: str, raw: Sequence[Item]) -> Sequence[Item]:
        shelf = self._shelves.get(kind)
        if shelf is None:
            shelf = Shelf([Slot(kind, _EVERY)], UtmTags(()), default={}, file={})
            self._shelves[kind] = shelf
        return shelf.fill({kind: raw})[kind]


def _encode(shown: Mapping[str, Sequence[Item]]) -> bytes:
    return _written({kind: list(some) for kind, some in shown.items()})


def _written(value: object) -> bytes:
    data = orjson.dumps(value)
    for plain, escaped in _ESCAPES:
        data = data.replace(plain, escaped)
    return data
