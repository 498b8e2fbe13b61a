"""The sandbox's own signature check against the vectors of api.md §2.2."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.sandbox.signature import (
    Keys,
    SignedHead,
    expected_digest,
    refusal,
    signed_content_type,
)

DATE = "Thu, 29 Jun 2017 12:11:16 GMT"
NOW = datetime(2017, 6, 29, 12, 11, 16, 900_000, tzinfo=UTC)
PATH = "/v1/recommender/batching/1234-5678/users"
KEYS = Keys(tracker_id="1234-5678", public_key="1234-5678", private_key="your_private_key")
DIGEST = "DN6ihalgav5rW8W2i5Fhtw1EufgKRdQqCmxofSnCC+E="
JSON = "application/json; charset=utf-8"


def signed(
    *,
    method: str = "POST",
    path: str = PATH,
    content_type: str | None = "multipart/form-data; boundary=sk13jk8sd823j9",
    date: str | None = DATE,
    authorization: str | None = f"ApiAuth 1234-5678:{DIGEST}",
) -> SignedHead:
    return SignedHead(
        method=method, path=path, content_type=content_type, date=date, authorization=authorization
    )


def verdict(head: SignedHead, *, now: datetime = NOW, tracker_id: str = "1234-5678") -> str | None:
    return refusal(head, KEYS, tracker_id=tracker_id, now=now, tolerance_s=5.0)


@pytest.mark.parametrize(
    ("key", "method", "content_type", "path", "digest"),
    [
        ("your_private_key", "POST", "multipart/form-data", PATH, DIGEST),
        (
            "secret",
            "GET",
            JSON,
            "/v1/content_export",
            "wXj4oFdv4IRkL7RVSVrO2PiKwP3U5ssaYKsUzQAld7Y=",
        ),
        (
            "your_private_key",
            "POST",
            JSON,
            "/v1/content",
            "YPC8wUCL4rZ8ECDlsHMAC1z4BQEUp35B7b2HUtQT6LE=",
        ),
        (
            "kľúč-✓",
            "POST",
            "multipart/form-data",
            PATH,
            "CsUQCuJ1vCp6I7srI3c7SJpeIkfUZfF8dCoyvbaizeE=",
        ),
        (
            "your_private_key",
            "POST",
            "multipart/form-data; boundary=sk13jk8sd823j9",
            PATH,
            "YSWFQKYQ8m1ekiYo+kyYusDIXBjy6QsZrOZ2avaAyZc=",
        ),
    ],
    ids=["upload", "export", "json", "key beyond ascii", "wrong: boundary signed"],
)
def test_digest_equals_the_published_vector(
    key: str, method: str, content_type: str, path: str, digest: str
) -> None:
    made = expected_digest(key, method=method, content_type=content_type, date=DATE, path=path)

    assert digest == made


@pytest.mark.parametrize("word", ["ApiAuth", "faraday", "guzzle", "shopware", "Hello"])
def test_any_scheme_word_is_let_in(word: str) -> None:
    assert verdict(signed(authorization=f"{word} 1234-5678:{DIGEST}")) is None


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("multipart/form-data; boundary=x", "multipart/form-data"),
        ("multipart/form-data", "multipart/form-data"),
        ("Multipart/Form-Data ;boundary=x", "Multipart/Form-Data"),
        (JSON, JSON),
    ],
)
def test_only_multipart_loses_its_parameters(sent: str, expected: str) -> None:
    assert expected == signed_content_type(sent)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (signed(authorization=None), "Authorization header is missing"),
        (signed(date=None), "Date header is missing"),
        (signed(authorization="ApiAuth"), "is not '<word>"),
        (signed(authorization=f"ApiAuth {DIGEST}"), "is not '<word>"),
        (signed(authorization=f"ApiAuth 9999-1:{DIGEST}"), "public key is not known"),
        (signed(authorization="ApiAuth 1234-5678:AAAA"), "signature does not match"),
        (signed(authorization="ApiAuth 1234-5678:\udcff✓"), "signature does not match"),
        (signed(method="PUT"), "signature does not match"),
        (signed(path=PATH + "/"), "signature does not match"),
        (signed(content_type=None), "signature does not match"),
        (
            signed(authorization="ApiAuth 1234-5678:YSWFQKYQ8m1ekiYo+kyYusDIXBjy6QsZrOZ2avaAyZc="),
            "covers the boundary",
        ),
        (signed(date="2017-06-29T12:11:16Z"), "not an HTTP date"),
        (signed(date="Thu, 29 Jun 2017 12:11:16 -0000"), "not an HTTP date"),
    ],
)
def test_a_wrong_head_is_refused_with_its_reason(head: SignedHead, reason: str) -> None:
    assert reason in (verdict(head) or "let in")


def test_keys_of_one_tracker_do_not_open_another() -> None:
    assert "not those of the tracker" in (verdict(signed(), tracker_id="9-9") or "")


@pytest.mark.parametrize("offset_s", [-5, 0, 5])
def test_a_date_within_the_tolerance_is_let_in(offset_s: int) -> None:
    assert verdict(signed(), now=NOW + timedelta(seconds=offset_s)) is None


@pytest.mark.parametrize(
    ("offset_s", "reason"),
    [(6, "6 s behind the server's clock, 5 s"), (-6, "6 s ahead of the server's clock")],
)
def test_a_date_beyond_the_tolerance_is_refused_with_the_offset(offset_s: int, reason: str) -> None:
    assert reason in (verdict(signed(), now=NOW + timedelta(seconds=offset_s)) or "let in")
