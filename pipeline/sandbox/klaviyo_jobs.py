"""Bulk import jobs of the Klaviyo stand-in: checked when posted, worked off behind the answer.

A job is queued for a third of `seconds`, processing for the rest, then complete; a profile that
cannot be taken becomes an import error, and the job is complete all the same. What the real
service answers to a request over its limits is not documented; here it is 400, or 413 for the
whole body. Sizes are the smallest reading of "5 MB" and "100 KB".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pipeline.sandbox.klaviyo_store import ProfileStore, iso

__all__ = ["MAX_PAYLOAD", "InvalidJobError", "Job", "JobBoard"]

MAX_PROFILES: Final = 10_000
MAX_PAYLOAD: Final = 5_000_000
MAX_PROFILE: Final = 100_000
_EXPIRES_S: Final = 7 * 86_400.0
_EMAIL: Final = re.compile(r"[^\s@,;<>()\"]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PROFILES: Final = "/data/attributes/profiles/data"


class InvalidJobError(Exception):
    """A job the service does not accept: where and why."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer, self.detail = pointer, detail


@dataclass(slots=True, kw_only=True)
class Job:
    """One job; ``errors`` are filled when it is worked off."""

    id: str
    profiles: list[dict[str, Any]]
    lists: list[str]
    created: float
    seconds: float
    cancelled: bool = False
    settled: bool = False
    errors: list[dict[str, Any]] = field(default_factory=list)

    def status(self, now: float) -> str:
        """queued, processing, complete or cancelled."""
        if self.settled:
            return "cancelled" if self.cancelled else "complete"
        return "queued" if now - self.created < self.seconds / 3 else "processing"

    def attributes(self, now: float) -> dict[str, Any]:
        """What a GET shows."""
        status, total = self.status(now), len(self.profiles)
        ended = self.created + self.seconds if self.settled else None
        return {
            "status": status,
            "created_at": iso(self.created),
            "total_count": total,
            "completed_count": total - len(self.errors) if status == "complete" else 0,
            "failed_count": len(self.errors),
            "started_at": None if status == "queued" else iso(self.created + self.seconds / 3),
            "completed_at": None if ended is None else iso(ended),
            "expires_at": iso(self.created + _EXPIRES_S),
        }


class JobBoard:
    """All jobs. ``seconds`` is how long one takes, ``reject`` external ids that are never taken."""

    def __init__(self, store: ProfileStore) -> None:
        self.jobs: dict[str, Job] = {}
        self.seconds = 0.3
        self.reject: set[str] = set()
        self.cancel = 0
        self._store = store

    def post(self, value: Any, *, now: float) -> Job:
        """Accept a job.

        Raises:
            InvalidJobError: its form is wrong or it is over a limit.
        """
        profiles, lists = _read_job(value)
        job = Job(
            id=f"sandbox-job-{len(self.jobs) + 1}",
            profiles=profiles,
            lists=lists,
            created=now,
            seconds=self.seconds,
            cancelled=self.cancel > 0,
        )
        self.cancel = max(0, self.cancel - 1)
        self.jobs[job.id] = job
        return job

    def settle(self, now: float) -> None:
        """Work off whatever is due, in the order it was posted."""
        for job in self.jobs.values():
            if not job.settled and now - job.created >= job.seconds:
                job.settled = True
                # A cancelled job stops half way: what was done stays done.
                count = len(job.profiles) // 2 if job.cancelled else len(job.profiles)
                for at, profile in enumerate(job.profiles[:count]):
                    self._take(job, at, profile)

    def _take(self, job: Job, at: int, profile: dict[str, Any]) -> None:
        attributes = dict(profile["attributes"])
        if profile.get("id"):
            attributes["id"] = profile["id"]
        trouble = self._trouble(attributes)
        if trouble is None:
            now = iso(job.created + job.seconds)
            refused = self._store.upsert(attributes, dict.fromkeys(job.lists, now), now=now)
            trouble = None if refused is None else ("", refused)
        if trouble is not None:
            name, detail = trouble
            job.errors.append(
                {
                    "type": "import-error",
                    "id": f"{job.id}-{at}",
                    "attributes": {
                        "code": "invalid",
                        "title": "Invalid input.",
                        "detail": detail,
                        "source": {"pointer": f"{_PROFILES}/{at}/attributes{name}"},
                        "original_payload": {
                            key: attributes[key]
                            for key in ("id", "external_id", "email", "phone_number")
                            if key in attributes
                        },
                    },
                }
            )

    def _trouble(self, attributes: dict[str, Any]) -> tuple[str, str] | None:
        email = attributes.get("email")
        if email is not None and not (isinstance(email, str) and _EMAIL.fullmatch(email)):
            return "/email", f"'{email}' is not a valid email."
        if not any(
            attributes.get(name) for name in ("id", "email", "phone_number", "external_id", "_kx")
        ):
            return "", "One of email, phone_number, external_id, _kx or id is required."
        if attributes.get("external_id") in self.reject:
            return "/external_id", "This profile cannot be imported."
        return None


def _read_job(value: Any) -> tuple[list[dict[str, Any]], list[str]]:
    data = _member(value, "data", dict, "")
    if data.get("type") != "profile-bulk-import-job":
        raise InvalidJobError("/data/type", "type must be 'profile-bulk-import-job'.")
    attributes = _member(data, "attributes", dict, "/data")
    holder = _member(attributes, "profiles", dict, "/data/attributes")
    profiles = _member(holder, "data", list, "/data/attributes/profiles")
    if not profiles:
        raise InvalidJobError(_PROFILES, "At least one profile is required.")
    if len(profiles) > MAX_PROFILES:
        raise InvalidJobError(_PROFILES, f"At most {MAX_PROFILES} profiles are allowed.")
    for at, profile in enumerate(profiles):
        where = f"{_PROFILES}/{at}"
        if not isinstance(profile, dict) or profile.get("type") != "profile":
            raise InvalidJobError(where, "type must be 'profile'.")
        inner = _member(profile, "attributes", dict, where)
        if inner.get("properties") is not None and not isinstance(inner["properties"], dict):
            raise InvalidJobError(f"{where}/attributes/properties", "properties must be an object.")
        if len(orjson.dumps(profile)) > MAX_PROFILE:
            raise InvalidJobError(where, "A profile may take 100 KB at most.")
    related = data.get("relationships") or {}
    lists = (related.get("lists") or {}).get("data") or []
    return profiles, [str(one["id"]) for one in lists]


def _member(value: Any, name: str, kind: type, where: str) -> Any:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        raise InvalidJobError(f"{where}/{name}", f"'{name}' is required.")
    return found
