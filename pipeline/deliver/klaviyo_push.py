"""Posting jobs, following them to their end, and accounting for every profile.

A job is an upsert: the same body twice leaves the same profiles. So a post whose outcome is
uncertain is simply made again, and what must not happen is only that a profile is forgotten or
counted twice.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pipeline.deliver.caller import JsonCaller
from pipeline.deliver.journal import Journal
from pipeline.deliver.klaviyo_api import job_pacer, read_collection, resource
from pipeline.deliver.klaviyo_jobs import Job
from pipeline.errors import RemoteError
from pipeline.records import OnProgress, Progress
from pipeline.wire.json_message import JsonRequest

__all__ = ["Outcome", "Push"]

_JOBS: Final = "/api/profile-bulk-import-jobs"
_POINTER: Final = re.compile(r"/data/attributes/profiles/data/(\d+)(/.*)?")
_ID: Final = re.compile(r"[A-Za-z0-9_=.~-]{1,200}")
# Jobs under way at once: enough that the service never waits for us, few enough to hold in memory.
_UNDER_WAY: Final = 3
_LONGEST_WAIT_S: Final = 30.0
_GROWTH: Final = 1.5


@dataclass(slots=True)
class Outcome:
    """Where every profile went: ``sent`` is the sum of the other three."""

    sent: int = 0
    imported: int = 0
    failed: int = 0
    unknown: int = 0
    jobs: int = 0
    resumed_jobs: int = 0


class Push:
    """One push. `run` it once; afterwards `outcome` and `rejects` are whole.

    Args:
        caller: Reaches the service.
        journal: What earlier runs did, and what this one does.
        source: What errors name as the service.
        poll_wait_s: First wait for a job; each further one is longer.
        on_progress: Told after each job.
    """

    def __init__(
        self,
        caller: JsonCaller,
        journal: Journal,
        *,
        source: str,
        poll_wait_s: float,
        on_progress: OnProgress,
    ) -> None:
        self._caller, self._journal, self._source = caller, journal, source
        self._poll_wait_s, self._on_progress = poll_wait_s, on_progress
        self._pacer = job_pacer()
        self._under_way: deque[tuple[Job, str]] = deque()
        self.outcome = Outcome()
        self.rejects: list[dict[str, str]] = []

    async def run(self, jobs: Iterable[Job]) -> None:
        """Post what was not posted, follow what was, skip what is settled.

        Raises:
            RemoteError: the service refused a job as a whole.
            TryLaterError, UncertainError: no answer in time; the journal knows where to go on.
            MachineError: the disk refused.
        """
        for job in jobs:
            sha256 = job.sha256
            known = self._journal.known(sha256)
            self.outcome.jobs += 1
            self.outcome.sent += len(job.user_ids)
            if known is not None and known.event == "settled" and known.facts is not None:
                self.outcome.resumed_jobs += 1
                self._count(known.facts)
                continue
            if known is not None and known.event == "posted" and known.job_id is not None:
                self.outcome.resumed_jobs += 1
                self._under_way.append((job, known.job_id))
            else:
                self._under_way.append((job, await self._post(job, sha256)))
            if len(self._under_way) >= _UNDER_WAY:
                await self._settle()
        while self._under_way:
            await self._settle()

    async def _post(self, job: Job, sha256: str) -> str:
        self._journal.note(sha256, "posting")
        answer = await self._caller.call(
            JsonRequest(method="POST", target=_JOBS, body=job.body), pacer=self._pacer
        )
        job_id, _ = resource(answer.value, source=self._source)
        if not _ID.fullmatch(job_id):
            raise RemoteError("the service named a job by no usable id", source=self._source)
        self._journal.note(sha256, "posted", job_id=job_id)
        return job_id

    async def _settle(self) -> None:
        """Follow the oldest job to its end."""
        job, job_id = self._under_way.popleft()
        status, attributes = await self._follow(job_id)
        total = len(job.user_ids)
        failures = []
        if status in ("complete", "cancelled"):
            failures = await self._failures(job, job_id)
        failed = min(max(_number(attributes.get("failed_count")), len(failures)), total)
        # Only a complete job says of every profile what became of it.
        whole = status == "complete" and attributes.get("total_count") == total
        facts: dict[str, Any] = {
            "imported": total - failed if whole else 0,
            "failed": failed,
            "unknown": 0 if whole else total - failed,
            "failures": failures,
        }
        # What stays unknown is sent again by the next run; an upsert does no harm.
        if whole:
            self._journal.note(job.sha256, "settled", facts=facts)
        else:
            self._journal.note(job.sha256, "posting")
        self._count(facts)

    async def _follow(self, job_id: str) -> tuple[str, dict[str, Any]]:
        """Status and attributes of a job that has ended; "lost" when the service knows none."""
        wait_s = self._poll_wait_s
        request = JsonRequest(
            method="GET", target=f"{_JOBS}/{job_id}", expected=frozenset({404, 410})
        )
        while True:
            answer = await self._caller.call(request, pacer=self._pacer)
            if answer.status in (404, 410):
                return "lost", {}
            _, attributes = resource(answer.value, source=self._source)
            status = attributes.get("status")
            if status not in ("queued", "processing"):
                return str(status), attributes
            await self._caller.pause(wait_s, why="a job is under way")
            wait_s = min(wait_s * _GROWTH, _LONGEST_WAIT_S)

    async def _failures(self, job: Job, job_id: str) -> list[dict[str, str]]:
        """The profiles that were not taken, by user id."""
        found: dict[str, dict[str, str]] = {}
        target: str | None = f"{_JOBS}/{job_id}/import-errors?page%5Bsize%5D=100"
        seen: set[str] = set()
        while target is not None and target not in seen:
            seen.add(target)
            answer = await self._caller.call(
                JsonRequest(method="GET", target=target, expected=frozenset({404, 410})),
                pacer=self._pacer,
            )
            if answer.status in (404, 410):
                break
            page = read_collection(answer.value, source=self._source)
            for number, one in enumerate(page.resources, len(found)):
                failure = _failure(job, one.get("attributes"))
                found.setdefault(failure.get("auth_user_id", f"#{number}"), failure)
            target = page.following
        return list(found.values())

    def _count(self, facts: dict[str, Any]) -> None:
        self.outcome.imported += facts["imported"]
        self.outcome.failed += facts["failed"]
        self.outcome.unknown += facts["unknown"]
        self.rejects += facts["failures"]
        done = self.outcome.imported + self.outcome.failed + self.outcome.unknown
        self._on_progress(Progress(stage="push", done=done, unit="profiles"))


def _failure(job: Job, attributes: object) -> dict[str, str]:
    """What may be kept of an import error: whose it is and why, no other data of the person."""
    if not isinstance(attributes, dict):
        attributes = {}
    source = attributes.get("source")
    pointer = source.get("pointer") if isinstance(source, dict) else None
    match = _POINTER.fullmatch(pointer) if isinstance(pointer, str) else None
    payload = attributes.get("original_payload")
    user_id = _owner(job, payload if isinstance(payload, dict) else {})
    if user_id is None and match is not None and int(match[1]) < len(job.user_ids):
        user_id = job.user_ids[int(match[1])]
    failure = {} if user_id is None else {"auth_user_id": user_id}
    for name in ("code", "title"):
        if isinstance(attributes.get(name), str):
            failure[name] = attributes[name][:200]
    if match is not None and match[2]:
        failure["field"] = match[2].removeprefix("/attributes/")[:200]
    return failure


def _owner(job: Job, payload: dict[str, Any]) -> str | None:
    inner = payload.get("attributes")
    for holder in (payload, inner if isinstance(inner, dict) else {}):
        email, external_id = holder.get("email"), holder.get("external_id")
        if isinstance(email, str) and email in job.emails:
            return job.emails[email]
        if isinstance(external_id, str) and external_id:
            return external_id
    return None


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
