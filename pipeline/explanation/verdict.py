"""What became of a user, in one sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from pipeline.audience.rules import DROPPED
from pipeline.audience.window import Window
from pipeline.explanation.sightings import LATEST, OLDER
from pipeline.records import ExplainReason, SeenRow

__all__ = ["Facts", "judge", "shown_time"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a user behind the last step of a selection.

    name: the id, and what ``--id-rules`` make of it
    outcomes: the user's rows by outcome; `near`, how many rows come close
    suppressed_by: the row of a suppression list that keeps a user with a good row off the list
    active_when: the option, where it decides in place of the window
    refusal: why no list is made at all
    """

    name: str
    outcomes: Mapping[str, int]
    near: int
    last_inactive: datetime | None
    latest: datetime | None
    window: Window | None
    active_when: str | None
    timezone: str
    suppressed_by: SeenRow | None
    place: int | None
    users: int
    fitting_users: int
    max_bytes: int
    refusal: str | None


def judge(facts: Facts) -> tuple[ExplainReason, str]:
    """The last step the user reached, and the sentence."""
    reason, why = _step(facts)
    if facts.refusal is not None:
        would = "would be" if reason == "listed" else "would not be"
        return "no list", (
            f"{facts.name} is not on the list, because prepare refuses to make it"
            f" ({facts.refusal}); on one made all the same it {would}: {why}."
        )
    where = "is on the list" if reason == "listed" else "is not on the list"
    return reason, f"{facts.name} {where}: {why}."


def _step(facts: Facts) -> tuple[ExplainReason, str]:
    if not facts.outcomes:
        near = _rows(facts.near)
        close = f"; {near} come{'s' if facts.near == 1 else ''} close" if facts.near else ""
        return "no row", f"no row of the extracts carries this id{close}"
    if facts.suppressed_by is not None:
        by = facts.suppressed_by
        return "suppressed", f"it is suppressed by {by.source}, row {by.row:,}"
    if facts.place is not None:
        return _placed(facts, facts.place)
    if DROPPED & facts.outcomes.keys():
        return "dropped", _dropped(facts)
    total = sum(facts.outcomes.values())
    rows = "its only row" if total == 1 else f"none of its {total:,} rows"
    return "rejected", f"{rows} can{'not' if total == 1 else ''} be used ({_listed(facts)})"


def _placed(facts: Facts, place: int) -> tuple[ExplainReason, str]:
    if place <= facts.fitting_users:
        when = "activity unknown"
        if facts.latest is not None:
            when = f"last active {shown_time(facts.latest, facts.timezone)}"
        return "listed", f"number {place:,} of {facts.fitting_users:,}, {when}"
    return "over the limit", (
        f"it is number {place:,} of {facts.users:,} in order of activity, and only"
        f" {facts.fitting_users:,} fit into {facts.max_bytes:,} bytes"
    )


def _dropped(facts: Facts) -> str:
    refused = sum(n for name, n in facts.outcomes.items() if name not in DROPPED)
    also = f"; {_rows(refused)} more cannot be used ({_listed(facts)})" if refused else ""
    if facts.last_inactive is not None and facts.window is not None:
        latest = shown_time(facts.last_inactive, facts.timezone)
        start = shown_time(facts.window.start, facts.timezone)
        return f"its latest activity {latest} is before the window start {start}{also}"
    if facts.active_when is not None:
        return f"no row of it says {facts.active_when}{also}"
    return f"no row of it says when it was active{also}"


def _listed(facts: Facts) -> str:
    """Why rows were refused, the most frequent reason first."""
    found = facts.outcomes.items()
    refused = [(n, name) for name, n in found if name not in DROPPED | {LATEST, OLDER}]
    refused.sort(key=lambda one: (-one[0], one[1]))
    if len(refused) == 1:
        return refused[0][1]
    return ", ".join(f"{number:,} {name}" for number, name in refused)


def _rows(number: int) -> str:
    return f"{number:,} row" if number == 1 else f"{number:,} rows"


def shown_time(moment: datetime, timezone: str) -> str:
    """``2026-11-23`` for midnight, else ``2026-11-23 06:00:00``, in that zone."""
    local = moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    plain = local.isoformat(sep=" ")
    return plain.removesuffix(" 00:00:00")
