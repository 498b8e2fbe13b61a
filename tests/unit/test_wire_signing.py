"""The vendor's signature against the vectors of the API notes."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings import Secret
from pipeline.wire.signing import (
    authorization,
    http_date,
    sign,
    signed_content_type,
    string_to_sign,
)

DATE = "Thu, 29 Jun 2017 12:11:16 GMT"
USERS = "/v1/recommender/batching/1234-5678/users"
JSON = "application/json; charset=utf-8"
FORM = "multipart/form-data"


@pytest.mark.parametrize(
    ("key", "method", "content_type", "path", "digest"),
    [
        pytest.param(
            "your_private_key", "POST", FORM, USERS,
            "DN6ihalgav5rW8W2i5Fhtw1EufgKRdQqCmxofSnCC+E=", id="the batching upload",
        ),
        pytest.param(
            "secret", "GET", JSON, "/v1/content_export",
            "wXj4oFdv4IRkL7RVSVrO2PiKwP3U5ssaYKsUzQAld7Y=", id="a content export",
        ),
        pytest.param(
            "your_private_key", "POST", JSON, "/v1/content",
            "YPC8wUCL4rZ8ECDlsHMAC1z4BQEUp35B7b2HUtQT6LE=", id="a content update",
        ),
        pytest.param(
            "kľúč-✓", "POST", FORM, USERS,
            "CsUQCuJ1vCp6I7srI3c7SJpeIkfUZfF8dCoyvbaizeE=", id="a key beyond ASCII",
        ),
    ],
)  # fmt: skip
def test_a_signature_equals_the_published_vector(
    key: str, method: str, content_type: str, path: str, digest: str
) -> None:
    text = string_to_sign(method=method, content_type=content_type, date=DATE, path=path)

    assert digest == sign(Secret(key), text)


def test_a_boundary_that_is_signed_gives_the_vector_named_wrong() -> None:
    with_boundary = f"POST\n{FORM}; boundary=sk13jk8sd823j9\n{DATE}\n{USERS}"
    ours = string_to_sign(
        method="POST", content_type=f"{FORM}; boundary=sk13jk8sd823j9", date=DATE, path=USERS
    )

    key = Secret("your_private_key")
    assert "YSWFQKYQ8m1ekiYo+kyYusDIXBjy6QsZrOZ2avaAyZc=" == sign(key, with_boundary)
    assert "DN6ihalgav5rW8W2i5Fhtw1EufgKRdQqCmxofSnCC+E=" == sign(key, ours)


@pytest.mark.parametrize(
    ("content_type", "signed"),
    [
        ("multipart/form-data; boundary=a;charset=utf-8", "multipart/form-data"),
        ("multipart/form-data;boundary=a", "multipart/form-data"),
        ("Multipart/Form-Data ; boundary=a", "Multipart/Form-Data"),
        ("multipart/mixed; boundary=a", "multipart/mixed; boundary=a"),
        ("application/json; charset=utf-8", "application/json; charset=utf-8"),
        ("", ""),
    ],
)
def test_only_a_form_loses_its_parameters(content_type: str, signed: str) -> None:
    assert signed == signed_content_type(content_type)


def test_the_query_string_is_not_signed() -> None:
    text = string_to_sign(method="get", content_type="", date=DATE, path="/v1/x?model=a&b=c")

    assert f"GET\n\n{DATE}\n/v1/x" == text


@pytest.mark.parametrize("field", ["method", "content_type", "date", "path"])
def test_a_line_break_cannot_move_the_fields(field: str) -> None:
    fields = {"method": "POST", "content_type": JSON, "date": DATE, "path": USERS}

    with pytest.raises(ConfigurationError):
        string_to_sign(**(fields | {field: fields[field] + "\n/v1/other"}))


@pytest.mark.parametrize(
    ("timestamp", "date"),
    [
        (1498738276.0, DATE),
        (1498738276.999, DATE),
        (0.0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (1709251199.0, "Thu, 29 Feb 2024 23:59:59 GMT"),
    ],
)
def test_a_date_is_gmt_with_english_names(timestamp: float, date: str) -> None:
    assert date == http_date(timestamp)


def test_the_header_has_the_word_the_key_and_the_digest() -> None:
    header = authorization(scheme_word="ApiAuth", public_key="1234-5678", digest="a+/=")

    assert "ApiAuth 1234-5678:a+/=" == header


@pytest.mark.parametrize("word", ["", "a b", "a:b", "a\nb", "a\r\nX: y", "é", "\x7f"])
def test_a_word_that_would_break_the_header_is_refused(word: str) -> None:
    with pytest.raises(ConfigurationError):
        authorization(scheme_word="ApiAuth", public_key=word, digest="x")
    with pytest.raises(ConfigurationError):
        authorization(scheme_word=word, public_key="1234-5678", digest="x")


@pytest.mark.parametrize("key", ["", "hidden-\udcff-key"])
def test_an_unusable_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        sign(Secret(key), "text")

    assert caught.value.__cause__ is None
    assert "hidden" not in str(caught.value)
