"""What is true of every call to Klaviyo: headers, rates, refusals, collections. Pure.

Sources: api.md §4; https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from pipeline.errors import RemoteError
from pipeline.settings import Secret
from pipeline.wire.pacing import Pacer, Window

__all__ = [
    "MEDIA_TYPE",
    "REMEDIES",
    "Collection",
    "explain_refusal",
    "headers",
    "job_pacer",
    "read_collection",
    "read_pacer",
    "resource",
]

MEDIA_TYPE: Final = "application/vnd.api+json"
REMEDIES: Final = {
    400: "check --revision and the options",
    401: "check BATCHPUB_KLAVIYO_KEY: it must be a private key of this account",
    403: "give the key the scopes that docs/deliver-klaviyo.md names",
    404: "check --klaviyo-url, --revision, and the id of the list or segment",
    413: "lower --max-job-bytes",
}
# A refusal of these quotes what was sent, which is people's data.
_QUOTING: Final = frozenset({400, 409, 413, 422})


def headers(key: Secret, revision: str) -> dict[str, str | Secret]:
    """The headers of every request."""
    return {
        "Authorization": Secret(f"Klaviyo-API-Key {key.reveal()}"),
        "revision": revision,
        "Accept": MEDIA_TYPE,
        "Content-Type": MEDIA_TYPE,
    }


def read_pacer() -> Pacer:
    """For profiles: 75 a second; of 700 and 750 a minute, which the sources name, the lower."""
    return Pacer([Window(75, 1.0), Window(700, 60.0)])


def job_pacer() -> Pacer:
    """For bulk import jobs and their errors: 10 a second, 150 a minute."""
    return Pacer([Window(10, 1.0), Window(150, 60.0)])


def explain_refusal(body: bytes, status: int, method: str) -> bytes:
    """What may be shown of a refusal: its title, and its detail where that quotes no data."""
    try:
        errors = orjson.loads(body)["errors"]
        first = errors[0]
        parts = [first.get("title"), first.get("code")]
        if method == "GET" or status not in _QUOTING:
            parts[1] = first.get("detail")
        elif isinstance(first.get("source"), dict):
            parts.append(first["source"].get("pointer"))
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError):
        return body if method == "GET" or status not in _QUOTING else b""
    said = [part for part in parts if isinstance(part, str) and part]
    return "; ".join(dict.fromkeys(said)).encode()


@dataclass(frozen=True, slots=True)
class Collection:
    """One page: its resources, and the address of the next one, None at the end."""

    resources: list[dict[str, Any]]
    following: str | None


def read_collection(value: object, *, source: str) -> Collection:
    """The page that a parsed answer holds.

    Raises:
        RemoteError: it is no page.
    """
    data = value.get("data") if isinstance(value, dict) else None
    links = value.get("links") if isinstance(value, dict) else None
    following = links.get("next") if isinstance(links, dict) else None
    if (
        not isinstance(data, list)
        or not all(isinstance(one, dict) for one in data)
        or not isinstance(following, str | None)
    ):
        raise _unexpected("a page of resources", source)
    return Collection(data, following or None)


def resource(value: object, *, source: str) -> tuple[str, dict[str, Any]]:
    """Id and attributes of the one resource that a parsed answer holds.

    Raises:
        RemoteError: there is none.
    """
    data = value.get("data") if isinstance(value, dict) else None
    if isinstance(data, dict):
        found, attributes = data.get("id"), data.get("attributes")
        if isinstance(found, str) and found and isinstance(attributes, dict):
            return found, attributes
    raise _unexpected("a resource", source)


def _unexpected(what: str, source: str) -> RemoteError:
    return RemoteError(
        f"the service answered something else than {what}",
        source=source,
        remedy="check --klaviyo-url and --revision",
    )
