"""One run of `explain`: the selection that `prepare` makes, with an eye on one user."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import BatchpubError, ConfigurationError
from pipeline.explanation.sightings import Sightings
from pipeline.explanation.verdict import Facts, judge
from pipeline.preparation import Selection
from pipeline.records import ExplainSummary
from pipeline.settings import SelectionSettings
from pipeline.userlist.encode import FORMATS
from pipeline.userlist.mask import visible

__all__ = ["Explanation"]


class Explanation(Selection):
    """Call `answer` behind the steps of a selection; guards are noted, not obeyed."""

    def __init__(self, extracts: Sequence[str], user_id: str, settings: SelectionSettings) -> None:
        if not user_id.strip("\u200b\u2060\ufeff \t\r\n\u00a0"):
            raise ConfigurationError(
                "the id is blank", source="--id", remedy="name the user to look for"
            )
        self._user_id = user_id
        rules = [name for one in settings.id_rules for name in one.split(",")]
        self._seen = Sightings(user_id, rules, FORMATS[settings.format])
        self._refusal: BatchpubError | None = None
        super().__init__(
            extracts,
            settings,
            folder=Path(tempfile.gettempdir()),
            keep_values=True,
            watch=self._seen,
        )

    def answer(self) -> ExplainSummary:
        """What became of the user."""
        self.refuse_short()
        seen, settings = self._seen, self._settings
        placed = seen.is_candidate and not seen.suppressed
        place = seen.users_ahead + 1 if placed else None
        reason, verdict = judge(
            Facts(
                name=self._name(),
                outcomes=seen.own_outcomes(),
                near=seen.near.outcomes.total(),
                last_inactive=seen.last_inactive,
                latest=seen.latest,
                window=self.window,
                active_when=settings.active_when,
                timezone=settings.timezone,
                suppressed_by=seen.suppressing.kept[0] if seen.suppressed else None,
                place=place,
                users=self._users,
                fitting_users=self._lines.users,
                max_bytes=self._max_bytes,
                refusal=None if self._refusal is None else self._refusal.message,
            )
        )
        return ExplainSummary(
            user_id=self._user_id,
            listed_id=seen.listed_id,
            on_list=reason == "listed",
            reason=reason,
            verdict=verdict,
            as_of=self.as_of.isoformat(),
            window_start=None if self.window is None else self.window.start.isoformat(),
            timezone=settings.timezone,
            rows=seen.own_rows(),
            outcomes=seen.own_outcomes(),
            near_rows=tuple(seen.near.kept),
            near_outcomes=dict(seen.near.outcomes.most_common()),
            suppression_rows=(*seen.suppressing.kept, *seen.not_suppressing.kept),
            latest=None if seen.latest is None else seen.latest.isoformat(),
            place=place,
            bytes_upto=seen.bytes_ahead + seen.own_bytes() if placed else None,
            users=self._users,
            fitting_users=self._lines.users,
            max_bytes=self._max_bytes,
            oldest_kept=None if self._oldest is None else self._oldest.isoformat(),
            rows_read=self._engine.counts.rows,
            refusal=None if self._refusal is None else self._refusal.as_dict(),
            duration_s=round(time.monotonic() - self._started, 3),
        )

    def _name(self) -> str:
        asked, listed = visible(self._user_id), visible(self._seen.listed_id)
        return asked if asked == listed else f"{asked}, {listed} by --id-rules,"

    def _refuse(self, refusal: BatchpubError | None) -> None:
        self._refusal = self._refusal or refusal
