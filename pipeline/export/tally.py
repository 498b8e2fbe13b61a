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
                results = block["results"]
                self.items += len(results)
                for item in results:
                    self._note_item(item)
            if self.items == before:
                self.users_without_results += 1
        self.users += len(users)

    def _note_item(self, item: dict[str, Any]) -> None:
        product = item.get("id")
        if isinstance(product, str | int) and len(self._products) < MAX_PRODUCTS:
            self._products.add(product)
        url = item.get("url")
        if not isinstance(url, str):
            self.urls_not_http += 1
            self.urls_without_recommendation_id += 1
            return
        if not url.startswith(("https://", "http://")):
            self.urls_not_http += url[:8].lower().startswith(("https://", "http://")) is False
        if "recommendation_id=" not in url or not recommendation_id(url):
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
