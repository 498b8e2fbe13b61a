"""Answers and silences: what each means for the list and for the next attempt."""

from __future__ import annotations

import pytest

from pipeline.errors import BatchpubError, RemoteError, TryLaterError, UncertainError
from pipeline.wire.answer import (
    Answer,
    Failure,
    Phase,
    clock_offset,
    final_error,
    judge_answer,
    judge_silence,
    safe_text,
)
from pipeline.wire.signing import http_date

NOW = 1_498_738_276.0
SOURCE = "https://host/users"


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=body, received_at=NOW)


def judged(status: int, body: bytes = b"", phase: Phase = Phase.SENT, **headers: str) -> Failure:
    failure = judge_answer(answer(status, body, **headers), phase=phase, source=SOURCE)
    assert failure is not None
    return failure


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
@pytest.mark.parametrize("body", [b"", b"<html>error</html>", b'{"error": "no"}', b"\xff\x00"])
def test_any_2xx_is_success_whatever_the_body(status: int, body: bytes) -> None:
    assert judge_answer(answer(status, body), phase=Phase.SENT, source=SOURCE) is None


@pytest.mark.parametrize("phase", [Phase.CONNECTING, Phase.SENDING])
def test_success_before_the_whole_list_was_sent_is_not_believed(phase: Phase) -> None:
    failure = judged(201, phase=phase)

    assert RemoteError is type(failure.error)
    assert not failure.retryable


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 407, 410, 413, 415, 417, 422, 451])
@pytest.mark.parametrize("phase", list(Phase))
def test_4xx_is_a_refusal(status: int, phase: Phase) -> None:
    failure = judged(status, phase=phase)

    assert (RemoteError, False, False) == (
        type(failure.error),
        failure.retryable,
        failure.uncertain,
    )
    assert str(status) in failure.error.message


@pytest.mark.parametrize(
    ("status", "uncertain"),
    [(408, False), (425, False), (429, False), (500, False), (503, False), (599, False),
     (502, True), (504, True), (522, True)],
)  # fmt: skip
def test_a_server_in_trouble_is_tried_again(status: int, uncertain: bool) -> None:
    sent, sending = judged(status), judged(status, phase=Phase.SENDING)

    assert (TryLaterError, True, uncertain) == (type(sent.error), sent.retryable, sent.uncertain)
    assert (True, False) == (sending.retryable, sending.uncertain)


@pytest.mark.parametrize("status", [501, 505, 511])
def test_a_server_error_that_says_never_is_a_refusal(status: int) -> None:
    assert not judged(status).retryable


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_an_error_that_names_the_bare_target(status: int) -> None:
    failure = judged(status, location="https://u:s3cret@other.example/p?token=s3cret#s3cret")

    assert RemoteError is type(failure.error)
    assert not failure.retryable
    assert "https://other.example/p" in failure.error.message
    assert "s3cret" not in str(failure.error)


@pytest.mark.parametrize("location", ["", "http://[", "\x00", "javascript:alert(1)", "//x y"])
def test_a_redirect_to_nonsense_is_still_that_error(location: str) -> None:
    assert "redirect" in judged(302, location=location).error.message


@pytest.mark.parametrize(
    ("server_clock", "expected"),
    [
        (NOW + 14, "your clock is 14 s behind, the server accepts 5 s"),
        (NOW - 3600, "your clock is 3600 s ahead, the server accepts 5 s"),
    ],
)
@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_clock_is_named(status: int, server_clock: float, expected: str) -> None:
    assert expected in judged(status, date=http_date(server_clock)).error.message


@pytest.mark.parametrize("date", [http_date(NOW + 5), http_date(NOW - 5), "nonsense", ""])
def test_a_right_or_unknown_clock_is_not_blamed(date: str) -> None:
    assert "your clock" not in judged(401, date=date).error.message


def test_the_clock_is_not_blamed_for_other_refusals() -> None:
    assert "your clock" not in judged(404, date=http_date(NOW + 100)).error.message


def test_an_answer_without_a_date_has_no_offset() -> None:
    assert clock_offset(answer(401)) is None


def test_retry_after_as_a_date_is_measured_by_the_servers_clock() -> None:
    failure = judged(503, date=http_date(NOW + 900), retry_after=http_date(NOW + 930))

    assert 30.0 == failure.retry_after_s


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"  not\r\n\ta  chance\x07\x1b[31m ", "not a chance [31m", id="control"),
        pytest.param("a\u202eb\u200bc".encode(), "a b c", id="bidi and zero width"),
        pytest.param(
            b"<!DOCTYPE html><html><head><title>502 Bad</title><style>p{}</style></head>"
            b"<body><h1>Bad &amp; sad</h1><script>x()</script></body></html>",
            "502 Bad Bad & sad",
            id="HTML page",
        ),
        pytest.param(b"<p>&lt;script&gt;x&lt;/script&gt;", "x", id="escaped tags"),
        pytest.param(b"<script>never closed", "", id="unclosed script"),
        pytest.param(b"\x1f\x8b\x08\x00\x00\x00", "", id="compressed"),
        pytest.param(b"\xff\xfe\xfd\xfc", "", id="binary"),
        pytest.param(b'{"auth_user_id": "u123"}', '{"auth_user_id": ***}', id="user id"),
        pytest.param(b"bad user_id=u123, line 3", "bad user_id=***, line 3", id="user id in text"),
        pytest.param(
            b"Authorization: ApiAuth 1:abc=; retry", "Authorization: ***; retry", id="credentials"
        ),
    ],
)
def test_text_of_an_answer_is_made_safe(body: bytes, text: str) -> None:
    assert text == safe_text(body)


def test_text_of_an_answer_is_short() -> None:
    text = safe_text(b"word " * 100_000)

    assert 200 >= len(text)
    assert text.endswith("…")


def test_silence_is_uncertain_only_once_everything_was_sent() -> None:
    uncertain = [
        judge_silence("gone", phase=phase, source=SOURCE).uncertain
        for phase in (Phase.CONNECTING, Phase.SENDING, Phase.SENT)
    ]

    assert [False, False, True] == uncertain


def final(last: Failure, uncertain: Failure | None = None) -> BatchpubError:
    return final_error(last, uncertain=uncertain, attempts=3)


def test_a_refusal_after_an_uncertain_attempt_stays_uncertain() -> None:
    lost = judge_silence("connection reset", phase=Phase.SENT, source=SOURCE)
    error = final(judged(401), lost)

    assert UncertainError is type(error)
    assert "connection reset" in error.message
    assert "401" in error.message
    assert error.remedy is not None
    assert "same list" in error.remedy


def test_trouble_alone_says_that_nothing_changed() -> None:
    error = final(judged(503))

    assert TryLaterError is type(error)
    assert "3 attempts" in error.message
    assert error.remedy is not None
    assert "nothing was changed" in error.remedy
    assert RemoteError is type(final(judged(404)))
