"""The guards of uploads against a second, naive reading of the same rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.guards.uploads import UploadFacts, UploadLimits, baselines, judge_list
from pipeline.records import UploadRun

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
USERS = st.one_of(st.integers(0, 40), st.integers(0, 10**9))


@st.composite
def histories(draw: st.DrawFn) -> list[UploadRun]:
    times = sorted(draw(st.lists(st.integers(-48, 24 * 40), max_size=7)), reverse=True)
    return [
        UploadRun(
            run=number,
            tracker_id="1-2",
            target="https://service.example",
            outcome=draw(
                st.sampled_from(["confirmed", "confirmed", "uncertain", "failed", "refused"])
            ),
            started_at=(NOW - timedelta(hours=hours)).isoformat(),
            ended_at=None,
            users=draw(USERS),
            bytes=0,
            sha256=draw(st.sampled_from("abc")),
            made_at=(NOW - timedelta(hours=hours + draw(st.integers(0, 3)))).isoformat(),
            confirmed_by=draw(st.sampled_from([(), (), (), ("shrink:9:3",), ("overlap:0",)])),
        )
        for number, hours in enumerate(times)
    ]


def model(history: list[UploadRun], facts: UploadFacts, limits: UploadLimits) -> set[str]:
    """Names of the rules that refuse, from the rules' words alone."""
    refused = set()
    confirmed = [run for run in history if run.outcome == "confirmed"]
    after = history[history.index(confirmed[-1]) + 1 :] if confirmed else history
    maybe = [run for run in after if run.outcome == "uncertain"]
    there = confirmed[-1:] + maybe
    if limits.min_users is not None and facts.users < limits.min_users:
        refused.add("min-users")
    if not confirmed and (limits.min_users is None or facts.users < max(limits.min_users, 1)):
        refused.add("first")
    window: list[UploadRun] = []
    for run in reversed(confirmed):
        if not window or NOW - datetime.fromisoformat(run.started_at) <= timedelta(days=14):
            window.append(run)
        if run.confirmed_by == ("shrink:9:3",):
            break
    largest = max((run.users for run in window + maybe), default=None)
    smallest = min((run.users for run in there), default=None)
    if largest is not None and smallest is not None:
        if facts.users == 0:
            refused.add("empty")
        elif facts.users < largest * (1 - Fraction(limits.max_shrink) / 100):
            refused.add("shrink")
        elif facts.users > smallest * (1 + Fraction(limits.max_grow) / 100):
            refused.add("grow")
    age_h = (facts.now - facts.made_at) / timedelta(hours=1)
    others = [run for run in there if run.sha256 != facts.sha256]
    overtaken = any(facts.made_at < datetime.fromisoformat(run.made_at) for run in others)
    if age_h > 24 or age_h < -1 or overtaken:
        refused.add("age")
    return refused


@given(
    history=histories(),
    users=USERS,
    sha256=st.sampled_from("abcd"),
    minutes_old=st.integers(-120, 60 * 30),
    min_users=st.none() | st.integers(1, 50),
    max_shrink=st.integers(0, 100),
    max_grow=st.integers(0, 400),
)
@example([], 0, "a", 0, None, 20, 200)
def test_the_guards_refuse_what_the_model_refuses_and_name_words_that_help(
    history: list[UploadRun],
    users: int,
    sha256: str,
    minutes_old: int,
    min_users: int | None,
    max_shrink: int,
    max_grow: int,
) -> None:
    facts = UploadFacts(
        users=users,
        bytes=1,
        sha256=sha256,
        made_at=NOW - timedelta(minutes=minutes_old),
        now=NOW,
    )
    limits = UploadLimits(
        tracker_id="1-2", min_users=min_users, max_shrink=max_shrink, max_grow=max_grow
    )
    before = baselines(history, now=NOW)
    verdict = judge_list(before, facts, limits)

    names = {
        "min-users" if one.confirm is None else one.confirm.partition(":")[0]
        for one in verdict.objections
    }
    assert model(history, facts, limits) == names

    words = frozenset(one.confirm for one in verdict.objections if one.confirm is not None)
    confirmed = judge_list(before, facts, replace(limits, confirmations=words))
    assert all(one.confirm is None for one in confirmed.objections)
    # Tomorrow's accident: the same words, one user fewer or more.
    sized = {word for word in words if not word.startswith("age")}
    for users_then in {max(users - 1, 0), users + 1} - {users}:
        then = judge_list(
            before, replace(facts, users=users_then), replace(limits, confirmations=words)
        )
        reused = sized & set(then.confirmed_by)
        assert all(word.startswith("empty") for word in reused)
        assert not reused or users_then == 0
