"""Which addresses may be spoken to, and how much of an address may be shown."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from pipeline.errors import ConfigurationError

__all__ = ["check_url", "is_loopback", "join_url", "same_origin", "shown_url"]

_HOST: Final = re.compile(r"[0-9A-Za-z_](?:[0-9A-Za-z_.-]*[0-9A-Za-z_.])?")
_PLAIN: Final = re.compile(r"[!-~]+")
_PORTS: Final = {"http": 80, "https": 443}


def check_url(url: str, *, option: str) -> SplitResult:
    """The parts of an address that may be used: https, or http to this machine itself.

    Args:
        url: Absolute address, already percent-encoded.
        option: Where it came from, for the error.

    Raises:
        ConfigurationError: another scheme, plain http to another machine, credentials inside, or
            malformed.
    """
    remedy = "write https://host/path"
    if not _PLAIN.fullmatch(url):
        raise ConfigurationError(
            "not an address: it holds spaces or characters other than ASCII",
            source=option,
            remedy="percent-encode them; write a host in its xn-- form",
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError("not an address", source=option, remedy=remedy) from None
    if parts.scheme not in _PORTS:
        raise ConfigurationError("the address is not https", source=option, remedy=remedy)
    if "@" in parts.netloc:
        raise ConfigurationError(
            "the address holds a user name or a password",
            source=option,
            remedy="give credentials apart from the address",
        )
    host = parts.hostname or ""
    if not (_HOST.fullmatch(host) or _is_ip(host)) or port == 0:
        raise ConfigurationError("the address names no host", source=option, remedy=remedy)
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            "plain http is allowed for this machine itself only",
            source=option,
            actual=f"http://{parts.netloc}",
            remedy="use https",
        )
    return parts


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine: 127.0.0.0/8, ::1 or localhost."""
    if host.lower() == "localhost":
        return True
    return _is_ip(host) and ipaddress.ip_address(host).is_loopback


def same_origin(one: str, other: str) -> bool:
    """Whether two absolute addresses share scheme, host and port."""
    try:
        return _origin(urlsplit(one)) == _origin(urlsplit(other))
    except ValueError:
        return False


def join_url(base: str, reference: str) -> str | None:
    """The address a redirect from `base` leads to; None when it is malformed."""
    try:
        return urljoin(base, reference.strip())
    except ValueError:
        return None


def shown_url(url: str) -> str:
    """The part of an address that may be shown; user, password, query, fragment may be secret."""
    printable = "".join(character for character in url if "!" <= character <= "~")
    try:
        parts = urlsplit(printable)
    except ValueError:
        return "an address that cannot be shown"
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()[:200]


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return (
        parts.scheme,
        (parts.hostname or "").lower(),
        parts.port if parts.port is not None else _PORTS.get(parts.scheme),
    )


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host
