"""Addresses of the web in mails: which may stand there, and how campaign parameters are added."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote_plus

from pipeline.errors import ConfigurationError

__all__ = ["Link", "UtmTags", "web_address"]


class Link(str):
    """An address that has been found to be one of the web."""

    __slots__ = ()


# An address of printable ASCII without what HTML, CSS or a mail program could take for its end.
_SOUND: Final = re.compile(r"(?i:https?)://[^\x00-\x20\x7f-\U0010ffff/?#\"'()<>\\^`{|}]"
                           r"[^\x00-\x20\x7f-\U0010ffff\"'()<>\\^`{|}]*")  # fmt: skip
_WEB: Final = re.compile(r"(?i:https?)://[^\s/?#\\]")
# Percent-encoded where it stands, so that the address means the same and cannot end early.
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\"'()<>\\^`{|}\u1680\u2000-\u206f\u3000\ufeff]")
_LONGEST: Final = 8_192
_NAME: Final = re.compile(r"(?:utm_)?([a-z][a-z0-9_]*)")


def web_address(url: object) -> str | None:
    """`url` if it is an http or https address, unsafe characters percent-encoded; else None.

    Query order and existing encoding are kept.
    """
    if not isinstance(url, str):
        return None
    if type(url) is Link:
        return url
    if _SOUND.fullmatch(url) is not None and len(url) <= _LONGEST:
        return url
    url = url.strip()
    if _WEB.match(url) is None or len(url) > _LONGEST or any(one in url for one in "\r\n\t\0"):
        return None
    return _UNSAFE.sub(lambda found: quote(found[0], safe=""), url)


class UtmTags:
    """Adds ``utm_…`` parameters to addresses.

    Args:
        pairs: ``source=newsletter`` or ``utm_source=newsletter``, in the order they shall stand.

    Raises:
        ConfigurationError: no name, no value, or a name twice.
    """

    def __init__(self, pairs: Sequence[str]) -> None:
        self._parameters: dict[str, str] = {}
        for pair in pairs:
            name, found, value = pair.partition("=")
            match = _NAME.fullmatch(name)
            if match is None or not found or not value:
                raise ConfigurationError(
                    f"not NAME=VALUE: {pair!r}", source="--utm", remedy="write source=newsletter"
                )
            full = f"utm_{match[1]}"
            if full in self._parameters:
                raise ConfigurationError(f"{full} is given twice", source="--utm")
            self._parameters[full] = f"{full}={quote(value, safe='')}"
        self._all = "&".join(self._parameters.values())

    def add(self, url: str) -> str:
        """`url` with the parameters it does not have yet, behind its own query.

        What was there stays as it was, byte for byte: ``recommendation_id`` above all.
        """
        if not self._all:
            return url
        address, hash_sign, fragment = url.partition("#")
        _, asked, query = address.partition("?")
        if not asked:
            return f"{address}?{self._all}{hash_sign}{fragment}"
        missing = self._all
        if "%" in query or "utm_" in query.lower():
            present = {unquote_plus(one.partition("=")[0]).lower() for one in query.split("&")}
            missing = "&".join(
                text for name, text in self._parameters.items() if name not in present
            )
        joint = "&" if missing and query and not query.endswith("&") else ""
        return f"{address}{joint}{missing}{hash_sign}{fragment}"
