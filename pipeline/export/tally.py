"""What an export held, counted while its users pass by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from pipeline.export.id_store import IdStore
from pipeline.export.rows import recommendation_id
from pipeline.records import RESERVED_ID, UserRecommendations

__all__ = ["MAX_PRODUCTS", "Counts", "Tally", "read_moment"]

# Ids of products in memory: 100,000 of 20 bytes are about 13 MB.
MAX_PRODUCTS: Final = 100_000
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
    """Counts of users, blocks, items, and freshness; memory does not grow with the users.

    Args:
        known_products: Product ids that need not be reported again by `take`.
    """

    def __init__(self, known_products: set[str | int] | None = None) -> None:
        self.users = 0
        self.users_without_results = 0
        self.blocks: Counter[str] = Counter()
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
        """Different product ids; at MAX_PRODUCTS the count stops."""
        return min(len(self._products), MAX_PRODUCTS)

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
                self.blocks[block["recommendation_type"]] += 1
                self._add_items(block["results"])
            if self.items == before:
                self.users_without_results += 1
        self.users += len(users)

    def as_dict(self) -> dict[str, Any]:
        """Everything counted, ready for JSON; for `merge` in another process."""
        fresh = self._products - self._known_products
        if len(self._known_products) < MAX_PRODUCTS:
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
        self.blocks.update(other["blocks"])
        self.has_default = self.has_default or other["has_default"]
        for text in other["times"]:
            self._note_time(text)
        if len(self._products) < MAX_PRODUCTS:
            self._products.update(other["products"])

    def _add_items(self, items: Sequence[dict[str, Any]]) -> None:
        self.items += len(items)
        if len(self._products) < MAX_PRODUCTS:
            ids = [item.get("id") for item in items]
            if set(map(type, ids)) == {str}:
                self._products.update(ids)  # type: ignore[arg-type]
            else:
                self._products.update(one for one in ids if isinstance(one, str | int))
        urls = [item.get("url") for item in items]
        if urls and not _all_good(urls):
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
        moment = read_moment(text, self._zone)
        if moment is None:
            return
        if self.oldest is None or moment < self.oldest[0]:
            self.oldest = moment, text
        if self.newest is None or moment > self.newest[0]:
            self.newest = moment, text


class Tally(Counts):
    """Counts, and every id: in `folder`, when there are many; `zone` is that of naive times."""

    def __init__(self, folder: Path, *, zone: tzinfo = UTC) -> None:
        super().__init__()
        self._zone = zone
        self.ids = IdStore(folder)

    def add(self, users: Sequence[UserRecommendations]) -> None:
        """Count these users and keep their ids."""
        super().add(users)
        self.ids.extend(user["auth_user_id"] for user in users)

    def merge(self, other: dict[str, Any]) -> None:
        """Add what the `as_dict` of others says, and its ``ids``."""
        super().merge(other)
        self.ids.extend(other["ids"])


def read_moment(text: str, zone: tzinfo) -> datetime | None:
    """UTC time of an updated_at, in `zone` unless it has an offset; None when it is no time."""
    try:
        moment = datetime.fromisoformat(text.strip())
        # One near the calendar's ends has no UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _all_good(urls: Sequence[Any]) -> bool:
    """Whether all are https with one and the same recommendation id; False means: look closer.

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
        and count + 1 == text.count("\n")
        and "#" not in text
    )
