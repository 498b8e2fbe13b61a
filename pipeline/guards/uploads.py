"""Verdicts on replacing a tracker's stored list. Pure.

Strategy: the remote list cannot be read back, so what it may be is taken from the ledger: the last
confirmed upload, or any later one whose outcome is uncertain. A list must be safe against each of
them. What a limit refuses can be confirmed by words that name today's figures, so that a
confirmation left in a script does not let tomorrow's accident pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pipeline.errors import GuardError
from pipeline.guards.checks import TOO_LARGE
from pipeline.limits import MAX_LIST
from pipeline.records import UploadRun

__all__ = [
    "Baselines",
    "Objection",
    "UploadFacts",
    "UploadLimits",
    "Verdict",
    "baselines",
    "is_unchanged",
    "judge_list",
    "judge_overlap",
]

# A loss that stays under the nightly limit adds up: the list is measured against the largest of
# two weeks too.
WINDOW: Final = timedelta(days=14)
# A list made a little ahead of this machine's clock comes from another machine.
_AHEAD: Final = timedelta(hours=1)
# Whoever confirmed one of these said that the smaller list is the right one from then on.
_NEW_SIZE: Final = ("first", "empty", "shrink")
_CHECK: Final = "check the extract, the activity window and the suppression lists"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFacts:
    """The list that is to be sent; `tracker_id` is the one its receipt names, if it names one."""

    users: int
    bytes: int
    sha256: str
    made_at: datetime
    now: datetime
    tracker_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What a list may differ by; shares are in percent, confirmations as the user typed them."""

    tracker_id: str
    max_bytes: int = MAX_LIST
    min_users: int | None = None
    max_shrink: float = 20.0
    max_grow: float = 200.0
    min_overlap: float = 50.0
    max_age_s: float = 86_400.0
    refresh_after_s: float = 604_800.0
    confirmations: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """What a list is measured against: `last` confirmed upload, `unsure` ones after it.

    `largest` and `smallest` are users, None where nothing is known.
    """

    last: UploadRun | None = None
    unsure: tuple[UploadRun, ...] = ()
    largest: int | None = None
    smallest: int | None = None

    @property
    def possible(self) -> tuple[UploadRun, ...]:
        """Every list that the remote service may hold."""
        return (() if self.last is None else (self.last,)) + self.unsure

    def to_compare(self, sha256: str) -> tuple[UploadRun, ...]:
        """The lists to compare users with: the last confirmed and the last uncertain one."""
        chosen = (() if self.last is None else (self.last,)) + self.unsure[-1:]
        distinct = {run.sha256: run for run in chosen if run.users and run.sha256 != sha256}
        return tuple(distinct.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """One reason not to send; `confirm` is what would let it pass, None where nothing does."""

    message: str
    limit: str | None
    actual: str | None
    remedy: str
    confirm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Objections that nobody confirmed, and the confirmations that others needed."""

    objections: tuple[Objection, ...] = ()
    confirmed_by: tuple[str, ...] = ()
    given: frozenset[str] = field(default=frozenset(), repr=False)

    def refusal(self, source: object) -> GuardError | None:
        """The error of all objections together, None when there is none."""
        if not self.objections:
            return None
        first = self.objections[0]
        alone = len(self.objections) == 1
        message = "; ".join(
            one.message
            if alone or one.limit is None
            else f"{one.message} (limit {one.limit}, actual {one.actual})"
            for one in self.objections
        )
        return GuardError(
            message,
            source=source,
            limit=first.limit if alone else None,
            actual=first.actual if alone else None,
            remedy=self._remedy(),
        )

    def _remedy(self) -> str:
        final = [one.remedy for one in self.objections if one.confirm is None]
        if final:
            return "; ".join(dict.fromkeys(final))
        words = dict.fromkeys(one.confirm or "" for one in self.objections)
        kinds = {word.partition(":")[0] for word in words}
        stale = any(word.partition(":")[0] in kinds for word in self.given)
        return "; ".join(
            (
                *dict.fromkeys(one.remedy for one in self.objections),
                *(["the confirmation given names other figures"] if stale else []),
                "if the list is right, add " + " ".join(f"--confirm {word}" for word in words),
            )
        )


def baselines(runs: Sequence[UploadRun], *, now: datetime) -> Baselines:
    """What the earlier runs of a tracker, oldest first, leave to measure against."""
    sent = [run for run in runs if run.outcome in ("confirmed", "uncertain")]
    at = max((i for i, run in enumerate(sent) if run.outcome == "confirmed"), default=None)
    last = None if at is None else sent[at]
    unsure = tuple(sent[0 if at is None else at + 1 :])
    recent = []
    for run in reversed(sent[: 0 if at is None else at + 1]):
        if run.outcome != "confirmed":
            continue
        # A clock that was set back makes earlier runs look recent, which is the safe side.
        if run is last or _time(run.started_at) >= now - WINDOW:
            recent.append(run)
        if any(word.partition(":")[0] in _NEW_SIZE for word in run.confirmed_by):
            break
    possible = [*unsure] if last is None else [last, *unsure]
    return Baselines(
        last=last,
        unsure=unsure,
        largest=max((run.users for run in (*recent, *unsure)), default=None),
        smallest=min((run.users for run in possible), default=None),
    )


def is_unchanged(before: Baselines, facts: UploadFacts, limits: UploadLimits) -> bool:
    """Whether the tracker surely holds this very list, confirmed not too long ago."""
    if before.last is None or before.unsure or before.last.sha256 != facts.sha256:
        return False
    age_s = (facts.now - _time(before.last.started_at)).total_seconds()
    return 0 <= age_s <= limits.refresh_after_s


def judge_list(before: Baselines, facts: UploadFacts, limits: UploadLimits) -> Verdict:
    """What can be told without reading the list: tracker, size, counts, age, order."""
    objections: list[Objection] = []
    accepted: list[str] = []
    if facts.tracker_id is not None and facts.tracker_id != limits.tracker_id:
        objections.append(
            Objection(
                message="the list was made for another tracker",
                limit=limits.tracker_id,
                actual=facts.tracker_id,
                remedy="upload it to that tracker, or prepare the list of this one",
            )
        )
    if facts.bytes > limits.max_bytes:
        objections.append(
            Objection(
                message="the list is over the size limit",
                limit=f"{limits.max_bytes:,} bytes",
                actual=f"{facts.bytes:,}",
                remedy=TOO_LARGE,
            )
        )
    if limits.min_users is not None and facts.users < limits.min_users:
        objections.append(
            Objection(
                message="the list is too short",
                limit=f"at least {limits.min_users:,} users",
                actual=f"{facts.users:,}",
                remedy="check the extract, or lower --min-users",
            )
        )
    objections += _first(before, facts, limits, accepted)
    objections += _size(before, facts, limits)
    objections += _age(before, facts, limits)
    return _verdict(objections, _given(before, facts, limits), accepted)


def judge_overlap(
    before: Baselines,
    facts: UploadFacts,
    limits: UploadLimits,
    *,
    old_users: int,
    new_users: int,
    kept: int | None,
) -> Verdict:
    """What can be told by comparing with an earlier list; `kept` is None where that is lost.

    Users are distinct ones here. The share is that of the shorter list, so that growing or
    shrinking alone does not lower it.
    """
    given = _given(before, facts, limits)
    if kept is None:
        objection = Objection(
            message="the list that was sent last is no longer kept, so the users on both lists"
            " cannot be counted",
            limit=f"{limits.min_overlap:g}%",
            actual="unknown",
            remedy="keep the state directory whole",
            confirm="overlap:0",
        )
        return _verdict([objection], given, [])
    objections = []
    repeated = facts.users - new_users
    if repeated > 0 and not _shrinks(before.largest, facts.users, limits):
        objections += _shrink(old_users, new_users, limits, f", {repeated:,} lines are repeats")
    smaller = min(old_users, new_users)
    if smaller and kept * 100 < limits.min_overlap * smaller:
        tenths = kept * 1000 // smaller
        share = f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths / 10:.1f}"
        objections.append(
            Objection(
                message=f"the list is nearly another one: of {old_users:,} users {kept:,} are"
                f" kept, {old_users - kept:,} removed, {new_users - kept:,} added",
                limit=f"{limits.min_overlap:g}% on both lists",
                actual=f"{share}%",
                remedy="check that list, tracker and key belong to the same shop",
                confirm=f"overlap:{share}",
            )
        )
    return _verdict(objections, given, [])


def _first(
    before: Baselines, facts: UploadFacts, limits: UploadLimits, accepted: list[str]
) -> list[Objection]:
    """No memory is not permission."""
    if before.last is not None:
        return []
    if limits.min_users is not None and facts.users >= max(limits.min_users, 1):
        accepted.append(f"min-users:{limits.min_users}")
        return []
    what = f"{facts.users:,} users" if facts.users else "no users at all"
    return [
        Objection(
            message=f"the list holds {what}, and no confirmed upload to this tracker is known to"
            " compare it with",
            limit=None,
            actual=None,
            remedy="keep the state directory (--state-dir) from run to run, or set --min-users",
            confirm=f"first:{facts.users}",
        )
    ]


def _size(before: Baselines, facts: UploadFacts, limits: UploadLimits) -> list[Objection]:
    old, new = before.largest, facts.users
    if old is not None and new == 0:
        return [
            Objection(
                message=f"the list holds no users; uploading it would erase all {old:,}",
                limit="at least 1 user",
                actual="0",
                remedy=_CHECK,
                confirm=f"empty:{old}",
            )
        ]
    if _shrinks(old, new, limits):
        return _shrink(old or 0, new, limits)
    old = before.smallest
    if old is not None and (new - old) * 100 > limits.max_grow * old:
        return [
            Objection(
                message=f"the list grows from {old:,} to {new:,} users",
                limit=f"{limits.max_grow:g}%",
                actual=f"{(new - old) * 100 / old:.1f}%" if old else "from nothing",
                remedy=_CHECK,
                confirm=f"grow:{old}:{new}",
            )
        ]
    return []


def _shrinks(old: int | None, new: int, limits: UploadLimits) -> bool:
    return old is not None and (old - new) * 100 > limits.max_shrink * old


def _shrink(old: int, new: int, limits: UploadLimits, more: str = "") -> list[Objection]:
    if not _shrinks(old, new, limits):
        return []
    return [
        Objection(
            message=f"the list shrinks from {old:,} to {new:,} users{more}",
            limit=f"{limits.max_shrink:g}%",
            actual=f"{(old - new) * 100 / old:.1f}%",
            remedy=_CHECK,
            confirm=f"shrink:{old}:{new}",
        )
    ]


def _age(before: Baselines, facts: UploadFacts, limits: UploadLimits) -> list[Objection]:
    age = facts.now - facts.made_at
    word = f"age:{age // timedelta(hours=1)}"
    hours = age.total_seconds() / 3600
    objections = []
    if age.total_seconds() > limits.max_age_s or age < -_AHEAD:
        objections.append(
            Objection(
                message="the list is too old"
                if hours > 0
                else "the list was made in the future: the clock of this machine went back, or"
                " that of the other was ahead",
                limit=f"{limits.max_age_s / 3600:,.1f} h",
                actual=f"{hours:,.1f} h",
                remedy="prepare it anew" if hours > 0 else "check the clocks",
                confirm=word,
            )
        )
    others = [_time(run.made_at) for run in before.possible if run.sha256 != facts.sha256]
    newest = max(others, default=facts.made_at)
    if facts.made_at < newest:
        objections.append(
            Objection(
                message="a list made later than this one has been sent already",
                limit=f"made after {newest.isoformat(timespec='seconds')}",
                actual=facts.made_at.isoformat(timespec="seconds"),
                remedy="upload the newest list"
                if newest <= facts.now
                else "check the clock of this machine: that list was made in its future",
                confirm=word,
            )
        )
    return objections


def _given(before: Baselines, facts: UploadFacts, limits: UploadLimits) -> frozenset[str]:
    """Confirmations typed now, and those of an uncertain upload of the same list."""
    again = (run.confirmed_by for run in before.unsure if run.sha256 == facts.sha256)
    return limits.confirmations.union(*again)


def _verdict(
    objections: Sequence[Objection], given: frozenset[str], accepted: Sequence[str]
) -> Verdict:
    used = dict.fromkeys(accepted)
    used |= dict.fromkeys(
        one.confirm for one in objections if one.confirm is not None and one.confirm in given
    )
    return Verdict(
        objections=tuple(one for one in objections if one.confirm not in used),
        confirmed_by=tuple(used),
        given=given,
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
