"""One run of `deliver klaviyo push`: recommendations into jobs, jobs to Klaviyo, all accounted for.

Strategy: the file is read twice. The first time proves it whole and counts what would be sent, so
that nothing leaves this machine of a file that breaks off; the second time sends.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import orjson

from pipeline.deliver.contact_book import ContactBook, read_contacts
from pipeline.deliver.journal import Journal, open_journal
from pipeline.deliver.klaviyo_api import REMEDIES, explain_refusal, headers
from pipeline.deliver.klaviyo_jobs import Job, JobLimits, Profile, ProfileWriter, iter_jobs
from pipeline.deliver.klaviyo_push import Outcome, Push
from pipeline.export.recommendations import iter_recommendations
from pipeline.extract.batch import Reject
from pipeline.extract.places import Place
from pipeline.guards.klaviyo import judge_push, refuse_empty_push
from pipeline.ledger.ledger import default_state_dir
from pipeline.loop import run
from pipeline.publish import PendingFile, publish, refuse_overwriting
from pipeline.records import KlaviyoPushSummary, OnProgress, Progress
from pipeline.settings import KlaviyoPushSettings, Secret, parse_duration, parse_size
from pipeline.transfer.json_api import JsonApi
from pipeline.wire.address import check_url, shown_url

__all__ = ["KlaviyoPush"]

_REPORT_USERS: Final = 1_000


class KlaviyoPush:
    """Call `prove`, then `send` or, for a dry run, `leave`; inside a ``with`` block."""

    def __init__(self, recommendations: Path, settings: KlaviyoPushSettings) -> None:
        self._started = time.monotonic()
        self._path, self._settings = recommendations, settings
        check_url(settings.klaviyo_url, option="--klaviyo-url")
        self._source = shown_url(settings.klaviyo_url)
        self._limits = JobLimits(
            body_bytes=parse_size(settings.max_job_bytes, option="--max-job-bytes")
        )
        inputs = [one for one in (recommendations, settings.contacts) if one is not None]
        refuse_overwriting(inputs, [settings.rejects])
        self._stack = ExitStack()
        self._rejects: PendingFile | None = None
        self._contacts: ContactBook | None = None
        self._unusable_contacts = 0
        self._bytes = self._jobs = 0
        self._writer = self._new_writer()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._settings.rejects is not None:
                self._rejects = stack.enter_context(PendingFile(self._settings.rejects))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def prove(self, on_progress: OnProgress) -> None:
        """Read everything once, and count the jobs it makes."""
        settings = self._settings
        if settings.contacts is not None:
            self._contacts = read_contacts(
                settings.contacts,
                id_column=settings.id_column,
                email_column=settings.email_column,
                on_reject=self._count_unusable,
            )
        self._writer = self._new_writer()
        for job in self._iter_jobs(self._writer, on_progress):
            self._jobs += 1
            self._bytes += len(job.body)
        refusal = refuse_empty_push(self._writer.counts, source=self._path)
        if refusal is not None:
            raise refusal

    def leave(self) -> KlaviyoPushSummary:
        """Send nothing."""
        return self._summary(Outcome(jobs=self._jobs), requests=0, retries=0, dry_run=True)

    def send(
        self, key: Secret, on_progress: OnProgress, *, state_dir: Path | None
    ) -> KlaviyoPushSummary:
        """Send every job, follow each to its end, write down what was not taken."""
        settings = self._settings
        api = JsonApi(
            settings.klaviyo_url,
            headers(key, settings.revision),
            settings,
            base_option="--klaviyo-url",
            remedies=REMEDIES,
            explain=explain_refusal,
        )
        max_age_s = parse_duration(settings.resume_within, option="--resume-within")
        query = {
            "url": settings.klaviyo_url,
            # Tells one account from another and gives nothing away of the key itself.
            "account": hashlib.sha256(b"batchpub:" + key.reveal().encode()).hexdigest()[:16],
            "input": os.path.realpath(self._path),
        }
        name = hashlib.sha256(orjson.dumps(query)).hexdigest()[:32]
        with open_journal(
            (state_dir or default_state_dir()) / "klaviyo" / f"{name}.jsonl",
            query,
            now=datetime.now(UTC),
            max_age_s=0.0 if settings.start_over else max_age_s,
        ) as journal:
            outcome = run(self._send(api, journal, on_progress))
            summary = self._summary(outcome, requests=api.requests, retries=api.retries)
            if not outcome.unknown:
                journal.remove()
        return summary

    async def _send(self, api: JsonApi, journal: Journal, on_progress: OnProgress) -> Outcome:
        total = self._writer.counts["profiles"]

        def tell(progress: Progress) -> None:
            on_progress(
                Progress(stage=progress.stage, done=progress.done, total=total, unit=progress.unit)
            )

        push = Push(
            api,
            journal,
            source=self._source,
            poll_wait_s=parse_duration(self._settings.poll_wait, option="--poll-wait"),
            on_progress=tell,
        )
        writer = self._new_writer()
        async with api:
            await push.run(self._iter_jobs(writer, lambda _: None))
        outcome = push.outcome
        # What does not fit is never sent; it is a profile that was not taken all the same.
        oversized = [{"auth_user_id": one, "code": "too_large"} for one in writer.oversized]
        outcome.sent += len(oversized)
        outcome.failed += len(oversized)
        if self._rejects is not None:
            for reject in (*oversized, *push.rejects):
                self._rejects.write(orjson.dumps(reject, option=orjson.OPT_APPEND_NEWLINE))
            publish([self._rejects])
        return outcome

    def _new_writer(self) -> ProfileWriter:
        return ProfileWriter(
            self._limits,
            include_default=self._settings.include_default,
            contacts=self._contacts,
        )

    def _count_unusable(self, _: Place, rejects: Sequence[Reject]) -> None:
        self._unusable_contacts += len(rejects)

    def _iter_jobs(self, writer: ProfileWriter, on_progress: OnProgress) -> Iterator[Job]:
        def profiles() -> Iterator[Profile]:
            for number, user in enumerate(iter_recommendations(self._path), 1):
                profile = writer.write(user)
                if profile is not None:
                    yield profile
                if number % _REPORT_USERS == 0:
                    on_progress(Progress(stage="read", done=number, unit="users"))

        return iter_jobs(profiles(), self._limits)

    def _summary(
        self, outcome: Outcome, *, requests: int, retries: int, dry_run: bool = False
    ) -> KlaviyoPushSummary:
        counts = self._writer.counts
        error = None
        if not dry_run:
            error = judge_push(
                profiles=outcome.sent,
                failed=outcome.failed,
                unknown=outcome.unknown,
                rejects=self._settings.rejects,
                source=self._source,
            )
        return KlaviyoPushSummary(
            source=str(self._path),
            target=self._source,
            dry_run=dry_run,
            users=counts["users"],
            profiles=counts["profiles"],
            imported=outcome.imported,
            failed=outcome.failed,
            unknown=outcome.unknown,
            without_recommendations=counts["without_recommendations"],
            without_contact=counts["without_contact"],
            unusable_contacts=self._unusable_contacts,
            default_set="absent"
            if not counts["default_sets"]
            else "sent"
            if self._settings.include_default
            else "left out",
            properties=dict(sorted(self._writer.types.items())),
            items=counts["items"],
            cut_items=counts["cut_items"],
            cut_profiles=counts["cut_profiles"],
            jobs=outcome.jobs,
            resumed_jobs=outcome.resumed_jobs,
            bytes=self._bytes,
            rejects=None if self._settings.rejects is None else str(self._settings.rejects),
            requests=requests,
            retries=retries,
            error=None if error is None else error.as_dict(),
            duration_s=time.monotonic() - self._started,
        )
