"""The pacer against a model of the service: two fixed windows that begin anywhere."""

from __future__ import annotations

from collections import Counter
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.wire.pacing import Pacer, Window

windows = st.tuples(
    st.tuples(st.integers(1, 8), st.just(1.0)), st.tuples(st.integers(1, 30), st.just(10.0))
)
# Eighths of a second add up exactly.
pauses = st.lists(st.integers(0, 40).map(lambda eighths: eighths / 8), max_size=60)


@given(limits=windows, pauses=pauses, phases=st.tuples(st.floats(0, 1), st.floats(0, 10)))
def test_no_fixed_window_wherever_it_begins_sees_more_than_its_number(
    limits: tuple[tuple[int, float], ...], pauses: list[float], phases: tuple[float, float]
) -> None:
    pacer = Pacer([Window(*one) for one in limits])
    now, sent = 0.0, []
    for pause in pauses:
        now += pause
        now += pacer.wait_s(now)
        assert 0.0 == pacer.wait_s(now)
        pacer.sent(now)
        sent.append(now)

    for (limit, seconds), phase in zip(limits, phases, strict=True):
        # Beginnings on the edge of a float are not meant: windows are half open.
        seen = Counter(floor((at - phase) / seconds + 1e-9) for at in sent)
        assert max(seen.values(), default=0) <= limit


@given(limits=windows, pauses=pauses)
def test_it_waits_no_longer_than_the_windows_ask_for(
    limits: tuple[tuple[int, float], ...], pauses: list[float]
) -> None:
    pacer = Pacer([Window(*one) for one in limits])
    now, sent = 0.0, [float("-inf")]
    for pause in pauses:
        now += pause
        wait = pacer.wait_s(now)
        if wait:  # a moment earlier some stretch of a window's length would be over its number
            just_before = now + wait - 1 / 16
            assert any(
                sum(just_before - seconds < at for at in sent) >= limit for limit, seconds in limits
            )
        now += wait
        pacer.sent(now)
        sent.append(now)


def headers(limit: str, remaining: str, reset: str) -> dict[str, str]:
    return {
        "ratelimit-limit": limit,
        "ratelimit-remaining": remaining,
        "ratelimit-reset": reset,
    }


def test_what_others_used_of_the_account_is_not_asked_for() -> None:
    pacer = Pacer([Window(10, 1.0), Window(100, 60.0)])

    pacer.learn(headers("100", "1", "20"), 5.0)
    assert 0.0 == pacer.wait_s(5.0)
    pacer.sent(5.0)
    assert 20.0 == pacer.wait_s(5.0)
    assert 0.0 == pacer.wait_s(25.0)
    pacer.sent(25.0)
    assert 0.0 == pacer.wait_s(25.0)


def test_the_service_s_own_number_takes_the_place_of_ours() -> None:
    pacer = Pacer([Window(10, 1.0), Window(2, 60.0)])

    pacer.learn(headers("4, 4;w=60", "4", "60"), 0.0)
    for _ in range(4):
        assert 0.0 == pacer.wait_s(0.0)
        pacer.sent(0.0)
    assert 60.0 == pacer.wait_s(0.0)


@pytest.mark.parametrize(
    "odd",
    [
        headers("", "", ""),
        headers("many", "-1", "soon"),
        headers("0", "0", "1795000000"),
        {"ratelimit-remaining": "0"},
        {},
    ],
    ids=["empty", "words", "a reset that is a date", "no reset", "none"],
)
def test_headers_that_make_no_sense_change_nothing(odd: dict[str, str]) -> None:
    pacer = Pacer([Window(2, 1.0)])

    pacer.learn(odd, 0.0)
    pacer.sent(0.0)
    assert 0.0 == pacer.wait_s(0.0)
    pacer.sent(0.0)
    assert 1.0 == pacer.wait_s(0.0)


@pytest.mark.parametrize("windows", [[], [Window(0, 1.0)], [Window(1, 0.0)]])
def test_windows_that_let_nothing_through_are_refused(windows: list[Window]) -> None:
    with pytest.raises(ValueError, match="windows"):
        Pacer(windows)
