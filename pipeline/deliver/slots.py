"""What a slot of a message shows: the recipient's own items, or what stands in for them. Pure.

A slot is a recommendation type that the template names. Its items come from the first of these
that has any: the recipient's own block, the vendor's default set, the items from a file. A slot
without any is left out, which the template sees as an empty list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from pipeline.deliver.inert import inert
from pipeline.deliver.links import Link, UtmTags, web_address
from pipeline.records import first_text

__all__ = ["Item", "Items", "Picks", "Shelf", "Slot", "Source"]

Item: TypeAlias = dict[str, Any]
Items: TypeAlias = Mapping[str, Sequence[Item]]
Source: TypeAlias = Literal["personal", "default", "file", "left_out"]

NO_LINK: Final = "link not http(s)"
NO_TITLE: Final = "no title"
NO_IMAGE: Final = "image not http(s)"
ANY_SLOT: Final = ""
"""The key of items from a file that name no slot and stand in for all."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A recommendation type and how many of its items the template shows at most."""

    name: str
    most: int | None


class Picks(list[Item]):
    """The items of one slot of one message, best first; `source` tells where they come from."""

    source: Source = "left_out"

    def first(self, most: int | None) -> Picks:
        """The best `most` of them, of the same source."""
        if most is None or most >= len(self):
            return self
        picks = Picks(self[:most])
        picks.source = self.source
        return picks

    @property
    def personal(self) -> bool:
        """Whether these were chosen for this very recipient."""
        return self.source == "personal"


class Shelf:
    """Fills slots; `dropped` counts items and images that could not be shown, by reason.

    Args:
        slots: The slots of the template.
        utm: What is added to product links.
        default: The vendor's default set, raw.
        file: Items from a file, raw, by slot or for `ANY_SLOT`.
    """

    def __init__(self, slots: Sequence[Slot], utm: UtmTags, *, default: Items, file: Items) -> None:
        self.dropped: Counter[str] = Counter()
        self._slots, self._utm = slots, utm
        self._stand_ins: dict[str, Picks] = {}
        for slot in slots:
            picks = self._picks(default.get(slot.name, ()), slot.most, "default")
            if not picks:
                own = file.get(slot.name) or file.get(ANY_SLOT, ())
                picks = self._picks(own, slot.most, "file")
            self._stand_ins[slot.name] = picks

    def fill(self, personal: Items | None) -> dict[str, Picks]:
        """Every slot with its items; `personal` is the recipient's own, if there are any."""
        if not personal:
            return self._stand_ins
        filled = {}
        for slot in self._slots:
            own = personal.get(slot.name)
            picks = self._picks(own, slot.most, "personal") if own else None
            filled[slot.name] = picks or self._stand_ins[slot.name]
        return filled

    def _picks(self, raw: Sequence[Item], most: int | None, source: Source) -> Picks:
        picks = Picks()
        for one in raw:
            item = self._item(one)
            if item is not None:
                picks.append(item)
                if len(picks) == most:
                    break
        picks.source = source if picks else "left_out"
        return picks

    def _item(self, raw: Item) -> Item | None:
        url = raw.get("url")
        link = web_address(url if type(url) is str else first_text(url))
        if link is None:
            self.dropped[NO_LINK] += 1
            return None
        title = raw.get("title")
        text = inert(title if type(title) is str else first_text(title) or "").strip()
        if not text:
            self.dropped[NO_TITLE] += 1
            return None
        image = raw.get("image_link")
        if image is not None and type(image) is not str:
            image = first_text(image)
        picture = web_address(image) if image else ""
        if picture is None:
            self.dropped[NO_IMAGE] += 1
        id_ = raw.get("id")
        item = {
            "id": inert(id_) if type(id_) is str else first_text(id_) or "",
            "url": Link(self._utm.add(link)),
            "title": text,
            "image_link": Link(picture) if picture else "",
        }
        if len(raw) > 4:
            for name, value in raw.items():
                if name not in item and value is not None:
                    item[name] = _inert(value)
        return item


def _inert(value: Any) -> Any:
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, dict):
        return {name: _inert(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_inert(one) for one in value]
    return value
