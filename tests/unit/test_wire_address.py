"""Addresses: what may be spoken to and what may be shown."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigurationError
from pipeline.wire.address import check_url, same_origin, shown_url


@pytest.mark.parametrize(
    "url",
    [
        "https://live.luigisbox.com",
        "https://live.luigisbox.com:8443/a/b?c=d",
        "https://10.0.0.1/",
        "https://[2001:db8::1]/",
        "http://127.0.0.1:8000",
        "http://127.9.8.7",
        "http://[::1]:9",
        "http://localhost:1/x",
        "http://LOCALHOST",
    ],
)
def test_https_and_loopback_are_allowed(url: str) -> None:
    assert url.lower().startswith(check_url(url, option="--base-url").scheme)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://live.luigisbox.com", id="plain http"),
        pytest.param("http://127.0.0.1.example.com", id="a name that looks like loopback"),
        pytest.param("http://localhost.example.com", id="a name that begins with localhost"),
        pytest.param("http://127.1", id="a short form whose meaning varies"),
        pytest.param("http://0.0.0.0:80", id="any address"),
        pytest.param("http://[::ffff:10.0.0.1]", id="mapped address"),
        pytest.param("https://user:pw@host/", id="credentials"),
        pytest.param("http://127.0.0.1@evil.example/", id="loopback as a user name"),
        pytest.param("http://127.0.0.1\\@evil.example/", id="backslash"),
        pytest.param("http://evil.example\\.localhost/", id="backslash in the host"),
        pytest.param("ftp://host/", id="ftp"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("host/path", id="no scheme"),
        pytest.param("https:///path", id="no host"),
        pytest.param("https://host:99999/", id="port too large"),
        pytest.param("https://host:0/", id="port zero"),
        pytest.param("https://ho st/", id="space"),
        pytest.param("https://host/\r\nX: y", id="line break"),
        pytest.param("https://höst/", id="beyond ASCII"),
        pytest.param("https://[::1/", id="unclosed bracket"),
        pytest.param("https://[fe80::1%25eth0]/", id="zone"),
        pytest.param("", id="empty"),
    ],
)
def test_anything_else_is_refused_without_quoting_credentials(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_url(url, option="--base-url")

    assert "--base-url" == caught.value.source
    assert "pw" not in str(caught.value)


def test_credentials_and_query_are_never_shown() -> None:
    url = "https://user:s3cret@host:1/path?token=s3cret#s3cret\r\n"

    assert "https://host:1/path" == shown_url(url)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a/x", "https://a:443/y", True),
        ("https://A/x", "https://a/y", True),
        ("https://a/x", "http://a/x", False),
        ("https://a/x", "https://b/x", False),
        ("https://a/x", "https://a:444/x", False),
        ("https://a/x", "https://a.b/x", False),
        ("https://a/x", "https://[", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(one: str, other: str, same: bool) -> None:
    assert same is same_origin(one, other)
