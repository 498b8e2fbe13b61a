"""What an export held, counted while its users pass by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from pipeline.export.id_store import IdStore
from pipeline.export.rows import recommendation_id, share_mark
from pipeline.limits import EXPORT_MAX_PRODUCTS, EXPORT_MAX_TYPES
from pipeline.records import RESERVED_ID, UserRecommendations

__all__ = ["Counts", "Tally", "read_moment"]

# Longer product ids are kept as digests.
_MAX_PRODUCT_ID: Final = 64
# Longer types are counted with the others.
_MAX_TYPE_NAME: Final = 256
_HTTP: Final = ("https://", "http://")
_SUMS: Final = (
    "users",
    "users_without_results",
    "items",
    "urls_not_http",
    "urls_without_recommendation_id",
)
_PARAMETER: Final = "recommendation_id="


class Counts:
    """Counts of users, blocks, items, and freshness, of a part of an export.

    Args:
        known_products: Product ids that need not be reported again by `take`.
    """

    def __init__(self, known_products: set[str | int] | None = None) -> None:
        self.users = 0
        self.users_without_results = 0
        self.blocks: dict[str, int] = {}
        self.items = 0
        self.has_default = False
        self.urls_not_http = 0
        self.urls_without_recommendation_id = 0
        self.oldest: tuple[datetime, str] | None = None
        self.newest: tuple[datetime, str] | None = None
        self._known_products = set() if known_products is None else known_products
        self._products: set[str | int] = set()
        self._last_updated_at: str | None = None
        self._zone: tzinfo = UTC

    @property
    def distinct_products(self) -> int:
        """Different product ids; at EXPORT_MAX_PRODUCTS the count stops."""
        return min(len(self._products), EXPORT_MAX_PRODUCTS)

    def add(self, users: Sequence[UserRecommendations]) -> None:
        """Count these users."""
        for user in users:
            if user["auth_user_id"] == RESERVED_ID:
                self.has_default = True
            updated_at = user["updated_at"]
            if updated_at != self._last_updated_at and updated_at:
                self._note_time(updated_at)
            before = self.items
            for block in user["recommendations"]:
                kind = block["recommendation_type"]
                if kind in self.blocks:
                    self.blocks[kind] += 1
                else:
                    self._add_type(kind, 1)
                self._add_items(block["results"])
            if self.items == before:
                self.users_without_results += 1
        self.users += len(users)

    def as_dict(self) -> dict[str, Any]:
        """Everything counted, ready for JSON; for `merge` in another process."""
        fresh = self._products - self._known_products
        if len(self._known_products) < EXPORT_MAX_PRODUCTS:
            self._known_products |= fresh
        return {
            "sums": [getattr(self, name) for name in _SUMS],
            "blocks": self.blocks,
            "has_default": self.has_default,
            "times": [moment[1] for moment in (self.oldest, self.newest) if moment],
            "products": list(fresh),
        }

    def merge(self, other: dict[str, Any]) -> None:
        """Add what the `as_dict` of others says."""
        for name, value in zip(_SUMS, other["sums"], strict=True):
            setattr(self, name, getattr(self, name) + value)
        for kind, number in other["blocks"].items():
            self._add_type(kind, number)
        self.has_default = self.has_default or other["has_default"]
        for text in other["times"]:
            self._note_time(text)
        if len(self._products) < EXPORT_MAX_PRODUCTS:
            self._products.update(other["products"])

    def _add_type(self, kind: str, number: int) -> None:
        self.blocks[kind] = self.blocks.get(kind, 0) + number

    def _add_items(self, items: Sequence[dict[str, Any]]) -> None:
        self.items += len(items)
        if len(self._products) < EXPORT_MAX_PRODUCTS:
            ids: list[Any] = [item.get("id") for item in items]
            if set(map(type, ids)) != {str}:
                ids = [one for one in ids if isinstance(one, str | int)]
            elif max(map(len, ids)) <= _MAX_PRODUCT_ID:
                self._products.update(ids)
                ids = []
            self._products.update(map(_short, ids))
        urls = [item.get("url") for item in items]
        if urls and not share_mark(urls):
            self._add_urls(urls)

    def _add_urls(self, urls: Sequence[Any]) -> None:
        for url in urls:
            if not isinstance(url, str):
                self.urls_not_http += 1
                self.urls_without_recommendation_id += 1
                continue
            if not url.startswith(_HTTP) and not url[:8].lower().startswith(_HTTP):
                self.urls_not_http += 1
            # Nearly every URL passes the first test, which is the cheaper one.
            at = url.find(_PARAMETER)
            plain = at > 0 and url[at - 1] in "?&" and url[at + 18 : at + 19].isalnum()
            if not (plain and "#" not in url) and not recommendation_id(url):
                self.urls_without_recommendation_id += 1

    def _note_time(self, text: str) -> None:
        self._last_updated_at = text
        text = text.strip()
        moment = read_moment(text, self._zone)
        if moment is None:
            return
        if self.oldest is None or moment < self.oldest[0]:
            self.oldest = moment, text
        if self.newest is None or moment > self.newest[0]:
            self.newest = moment, text


class Tally(Counts):
    """Counts of a whole export in bounded memory, and every id: in `folder`, when there are many;
    `zone` is that of times without an offset.

    The first EXPORT_MAX_TYPES recommendation types are counted by name, the others together.
    """

    def __init__(self, folder: Path, *, zone: tzinfo = UTC) -> None:
        super().__init__()
        self._zone = zone
        self.ids = IdStore(folder)
        self.other_blocks = 0

    def add(self, users: Sequence[UserRecommendations]) -> None:
        """Count these users and keep their ids."""
        super().add(users)
        self.ids.extend(user["auth_user_id"] for user in users)

    def merge(self, other: dict[str, Any]) -> None:
        """Add what the `as_dict` of others says, and its ``ids``."""
        super().merge(other)
        self.ids.extend(other["ids"])

    def _add_type(self, kind: str, number: int) -> None:
        new = kind not in self.blocks
        if new and (len(self.blocks) >= EXPORT_MAX_TYPES or len(kind) > _MAX_TYPE_NAME):
            self.other_blocks += number
        else:
            super()._add_type(kind, number)


def read_moment(text: str, zone: tzinfo) -> datetime | None:
    """UTC time of an updated_at, in `zone` unless it has an offset; None when it is no time."""
    try:
        moment = datetime.fromisoformat(text.strip())
        # One near the calendar's ends has no UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _short(product_id: str | int) -> str | int:
    """What stands for a product in memory: itself, or a digest of an id that is long."""
    if isinstance(product_id, int) or len(product_id) <= _MAX_PRODUCT_ID:
        return product_id
    return hashlib.sha256(product_id.encode()).hexdigest()
