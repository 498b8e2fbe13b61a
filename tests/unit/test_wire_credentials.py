"""Headers that prove who asks."""

from __future__ import annotations

import base64

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings import Secret
from pipeline.wire.credentials import credential_headers


def revealed(secret: str | None, **how: str) -> dict[str, str]:
    headers = credential_headers(None if secret is None else Secret(secret), **how)
    return {name: value.reveal() for name, value in headers.items()}


def test_a_secret_alone_is_a_bearer_token() -> None:
    assert {"Authorization": "Bearer t0ken"} == revealed("t0ken")


def test_with_a_user_it_is_the_password_in_utf_8() -> None:
    # The example of RFC 7617 section 2.1.
    assert {"Authorization": "Basic dGVzdDoxMjPCow=="} == revealed("123\u00a3", user="test")
    colon = revealed("a:b", user="")["Authorization"].removeprefix("Basic ")
    assert b":a:b" == base64.b64decode(colon)


def test_with_a_header_it_is_its_value() -> None:
    assert {"X-Api-Key": "k3y"} == revealed("k3y", header="X-Api-Key")
    assert {"Authorization": "Token k3y"} == revealed("Token k3y", header="Authorization")


def test_without_a_secret_nothing_is_sent() -> None:
    assert {} == revealed(None)


@pytest.mark.parametrize("how", [{"user": "me"}, {"header": "X-Api-Key"}], ids=["user", "header"])
def test_a_way_without_a_secret_names_where_to_put_it(how: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="BATCHPUB_EXPORT_SECRET"):
        revealed(None, **how)


@pytest.mark.parametrize("user", ["a:b", "a\nb", "a\0b"])
def test_a_user_name_that_basic_cannot_carry_is_refused(user: str) -> None:
    with pytest.raises(ConfigurationError, match="colon"):
        revealed("s3cret", user=user)


@pytest.mark.parametrize(
    ("secret", "how"),
    [
        ("s3cret", {"header": "A b"}),
        ("s3cret", {"header": ""}),
        ("s3cret", {"header": "Range"}),
        ("s3cret", {"header": "If-None-Match"}),
        ("s3cret", {"header": "HOST"}),
        ("s3cret\r\nX: y", {"header": "A"}),
        ("s3cret\u00e9", {"header": "A"}),
        ("s3cret\u00e9", {}),
    ],
)
def test_what_would_break_the_request_is_refused_unquoted(secret: str, how: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        revealed(secret, **how)

    assert "s3cret" not in str(caught.value)
