"""Request headers that prove who asks, from a secret. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Final

from pipeline.errors import ConfigurationError
from pipeline.settings import Secret

__all__ = ["credential_headers"]

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# These belong to the transfer itself.
_RESERVED: Final = frozenset(
    {"host", "range", "if-range", "if-none-match", "if-modified-since", "accept-encoding",
     "content-length", "transfer-encoding", "connection", "expect"}
)  # fmt: skip


def credential_headers(
    secret: Secret | None, *, user: str | None = None, header: str | None = None
) -> Mapping[str, Secret]:
    """The headers that carry `secret`: as a bearer token, unless told otherwise.

    Args:
        secret: Password, token or key; None sends nothing.
        user: With it the secret is the password of basic authentication (RFC 7617, UTF-8).
        header: With it the secret is that header's value, as it is.

    Raises:
        ConfigurationError: a user or header without a secret, or one that cannot be sent.
    """
    if secret is None:
        if user is None and header is None:
            return {}
        raise ConfigurationError(
            "there is no secret to go with it",
            source="--export-user" if header is None else "--export-header",
            remedy="set BATCHPUB_EXPORT_SECRET, or BATCHPUB_EXPORT_SECRET_FILE or"
            " BATCHPUB_EXPORT_SECRET_COMMAND, in the environment",
        )
    if user is not None:
        if ":" in user or not user.isprintable():
            raise ConfigurationError(
                "a user name holds no colon and no control characters", source="--export-user"
            )
        pair = base64.b64encode(f"{user}:{secret.reveal()}".encode()).decode()
        return {"Authorization": Secret(f"Basic {pair}")}
    if header is not None and (not _HEADER.fullmatch(header) or header.lower() in _RESERVED):
        raise ConfigurationError("not a header that can be set", source=header)
    name = header or "Authorization"
    value = secret if header else Secret(f"Bearer {secret.reveal()}")
    if not value.reveal().isascii() or not value.reveal().isprintable():
        raise ConfigurationError("the header's value is not printable ASCII", source=name)
    return {name: value}
