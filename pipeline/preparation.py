"""One run of `prepare`, step by step: the rooms it needs, opened together and closed together."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pipeline.audience.rules import NULL_WORDS, AudienceRules
from pipeline.audience.window import activity_window, parse_as_of
from pipeline.engine.memory import default_memory
from pipeline.engine.polars_engine import PolarsEngine
from pipeline.errors import ConfigurationError
from pipeline.extract.ahead import read_ahead
from pipeline.extract.batch import Reject, Wanted
from pipeline.extract.places import Place, resolve_places
from pipeline.extract.reader import read_extracts
from pipeline.extract.reject_file import RejectFile
from pipeline.guards import (
    refuse_overflow,
    refuse_rejects,
    refuse_row_count,
    refuse_short_list,
    refuse_stale_suppression,
    refuse_unusable_suppression,
)
from pipeline.records import OnProgress, PrepareSummary, Progress, Receipt
from pipeline.settings import PrepareSettings, parse_duration, parse_share, parse_size
from pipeline.userlist.encode import FORMATS
from pipeline.userlist.receipt import receipt_path
from pipeline.userlist.writer import ListWriter

__all__ = ["Preparation"]


class Preparation:
    """Call `suppress`, `select`, `write`, `publish` in this order, inside a ``with`` block."""

    def __init__(self, extracts: Sequence[str], output: Path, settings: PrepareSettings) -> None:
        self._started = time.monotonic()
        self._settings, self._output = settings, output
        now = datetime.now(UTC)
        self.as_of = parse_as_of(settings.as_of, now=now, timezone=settings.timezone)
        window = None
        if settings.active_when is None and not settings.all_users:
            within = settings.active_within or "6mo"
            window = activity_window(within, self.as_of, settings.timezone)
        self._now_us = int(max(now, self.as_of).timestamp() * 1_000_000)
        self._places = resolve_places(extracts)
        self._suppress = resolve_places(settings.suppress) if settings.suppress else []
        self._max_bytes = parse_size(settings.max_bytes, option="--max-bytes")
        self._kind = FORMATS[settings.format]
        memory = (
            default_memory()
            if settings.memory is None
            else parse_size(settings.memory, option="--memory")
        )
        inputs = [place.path for place in (*self._places, *self._suppress)]
        _refuse_overwriting(inputs, [output, receipt_path(output), settings.rejects])
        rules = AudienceRules(
            window=window,
            flagged=settings.active_when is not None,
            null_words=NULL_WORDS if settings.null_words is None else settings.null_words,
        )
        self._rejects: RejectFile | None = None
        self._share_read = 1.0
        with ExitStack() as stack:
            self._writer = stack.enter_context(
                ListWriter(output, self._kind, max_bytes=self._max_bytes)
            )
            if settings.rejects is not None:
                self._rejects = RejectFile(settings.rejects, values=settings.reject_values)
                stack.callback(self._rejects.discard)
            self._engine = stack.enter_context(
                PolarsEngine(
                    rules,
                    memory=memory,
                    folder=settings.temp_dir or output.absolute().parent,
                    input_bytes=sum(_unpacked_size(place) for place in self._places),
                    on_rejects=self._on_rejects,
                    id_rules=[name for one in settings.id_rules for name in one.split(",")],
                    keep_values=settings.reject_values,
                    share_taken=lambda: self._share_read,
                )
            )
            self._stack = stack.pop_all()

    def suppress(self) -> None:
        """Read the suppression lists; a row lost there would be mail to someone who said no."""
        max_age = self._settings.suppress_max_age
        for place in self._suppress:
            refusal = refuse_stale_suppression(
                age_s=None if place.modified_ns is None else time.time() - place.modified_ns / 1e9,
                max_age_s=None
                if max_age is None
                else parse_duration(max_age, option="--suppress-max-age"),
                source=place,
            )
            if refusal is not None:
                raise refusal
            ids, unusable = self._engine.suppress(
                read_ahead(read_extracts([place], self._suppression()), depth=2)
            )
            unreadable = refuse_unusable_suppression(unusable, opt_outs=ids, source=place)
            if unreadable is not None:
                raise unreadable

    def select(self, on_progress: OnProgress) -> None:
        """Read the extracts and keep the candidates."""
        settings, counts = self._settings, self._engine.counts
        wanted = self._wanted()
        sizes = [place.size for place in self._places]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        done, current = 0, None
        for batch in read_ahead(read_extracts(self._places, wanted), depth=4):
            if batch.place is not current:
                done += (current.size or 0) if current else 0
                current = batch.place
            read = done + batch.bytes_read
            self._share_read = min(read / total, 1.0) if total else 1.0
            self._engine.take(batch)
            on_progress(Progress(stage="read", done=read, total=total, rows=counts.rows))
        first = counts.first_reject or (None, None)
        refusal = refuse_rejects(
            counts.rejects,
            rows=counts.rows,
            limit=parse_share(settings.max_rejects, option="--max-rejects"),
            source=first[0],
            first_row=first[1],
        )
        if self._rejects is not None:
            self._rejects.publish()
        refusal = refusal or refuse_row_count(
            rows=counts.rows, expected=settings.expect_rows, source=self._places[0]
        )
        if refusal is not None:
            raise refusal

    def write(self, on_progress: OnProgress) -> None:
        """Put the users in recency order and write those that fit."""
        on_progress(Progress(stage="order", done=0, unit="users"))
        order = self._engine.order(max_bytes=self._max_bytes, line_overhead=self._kind.overhead)
        self._users = order.users
        self._oldest: datetime | None = None
        for users in order.ordered():
            before = self._writer.users
            self._writer.write(users["id"])
            written = self._writer.users - before
            if written:
                self._oldest = _moment(users["time"][written - 1])
            on_progress(
                Progress(stage="write", done=self._writer.users, total=order.users, unit="users")
            )
        if self._settings.on_overflow == "fail":
            needed = max(order.least_bytes, self._writer.bytes + self._writer.overflow_bytes)
            per_user = FORMATS["csv"].overhead - self._kind.overhead
            refusal = refuse_overflow(
                users=order.users,
                fitting=self._writer.users,
                needed=needed,
                max_bytes=self._max_bytes,
                as_csv=needed + per_user * order.users,
                source=self._output,
            )
            if refusal is not None:
                raise refusal

    def publish(self) -> PrepareSummary:
        """Check what came out and let the list appear with its receipt."""
        refusal = refuse_short_list(
            users=self._writer.users, min_users=self._settings.min_users, source=self._output
        )
        if refusal is not None:
            raise refusal
        receipt = self._writer.publish(self._receipt)
        counts = self._engine.counts
        return PrepareSummary(
            output=str(self._output),
            receipt=str(receipt_path(self._output)),
            format=self._kind.name,
            users=receipt.users,
            bytes=receipt.bytes,
            max_bytes=self._max_bytes,
            sha256=receipt.sha256,
            as_of=self.as_of.isoformat(),
            rows=counts.rows,
            dropped=dict(counts.dropped),
            rejects=dict(counts.rejects),
            suppressed_users=counts.suppressed_users,
            duplicate_rows=counts.candidates - counts.users,
            overflow_users=self._users - receipt.users,
            changed_ids=counts.changed_ids,
            merged_ids=counts.merged_ids,
            tracker_id=receipt.tracker_id,
            oldest_kept=self._oldest.isoformat() if self._oldest else None,
            duration_s=round(time.monotonic() - self._started, 3),
        )

    def _receipt(self, writer: ListWriter) -> Receipt:
        counts = self._engine.counts
        return Receipt(
            list_name=self._output.name,
            format=self._kind.name,
            bytes=writer.bytes,
            users=writer.users,
            sha256=writer.sha256,
            created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
            as_of=self.as_of.isoformat(),
            tracker_id=self._settings.tracker_id,
            counts={
                "rows": counts.rows,
                "duplicate_rows": counts.candidates - counts.users,
                "suppressed_users": counts.suppressed_users,
                "overflow_users": self._users - writer.users,
                "rejected_rows": counts.rejects.total(),
                **{f"dropped: {reason}": n for reason, n in sorted(counts.dropped.items())},
            },
            sources=counts.fingerprints,
        )

    def _wanted(self) -> Wanted:
        settings = self._settings
        active: Literal["required", "optional"] = "required"
        when = None
        if settings.all_users or settings.active_when is not None:
            active = "optional"
        if settings.active_when is not None:
            column, _, values = settings.active_when.partition("=")
            when = (column, frozenset(values.split(",")))
        return Wanted(
            id_column=settings.id_column,
            active=active,
            active_column=settings.active_column,
            when=when,
            keep_values=settings.reject_values,
            timezone=settings.timezone,
            time_unit=settings.time_unit,
            delimiter=(settings.delimiter or "").replace("\\t", "\t") or None,
            quote=settings.quote,
            encoding=settings.encoding,
            columns=tuple(name for one in settings.columns for name in one.split(",")),
            allow_truncated=settings.allow_truncated,
            input_format=settings.input_format,
            now_us=self._now_us,
        )

    def _suppression(self) -> Wanted:
        """Suppression files are files of their own: of the extracts' dialect they share nothing."""
        return Wanted(id_column=self._settings.suppress_column, active="no")

    def _on_rejects(self, place: Place, rejects: Sequence[Reject]) -> None:
        if self._rejects is not None:
            self._rejects.write(place, rejects)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()


def _unpacked_size(place: Place) -> int:
    """About how many bytes of rows a file holds; decides only how finely work is split."""
    if place.size is None:
        return 2**32
    return place.size * (6 if place.path.endswith((".gz", ".zst", ".parquet")) else 1)


def _moment(microseconds: int | None) -> datetime | None:
    return (
        None
        if microseconds is None
        else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    )


def _refuse_overwriting(inputs: Sequence[str], outputs: Sequence[Path | None]) -> None:
    """No output may be an input, nor another output."""
    taken = {os.path.realpath(name) for name in inputs}
    for path in outputs:
        if path is None:
            continue
        if os.path.realpath(path) in taken:
            raise ConfigurationError(
                "the output would overwrite another file of this run",
                source=path,
                remedy="name another output",
            )
        taken.add(os.path.realpath(path))
