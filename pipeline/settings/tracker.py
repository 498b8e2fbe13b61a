"""What a tracker id looks like: it becomes part of an address."""

from __future__ import annotations

import re
from typing import Final

from pipeline.errors import ConfigurationError

_TRACKER: Final = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z_.-]*")


def check_tracker_id(text: str | None) -> None:
    """Refuse what cannot be a tracker id; None names none."""
    if text is not None and not _TRACKER.fullmatch(text):
        raise ConfigurationError(
            "not a tracker id",
            source="--tracker-id",
            remedy="copy it from the vendor's settings, it looks like 1234-5678",
        )
