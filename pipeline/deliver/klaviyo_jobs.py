"""Users as bulk import jobs: profiles encoded, cut to size, gathered into bodies. Pure.

Limits (api.md §4.4): 10,000 profiles and 5 MB a job, 100 KB a profile; the vendor does not say
whether MB are 10**6 bytes, so they are. What counts are the bytes that are sent.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pipeline.deliver.contact_book import ContactBook
from pipeline.deliver.fitting import fit_items
from pipeline.records import RESERVED_ID, UserRecommendations

__all__ = ["Job", "JobLimits", "Profile", "ProfileWriter", "iter_jobs"]

_HEAD: Final = b'{"data":{"type":"profile-bulk-import-job","attributes":{"profiles":{"data":['
_TAIL: Final = b"]}}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """What a job may hold."""

    profiles: int = 10_000
    body_bytes: int = 5_000_000
    profile_bytes: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request: its body byte for byte, and whose profiles are in it, in order.

    emails: the user's id by the e-mail address that identifies the profile, where one does
    """

    number: int
    body: bytes = field(repr=False)
    user_ids: list[str] = field(repr=False)
    emails: dict[str, str] = field(repr=False)

    @property
    def sha256(self) -> str:
        """What tells this body from every other."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as it is sent."""

    user_id: str
    email: str | None
    data: bytes


class ProfileWriter:
    """Encodes users as profiles and counts what it leaves out.

    Args:
        limits: What a profile may take; items are left out from the end of the largest type until
            it fits.
        include_default: Whether the generic set is sent, as the profile `default`.
        contacts: Who has which address, of several the first; None to identify profiles by
            `external_id`.
    """

    def __init__(
        self, limits: JobLimits, *, include_default: bool, contacts: ContactBook | None
    ) -> None:
        self._limits = limits
        self._include_default = include_default
        self._contacts = contacts
        self.counts: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.oversized: list[str] = []

    def write(self, user: UserRecommendations) -> Profile | None:
        """The profile of a user; None when there is nothing to send."""
        self.counts["users"] += 1
        user_id = user["auth_user_id"]
        if user_id == RESERVED_ID:
            self.counts["default_sets"] += 1
            if not self._include_default:
                return None
        if not user["recommendations"]:
            self.counts["without_recommendations"] += 1
            return None
        email = None
        if self._contacts is not None and user_id != RESERVED_ID:
            found = self._contacts.find(user_id)
            if not found:
                self.counts["without_contact"] += 1
                return None
            email = found[0].email
        properties: dict[str, list[dict[str, Any]]] = {}
        for block in user["recommendations"]:
            properties.setdefault(block["recommendation_type"], []).extend(block["results"])
        identity = {"external_id": user_id} if email is None else {"email": email}
        data = self._fit(identity, properties)
        self.counts["profiles"] += 1
        if data is None:
            self.oversized.append(user_id)
            return None
        self.types.update(properties.keys())
        self.counts["items"] += sum(map(len, properties.values()))
        return Profile(user_id, email, data)

    def _fit(
        self, identity: dict[str, str], properties: dict[str, list[dict[str, Any]]]
    ) -> bytes | None:
        """The profile within its limit, `properties` cut to what is in it; None if it cannot be."""
        data = _encode(identity, properties)
        excess = len(data) - self._limits.profile_bytes
        if excess <= 0:
            return data
        sizes = {name: [len(_dump(item)) for item in items] for name, items in properties.items()}
        kept = fit_items(sizes, excess)
        if kept is None:
            return None
        self.counts["cut_profiles"] += 1
        self.counts["cut_items"] += sum(map(len, properties.values())) - sum(kept.values())
        for name, most in kept.items():
            properties[name] = properties[name][:most]
        return _encode(identity, properties)


def iter_jobs(profiles: Iterable[Profile], limits: JobLimits) -> Iterator[Job]:
    """Jobs as full as the limits allow, in the order of the profiles; the same in, the same out."""
    held: list[Profile] = []
    frame = len(_HEAD) + len(_TAIL)
    size = frame
    number = 0
    for profile in profiles:
        more = len(profile.data) + (1 if held else 0)
        if held and (len(held) >= limits.profiles or size + more > limits.body_bytes):
            yield _job(number, held)
            number += 1
            held, size, more = [], frame, len(profile.data)
        held.append(profile)
        size += more
    if held:
        yield _job(number, held)


def _job(number: int, profiles: list[Profile]) -> Job:
    return Job(
        number=number,
        body=_HEAD + b",".join(one.data for one in profiles) + _TAIL,
        user_ids=[one.user_id for one in profiles],
        emails={one.email: one.user_id for one in profiles if one.email is not None},
    )


def _encode(identity: dict[str, str], properties: dict[str, list[dict[str, Any]]]) -> bytes:
    return _dump({"type": "profile", "attributes": {**identity, "properties": properties}})


def _dump(value: object) -> bytes:
    return orjson.dumps(value)
