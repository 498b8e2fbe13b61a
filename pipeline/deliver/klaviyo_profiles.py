"""Profiles as users: which are asked for, whose they are, and what the vendor wrote on them. Pure.

The vendor writes one property per recommendation type, an array of items (api.md §1.8), on the
profile that carries the user's id, and the generic set on the profile whose `external_id` is
`default`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from pipeline.records import RESERVED_ID, Block, UserRecommendations

__all__ = ["ProfileReader", "first_target"]

PAGE_SIZE: Final = 100
# The documented fields of an item: what looks like this is taken for recommendations when no
# type is named.
_ITEM: Final = frozenset({"id", "url", "title", "image_link"})


def first_target(*, list_id: str | None, segment_id: str | None, updated_after: str | None) -> str:
    """The path and query of the first page.

    All profiles are read in the order of their ids, so that one that changes meanwhile does not
    move from page to page.
    """
    query = {"page[size]": str(PAGE_SIZE), "fields[profile]": "external_id,properties"}
    path = "/api/profiles"
    if list_id is not None:
        path = f"/api/lists/{quote(list_id, safe='')}/profiles"
    elif segment_id is not None:
        path = f"/api/segments/{quote(segment_id, safe='')}/profiles"
    else:
        query["sort"] = "id"
    if updated_after is not None:
        query["filter"] = f"greater-than(updated,{updated_after})"
    return f"{path}?{urlencode(query)}"


class ProfileReader:
    """Makes users of profiles and counts what it leaves out.

    Args:
        id_property: The property that holds the user's id; None for `external_id`.
        types: Properties that are recommendations; empty: those that look like it.
        counts: What was counted before.
    """

    def __init__(
        self,
        *,
        id_property: str | None,
        types: Sequence[str],
        counts: Mapping[str, int] | None = None,
    ) -> None:
        self._id_property = id_property
        self._types = types
        self.counts: Counter[str] = Counter(counts or {})

    def read(self, profile: Mapping[str, Any]) -> UserRecommendations | None:
        """The user of a profile; None when it has no recommendations or no usable id."""
        self.counts["profiles"] += 1
        attributes = profile.get("attributes")
        if not isinstance(attributes, dict):
            attributes = {}
        properties = attributes.get("properties")
        if not isinstance(properties, dict):
            self.counts["null_properties"] += 1
            properties = {}
        blocks = self._blocks(properties)
        if not blocks:
            self.counts["without_recommendations"] += 1
            return None
        user_id = self._id(attributes, properties)
        if user_id is None:
            self.counts["without_id"] += 1
            return None
        self.counts["users"] += 1
        return {"auth_user_id": user_id, "updated_at": None, "recommendations": blocks}

    def _blocks(self, properties: Mapping[str, Any]) -> list[Block]:
        blocks: list[Block] = []
        if self._types:
            for name in self._types:
                value = properties.get(name)
                if value is None:
                    continue
                if isinstance(value, list) and all(isinstance(item, dict) for item in value):
                    blocks.append({"recommendation_type": name, "results": value})
                else:
                    self.counts["unusable_properties"] += 1
            return blocks
        for name, value in properties.items():
            if value and isinstance(value, list) and all(map(_is_item, value)):
                blocks.append({"recommendation_type": name, "results": value})
        return blocks

    def _id(self, attributes: Mapping[str, Any], properties: Mapping[str, Any]) -> str | None:
        external_id = attributes.get("external_id")
        if external_id == RESERVED_ID or self._id_property is None:
            found = external_id
        else:
            found = properties.get(self._id_property)
        # A number beyond 64 bits arrives as a float: its digits are lost.
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
        return found if isinstance(found, str) and found.strip() else None


def _is_item(value: object) -> bool:
    return isinstance(value, dict) and value.keys() >= _ITEM
