"""One run of `deliver smartemailing push`: recommendations into a custom field of the contacts.

Strategy: the files are read twice. The first time proves them whole and counts what would be sent,
so that nothing leaves this machine of a file that breaks off; the second time sends.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson

from pipeline.deliver.contact_book import ContactBook, read_contacts
from pipeline.deliver.journal import Journal, open_journal
from pipeline.deliver.smartemailing_api import SmartEmailing
from pipeline.deliver.smartemailing_push import Outcome, Push, Row, iter_batches
from pipeline.deliver.smartemailing_rows import TOO_LARGE, RowMaker
from pipeline.deliver.smartemailing_values import FieldValues
from pipeline.delivery.smartemailing import open_api
from pipeline.errors import BatchpubError, InputError, TryLaterError
from pipeline.export.recommendations import iter_recommendations
from pipeline.extract.batch import Reject
from pipeline.extract.places import Place
from pipeline.extract.reject_file import RejectFile
from pipeline.guards.smartemailing import judge_push, refuse_empty_push
from pipeline.ledger.ledger import default_state_dir
from pipeline.limits import SMARTEMAILING_VALUE
from pipeline.loop import run
from pipeline.publish import refuse_overwriting
from pipeline.records import (
    OnProgress,
    Progress,
    SmartEmailingPushSummary,
    UserRecommendations,
    ignore_progress,
)
from pipeline.settings import Secret, SmartEmailingPushSettings, parse_duration, parse_share
from pipeline.transfer.json_api import JsonApi
from pipeline.wire.address import check_url, shown_url

__all__ = ["SmartEmailingPush"]

_REPORT_USERS: Final = 1_000


class SmartEmailingPush:
    """Call `prove`, then `send` or, for a dry run, `leave`; inside a ``with`` block."""

    def __init__(self, recommendations: Path, settings: SmartEmailingPushSettings) -> None:
        self._started = time.monotonic()
        self._path, self._settings = recommendations, settings
        check_url(settings.smartemailing_url, option="--smartemailing-url")
        refuse_overwriting([recommendations, settings.contacts], [settings.rejects])
        for path in (recommendations, settings.contacts):
            if path.exists() and not path.is_file():
                raise InputError("not a file", source=path, remedy="name one file on the disk")
        self._target = shown_url(settings.smartemailing_url)
        self._place = Place(str(settings.contacts))
        self._rejected: Counter[str] = Counter()
        self._book = ContactBook()
        self._maker = RowMaker(self._book, FieldValues(SMARTEMAILING_VALUE))
        self._dropped: Counter[str] = Counter()
        self._field = settings.field
        self._rejects: RejectFile | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        settings = self._settings
        if settings.rejects is not None:
            self._rejects = RejectFile(settings.rejects, values=settings.reject_values)
            self._stack.callback(self._rejects.discard)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def prove(self, on_progress: OnProgress) -> None:
        """Read everything once, and count what it makes."""
        settings = self._settings
        self._book = read_contacts(
            settings.contacts,
            id_column=settings.id_column,
            email_column=settings.email_column,
            on_reject=self._reject,
            keep_values=settings.reject_values,
        )
        values = FieldValues(SMARTEMAILING_VALUE)

        def too_large(row: int) -> None:
            self._reject(self._place, [Reject(row, TOO_LARGE)])

        self._maker = RowMaker(self._book, values, on_too_large=too_large)
        for _ in self._maker.rows(self._iter_users(on_progress)):
            pass
        self._dropped = values.dropped
        refusal = refuse_empty_push(
            rows=self._maker.counts.rows,
            users=self._maker.counts.users,
            contacts=self._contacts,
            source=self._path,
        )
        if refusal is not None:
            self._publish_rejects()
            raise refusal

    def leave(self) -> SmartEmailingPushSummary:
        """Send nothing."""
        self._publish_rejects()
        return self._summary(Outcome(), None)

    def send(
        self, key: Secret, on_progress: OnProgress, *, state_dir: Path | None
    ) -> SmartEmailingPushSummary:
        """Import every contact that has recommendations; write down who was not taken."""
        settings = self._settings
        api = open_api(key, settings)
        query = {
            "url": settings.smartemailing_url,
            "user": hashlib.sha256(settings.smartemailing_user.encode()).hexdigest()[:16],
            "field": settings.field,
            "inputs": [_fingerprint(one) for one in (self._path, settings.contacts)],
        }
        # One push at a time into a field: the file is the same whatever is pushed.
        name = hashlib.sha256(orjson.dumps([query["url"], query["user"], query["field"]]))
        max_age_s = parse_duration(settings.resume_within, option="--resume-within")
        with open_journal(
            (state_dir or default_state_dir()) / "smartemailing" / f"{name.hexdigest()[:32]}.jsonl",
            query,
            now=datetime.now(UTC),
            max_age_s=0.0 if settings.start_over else max_age_s,
        ) as journal:
            outcome = Outcome()
            try:
                run(self._send(api, journal, outcome, on_progress))
            except BatchpubError as error:
                raise _with_counts(error, outcome, self._maker.counts.rows) from error
            finally:
                self._publish_rejects()
            summary = self._summary(outcome, api)
            if not outcome.unknown:
                journal.remove()
        return summary

    async def _send(
        self, api: JsonApi, journal: Journal, outcome: Outcome, on_progress: OnProgress
    ) -> None:
        settings, total = self._settings, self._maker.counts.rows

        def problem(row: Row, why: str) -> None:
            value = row.email if settings.reject_values else None
            self._write_rejects(self._place, [Reject(row.row, why, value)])

        async with api:
            service = SmartEmailing(api)
            field = await service.find_text_field(settings.field, option="--field")
            self._field = f"{field.name} ({field.id})"
            push = Push(service, journal, outcome, field_id=field.id, on_problem=problem)
            maker = RowMaker(self._book, FieldValues(SMARTEMAILING_VALUE))
            rows = maker.rows(self._iter_users(ignore_progress))
            for batch in iter_batches(rows, settings.batch_size):
                await push.settle(batch)
                on_progress(Progress(stage="push", done=outcome.sent, total=total, unit="contacts"))
        if outcome.sent != total:
            raise InputError(
                "the recommendations changed while they were read",
                source=self._path,
                remedy="run the same command again",
            )

    @property
    def _contacts(self) -> int:
        """Rows of the contacts, usable or not."""
        return len(self._book) + self._rejected.total() - self._rejected[TOO_LARGE]

    def _iter_users(self, on_progress: OnProgress) -> Iterator[UserRecommendations]:
        for number, user in enumerate(iter_recommendations(self._path), 1):
            yield user
            if number % _REPORT_USERS == 0:
                on_progress(Progress(stage="read", done=number, unit="users"))

    def _reject(self, place: Place, rejects: Sequence[Reject]) -> None:
        self._rejected.update(one.reason for one in rejects)
        self._write_rejects(place, rejects)

    def _write_rejects(self, place: Place, rejects: Sequence[Reject]) -> None:
        if self._rejects is not None:
            self._rejects.write(place, rejects)

    def _publish_rejects(self) -> None:
        if self._rejects is not None:
            self._rejects.publish()

    def _summary(self, outcome: Outcome, api: JsonApi | None) -> SmartEmailingPushSummary:
        settings, counts = self._settings, self._maker.counts
        error = None
        if api is not None:
            error = judge_push(
                unknown=outcome.unknown,
                rejected=self._rejected.total() + outcome.refused,
                contacts=self._contacts,
                limit=parse_share(settings.max_rejects, option="--max-rejects"),
                source=self._target,
            )
        return SmartEmailingPushSummary(
            recommendations=str(self._path),
            contacts_source=str(settings.contacts),
            target=self._target,
            field=self._field,
            dry_run=api is None,
            contacts=self._contacts,
            without_recommendations=len(self._book) - counts.rows - counts.too_large,
            rejected=dict(self._rejected),
            sent=counts.rows,
            accepted=outcome.accepted,
            refused=outcome.refused,
            unknown=outcome.unknown,
            resumed=outcome.resumed,
            users=counts.users,
            users_without_contact=counts.without_contact,
            repeated_users=counts.repeated_users,
            items=counts.items,
            cut_contacts=counts.cut_contacts,
            cut_items=counts.cut_items,
            dropped=dict(self._dropped),
            has_default=counts.has_default,
            requests=0 if api is None else api.requests,
            retries=0 if api is None else api.retries,
            rejects_file=None if settings.rejects is None else str(settings.rejects),
            error=None if error is None else error.as_dict(),
            duration_s=time.monotonic() - self._started,
        )


def _fingerprint(path: Path) -> list[Any]:
    found = path.stat()
    return [str(path.resolve()), found.st_size, found.st_mtime_ns]


def _with_counts(error: BatchpubError, outcome: Outcome, total: int) -> BatchpubError:
    """The error of a push that broke off, with what is true of the contacts."""
    if not outcome.sent:
        return error
    text = (
        f"{error.message}; of {total:,} contacts {outcome.accepted:,} are accepted,"
        f" {outcome.refused:,} refused, {outcome.unknown:,} unknown"
    )
    remedy = error.remedy
    if isinstance(error, TryLaterError) or not remedy:
        remedy = "run the same command again: it goes on where it broke off"
    return type(error)(
        text,
        source=error.source,
        position=error.position,
        limit=error.limit,
        actual=error.actual,
        remedy=remedy,
    )
