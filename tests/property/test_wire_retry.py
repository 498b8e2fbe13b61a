"""The retry policy, for every window of time."""

from __future__ import annotations

import math
from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from pipeline.wire.retry import (
    RetryPolicy,
    Stop,
    Wait,
    next_step,
    parse_http_date,
    parse_retry_after,
    too_slow,
)

SHARES = st.floats(0, 1, exclude_max=True)
SECONDS = st.floats(0, 1e6)
POLICIES = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 20),
    base_s=st.floats(0.001, 100),
    cap_s=st.floats(0.001, 1000),
)


@given(POLICIES, st.integers(1, 5000), SHARES, SECONDS, st.none() | SECONDS, SECONDS)
def test_a_wait_ends_inside_the_window_and_not_before_the_server_asked(
    policy: RetryPolicy,
    attempt: int,
    jitter: float,
    time_left_s: float,
    retry_after_s: float | None,
    needed_s: float,
) -> None:
    step = next_step(
        policy,
        attempt=attempt,
        retryable=True,
        time_left_s=time_left_s,
        jitter=jitter,
        retry_after_s=retry_after_s,
        needed_s=needed_s,
    )

    if isinstance(step, Wait):
        assert attempt < policy.max_attempts
        assert 0 <= step.seconds < time_left_s
        assert step.seconds + needed_s <= time_left_s * (1 + 1e-9)
        assert step.seconds >= (retry_after_s or 0)
        if retry_after_s is None:
            assert step.seconds <= policy.cap_s
            assert step.seconds <= policy.base_s * 2.0 ** min(attempt - 1, 900)


@given(POLICIES, st.integers(1, 100), SHARES, SECONDS, st.none() | SECONDS)
def test_a_final_outcome_is_never_tried_again(
    policy: RetryPolicy, attempt: int, jitter: float, left: float, retry_after_s: float | None
) -> None:
    step = next_step(
        policy,
        attempt=attempt,
        retryable=False,
        time_left_s=left,
        jitter=jitter,
        retry_after_s=retry_after_s,
    )

    assert Stop.FINAL is step


@given(POLICIES, st.lists(SHARES, min_size=25, max_size=25), st.floats(0.1, 1e5))
def test_the_waits_of_one_window_add_up_to_less_than_it(
    policy: RetryPolicy, jitters: list[float], window_s: float
) -> None:
    left_s = window_s
    attempts = 0
    for jitter in jitters:
        attempts += 1
        step = next_step(
            policy, attempt=attempts, retryable=True, time_left_s=left_s, jitter=jitter
        )
        if isinstance(step, Stop):
            break
        left_s -= step.seconds

    assert left_s > 0
    assert attempts <= policy.max_attempts


@given(POLICIES, st.integers(1, 19), SHARES, st.floats(0.001, 1e5))
def test_with_attempts_and_time_left_there_is_always_another_try(
    policy: RetryPolicy, attempt: int, jitter: float, left: float
) -> None:
    step = next_step(policy, attempt=attempt, retryable=True, time_left_s=left, jitter=jitter)

    assert (attempt < policy.max_attempts) is isinstance(step, Wait)


@given(st.integers(0, 10**9 - 1))
def test_retry_after_in_seconds(seconds: int) -> None:
    assert float(seconds) == parse_retry_after(f" {seconds} ", now=1.0)


@given(st.integers(0, 4 * 10**9), st.integers(0, 4 * 10**9))
def test_retry_after_as_a_date(now: int, at: int) -> None:
    assert max(0.0, at - now) == parse_retry_after(formatdate(at, usegmt=True), now=float(now))


@given(st.text() | st.from_regex(r"[-+]?[0-9]{0,400}\.?[0-9]*"))
def test_any_other_retry_after_is_none_or_a_finite_wait(text: str) -> None:
    wait_s = parse_retry_after(text, now=1e9)

    assert wait_s is None or (math.isfinite(wait_s) and wait_s >= 0)


@given(st.none() | st.text())
def test_any_text_is_a_date_or_none(text: str | None) -> None:
    found = parse_http_date(text)

    assert found is None or math.isfinite(found)


def test_a_date_without_a_zone_is_utc() -> None:
    assert 1498738276.0 == parse_http_date("Thu, 29 Jun 2017 12:11:16 -0000")


@given(st.integers(1, 10**9), st.floats(0.01, 1000), st.floats(0.01, 1000))
def test_a_rate_that_finishes_in_time_is_never_too_slow(
    total: int, elapsed_s: float, left_s: float
) -> None:
    sent = math.ceil(total * elapsed_s / (elapsed_s + left_s)) + 1

    assert not too_slow(
        sent_bytes=sent,
        recent_bytes=0,
        total_bytes=total,
        elapsed_s=elapsed_s,
        recent_s=1.0,
        time_left_s=left_s,
    )


@given(st.integers(1000, 10**9), st.floats(1, 1000), st.floats(1, 1000))
def test_a_standstill_is_too_slow_once_a_tenth_of_the_window_is_gone(
    total: int, elapsed_s: float, left_s: float
) -> None:
    verdict = too_slow(
        sent_bytes=0,
        recent_bytes=0,
        total_bytes=total,
        elapsed_s=elapsed_s,
        recent_s=1.0,
        time_left_s=left_s,
    )

    assert (elapsed_s >= 0.1 * (elapsed_s + left_s)) is verdict
