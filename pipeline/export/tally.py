"""What an export held, counted while its users pass by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pipeline.export.id_store import IdStore
from pipeline.export.rows import recommendation_id
from pipeline.records import RESERVED_ID, UserRecommendations

__all__ = ["MAX_PRODUCTS", "Tally"]

# Ids of products in memory: 100,000 of 20 bytes are about 13 MB.
MAX_PRODUCTS: Final = 100_000
_HTTP: Final = ("https://", "http://")


class Tally:
    """Counts of users, blocks, items, and freshness; memory does not grow with the users."""

    def __init__(self, folder: Path) -> None:
        self.users = 0
        self.users_without_results = 0
        self.blocks: Counter[str] = Counter()
        self.items = 0
        self.has_default = False
        self.urls_not_http = 0
        self.urls_without_recommendation_id = 0
        self.oldest: tuple[datetime, str] | None = None
        self.newest: tuple[datetime, str] | None = None
        self.ids = IdStore(folder)
        self._products: set[str | int] = set()
        self._last_updated_at: str | None = None

    @property
    def distinct_products(self) -> int:
        """Different product ids; at MAX_PRODUCTS the count stops."""
        return len(self._products)

    def add(self, users: Sequence[UserRecommendations]) -> None:
        """Count these users."""
        for user in users:
            user_id = user["auth_user_id"]
            self.ids.add(user_id)
            if user_id == RESERVED_ID:
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

    def _add_items(self, items: Sequence[dict[str, Any]]) -> None:
        self.items += len(items)
        products = self._products
        for item in items:
            product = item.get("id")
            if isinstance(product, str | int) and len(products) < MAX_PRODUCTS:
                products.add(product)
            url = item.get("url")
            if not isinstance(url, str):
                self.urls_not_http += 1
                self.urls_without_recommendation_id += 1
                continue
            if not url.startswith(_HTTP) and not url[:8].lower().startswith(_HTTP):
                self.urls_not_http += 1
            # Nearly every URL passes the first test, which is the cheaper one.
            at = url.find("recommendation_id=")
            plain = at > 0 and url[at - 1] in "?&" and url[at + 18 : at + 19].isalnum()
            if not (plain and "#" not in url) and not recommendation_id(url):
                self.urls_without_recommendation_id += 1

    def _note_time(self, text: str) -> None:
        self._last_updated_at = text
        try:
            moment = datetime.fromisoformat(text.strip())
            # The vendor's times have no zone; one near the calendar's ends has no UTC.
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return
        if self.oldest is None or moment < self.oldest[0]:
            self.oldest = moment, text
        if self.newest is None or moment > self.newest[0]:
            self.newest = moment, text
