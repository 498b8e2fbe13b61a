"""The vendor's request signature (api.md §2.1): HMAC-SHA256 over method, type, date and path.

The body and the query string are not signed. A signature is good for a few seconds only, so
callers sign when the connection is open, once per attempt.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from email.utils import formatdate
from typing import Final

from pipeline.errors import ConfigurationError
from pipeline.settings import Secret

__all__ = ["authorization", "http_date", "sign", "signed_content_type", "string_to_sign"]

_MULTIPART: Final = "multipart/form-data"
_WORD: Final = re.compile(r"[!-9;-~]+")  # visible ASCII without the colon that separates the parts


def http_date(timestamp: float) -> str:
    """An HTTP date such as ``Thu, 29 Jun 2017 12:11:16 GMT``, whatever the locale and zone.

    Args:
        timestamp: Seconds since 1970-01-01 UTC.
    """
    return formatdate(timestamp, usegmt=True)


def signed_content_type(content_type: str) -> str:
    """The content type as it is signed: a form's boundary is left out, others are verbatim."""
    media_type = content_type.partition(";")[0].strip()
    return media_type if media_type.lower() == _MULTIPART else content_type


def string_to_sign(*, method: str, content_type: str, date: str, path: str) -> str:
    """The text under the signature: four lines without a final line break.

    Args:
        method: HTTP method, any case.
        content_type: ``Content-Type`` as sent, parameters included.
        date: ``Date`` as sent, see `http_date`.
        path: Path as sent; a query string is not signed and is cut off.

    Raises:
        ConfigurationError: a field holds a line break, which would move the fields.
    """
    fields = (
        method.upper(),
        signed_content_type(content_type),
        date,
        path.partition("?")[0],
    )
    if any("\n" in field or "\r" in field for field in fields):
        raise ConfigurationError("a field of the request's signature holds a line break")
    return "\n".join(fields)


def sign(private_key: Secret, text: str) -> str:
    """The digest of `text`: HMAC-SHA256 under the key's UTF-8 bytes, in standard base64.

    Raises:
        ConfigurationError: the key is empty or is not text.
    """
    try:
        key = private_key.reveal().encode("utf-8")
    except UnicodeEncodeError:  # its own message would quote the key
        raise ConfigurationError("the private key is not valid text") from None
    if not key:
        raise ConfigurationError("the private key is empty")
    digest = hmac.new(key, text.encode("utf-8"), hashlib.sha256).digest()
    return base64.b64encode(digest).decode("ascii")


def authorization(*, scheme_word: str, public_key: str, digest: str) -> str:
    """The ``Authorization`` header: ``ApiAuth 1234-5678:digest``.

    Args:
        scheme_word: First word; the vendor ignores which.
        public_key: Public key, usually the tracker id.
        digest: What `sign` returned.

    Raises:
        ConfigurationError: a part holds a space, a colon or anything but visible ASCII.
    """
    for option, word in (("--scheme-word", scheme_word), ("--public-key", public_key)):
        if not _WORD.fullmatch(word):
            raise ConfigurationError(
                "must be visible ASCII without spaces and colons",
                source=option,
                remedy="copy it from the vendor's integration settings",
            )
    return f"{scheme_word} {public_key}:{digest}"
