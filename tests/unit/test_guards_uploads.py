"""Verdicts on replacing a list: what is refused, and the words that let it pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import GuardError
from pipeline.guards.uploads import (
    Baselines,
    UploadFacts,
    UploadLimits,
    Verdict,
    baselines,
    is_unchanged,
    judge_list,
    judge_overlap,
)
from pipeline.limits import MAX_LIST
from pipeline.records import UploadRun

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
LIMITS = UploadLimits(tracker_id="1-2")


def run(
    users: int,
    *,
    days_ago: float = 1.0,
    outcome: str = "confirmed",
    sha256: str | None = None,
    made_days_ago: float | None = None,
    confirmed_by: tuple[str, ...] = (),
) -> UploadRun:
    made = days_ago if made_days_ago is None else made_days_ago
    return UploadRun(
        run=1,
        tracker_id="1-2",
        target="https://service.example",
        outcome=outcome,
        started_at=(NOW - timedelta(days=days_ago)).isoformat(),
        ended_at=None,
        users=users,
        bytes=users * 20,
        sha256=f"of {users}" if sha256 is None else sha256,
        made_at=(NOW - timedelta(days=made)).isoformat(),
        confirmed_by=confirmed_by,
    )


def facts(
    users: int,
    *,
    hours_old: float = 1.0,
    tracker_id: str | None = None,
    now: datetime = NOW,
    sha256: str | None = None,
    bytes_: int = 25_000,
) -> UploadFacts:
    return UploadFacts(
        users=users,
        bytes=bytes_,
        sha256=f"of {users}" if sha256 is None else sha256,
        made_at=NOW - timedelta(hours=hours_old),
        now=now,
        tracker_id=tracker_id,
    )


def judged(
    earlier: list[UploadRun], new: UploadFacts, limits: UploadLimits = LIMITS
) -> tuple[str | None, ...]:
    """What would have to be confirmed; None for what cannot be."""
    verdict = judge_list(baselines(earlier, now=new.now), new, limits)
    return tuple(one.confirm for one in verdict.objections)


@pytest.mark.parametrize(
    ("earlier", "new", "expected"),
    [
        ([run(1000)], facts(1000), ()),
        ([run(1000)], facts(800), ()),
        ([run(1000)], facts(799), ("shrink:1000:799",)),
        ([run(1000)], facts(3000), ()),
        ([run(1000)], facts(3001), ("grow:1000:3001",)),
        ([run(1000)], facts(0), ("empty:1000",)),
        ([run(0)], facts(1), ("grow:0:1",)),
        ([], facts(5), ("first:5",)),
        ([], facts(0), ("first:0",)),
        ([run(900, outcome="refused"), run(900, outcome="failed")], facts(5), ("first:5",)),
    ],
)
def test_counts_are_measured_against_the_last_confirmed_list(
    earlier: list[UploadRun], new: UploadFacts, expected: tuple[str, ...]
) -> None:
    assert expected == judged(earlier, new)


def test_nineteen_percent_a_night_trips_the_rule_of_two_weeks() -> None:
    nights = [run(1000, days_ago=2), run(810, days_ago=1)]

    assert ("shrink:1000:657",) == judged(nights, facts(657))
    assert () == judged(nights, facts(800))


def test_a_list_longer_ago_than_two_weeks_counts_only_as_the_last_one() -> None:
    assert () == judged([run(1000, days_ago=15), run(810)], facts(657))
    assert ("shrink:1000:657",) == judged([run(1000, days_ago=90)], facts(657))


def test_a_confirmed_shrink_sets_the_size_from_then_on() -> None:
    shrunk = run(500, confirmed_by=("shrink:1000:500",))

    assert () == judged([run(1000, days_ago=2), shrunk], facts(490))
    assert ("shrink:500:390",) == judged([run(1000, days_ago=2), shrunk], facts(390))


def test_an_uncertain_shrink_sets_nothing_because_the_longer_list_may_be_there_still() -> None:
    unsure = run(500, outcome="uncertain", confirmed_by=("shrink:1000:500",))

    assert ("shrink:1000:490",) == judged([run(1000, days_ago=2), unsure], facts(490))


def test_an_uncertain_list_may_be_the_one_that_is_replaced() -> None:
    unsure = run(2900, outcome="uncertain")

    assert ("shrink:2900:1000",) == judged([run(1000, days_ago=2), unsure], facts(1000))
    assert ("grow:1000:3100",) == judged([run(1000, days_ago=2), unsure], facts(3100))


def test_sending_an_uncertain_list_again_needs_no_new_words() -> None:
    unsure = run(500, outcome="uncertain", confirmed_by=("shrink:1000:500",))
    earlier = [run(1000, days_ago=2), unsure]

    assert () == judged(earlier, facts(500))
    assert ("shrink:1000:500",) == judged(earlier, facts(500, sha256="another"))


@pytest.mark.parametrize(
    ("min_users", "expected"), [(1000, ()), (1001, (None, "first:1000")), (None, ("first:1000",))]
)
def test_without_memory_a_met_minimum_is_permission(
    min_users: int | None, expected: tuple[str | None, ...]
) -> None:
    assert expected == judged([], facts(1000), replace(LIMITS, min_users=min_users))


def test_a_minimum_that_is_not_met_cannot_be_confirmed() -> None:
    every = frozenset({"first:9", "empty:10", "shrink:10:9"})
    limits = replace(LIMITS, min_users=10, confirmations=every)

    assert (None,) == judged([run(10)], facts(9), limits)


def test_another_tracker_s_list_cannot_be_confirmed() -> None:
    earlier = [run(1000)]

    assert () == judged(earlier, facts(1000, tracker_id="1-2"))
    assert (None,) == judged(earlier, facts(1000, tracker_id="3-4"))


@pytest.mark.parametrize(
    ("hours_old", "expected"),
    [(24, ()), (24.01, ("age:24",)), (49.9, ("age:49",)), (-0.9, ()), (-1.5, ("age:-2",))],
)
def test_an_old_list_and_one_from_the_future_are_refused(
    hours_old: float, expected: tuple[str, ...]
) -> None:
    earlier = [run(1000, made_days_ago=30)]

    assert expected == judged(earlier, facts(1000, hours_old=hours_old))


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param(LIMITS, (None,), id="the vendor's limit"),
        pytest.param(replace(LIMITS, max_bytes=MAX_LIST + 1), (), id="the vendor agreed to more"),
    ],
)
def test_a_list_over_the_size_limit_is_refused_unless_the_limit_is_another(
    limits: UploadLimits, expected: tuple[str | None, ...]
) -> None:
    earlier = [run(1000)]

    assert () == judged(earlier, facts(1000, bytes_=MAX_LIST))
    assert expected == judged(earlier, facts(1000, bytes_=MAX_LIST + 1), limits)


def test_a_list_older_than_one_that_was_sent_is_refused() -> None:
    later = run(1000, days_ago=0.02, made_days_ago=0.03, sha256="later")

    assert ("age:1",) == judged([later], facts(1000))
    assert ("age:1",) == judged([replace(later, outcome="uncertain")], facts(1000))[1:]
    assert () == judged([later], facts(1000, sha256="later"))


def test_a_clock_that_was_set_back_does_not_shorten_the_memory() -> None:
    earlier = [run(1000, days_ago=-30), run(820, days_ago=-29)]
    new = facts(700)

    assert ("shrink:1000:700", "age:1") == judged(earlier, new)
    refusal = judge_list(baselines(earlier, now=NOW), new, LIMITS).refusal("l")
    assert "check the clock" in str(refusal)


@pytest.mark.parametrize(
    ("old_users", "new_users", "kept", "expected"),
    [
        (1000, 1000, 500, ()),
        (1000, 1000, 499, ("overlap:49.9",)),
        (1000, 1000, 0, ("overlap:0",)),
        (1000, 300, 150, ()),
        (100, 290, 49, ("overlap:49",)),
        (1000, 1000, None, ("overlap:0",)),
        (1000, 0, 0, ()),
    ],
)
def test_a_list_that_shares_too_few_users_is_refused(
    old_users: int, new_users: int, kept: int | None, expected: tuple[str, ...]
) -> None:
    verdict = judge_overlap(
        baselines([run(old_users)], now=NOW),
        facts(new_users),
        LIMITS,
        old_users=old_users,
        new_users=new_users,
        kept=kept,
    )

    assert expected == tuple(one.confirm for one in verdict.objections)


def test_repeated_lines_do_not_hide_a_halved_list() -> None:
    verdict = judge_overlap(
        baselines([run(1000)], now=NOW),
        facts(1000),
        LIMITS,
        old_users=1000,
        new_users=500,
        kept=500,
    )

    assert ("shrink:1000:500",) == tuple(one.confirm for one in verdict.objections)


def test_a_confirmation_holds_for_the_figures_it_names_only() -> None:
    earlier = [run(1000)]
    right = replace(LIMITS, confirmations=frozenset({"shrink:1000:700"}))

    assert () == judged(earlier, facts(700), right)
    assert ("shrink:1000:699",) == judged(earlier, facts(699), right)
    verdict = judge_list(baselines(earlier, now=NOW), facts(700), right)
    assert ("shrink:1000:700",) == verdict.confirmed_by
    stale = judge_list(baselines(earlier, now=NOW), facts(699), right).refusal("l")
    assert "names other figures" in str(stale)


def test_the_refusal_names_counts_limit_and_every_confirmation_needed() -> None:
    verdict = judge_list(baselines([run(1000)], now=NOW), facts(700, hours_old=30), LIMITS)
    refusal = verdict.refusal("users.jsonl")

    assert isinstance(refusal, GuardError)
    assert "users.jsonl: the list shrinks from 1,000 to 700 users (limit 20%, actual 30.0%)" in str(
        refusal
    )
    assert str(refusal).endswith("add --confirm shrink:1000:700 --confirm age:30")
    assert Verdict().refusal("users.jsonl") is None


def test_what_cannot_be_confirmed_is_not_offered_with_words() -> None:
    verdict = judge_list(baselines([run(1000)], now=NOW), facts(700, tracker_id="another"), LIMITS)

    assert "--confirm" not in str(verdict.refusal("l"))


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        ([run(5)], True),
        ([run(5, days_ago=6.9)], True),
        ([run(5, days_ago=7.1)], False),
        ([run(5, days_ago=-1)], False),
        ([run(5), run(5, outcome="uncertain")], False),
        ([run(5, days_ago=2), run(6)], False),
        ([run(5, outcome="uncertain")], False),
        ([], False),
    ],
)
def test_only_a_list_that_is_surely_there_is_unchanged(
    earlier: list[UploadRun], expected: bool
) -> None:
    assert expected == is_unchanged(baselines(earlier, now=NOW), facts(5), LIMITS)


def test_the_lists_to_compare_with_are_the_last_confirmed_and_the_last_uncertain() -> None:
    unsure = tuple(run(n, outcome="uncertain") for n in (7, 8))
    before = Baselines(last=run(6), unsure=unsure)

    assert [6, 8] == [one.users for one in before.to_compare("of 1")]
    assert [6] == [one.users for one in before.to_compare("of 8")]
