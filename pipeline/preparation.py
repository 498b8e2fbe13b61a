"""One run of `prepare`, step by step: the rooms it needs, opened together and closed together.

A `Selection` is who would be on the list, in which order; a `Preparation` one that is written.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pipeline.audience.rules import NULL_WORDS, AudienceRules
from pipeline.audience.window import Window, activity_window, parse_as_of
from pipeline.engine.memory import default_memory
from pipeline.engine.polars_engine import PolarsEngine, Watch
from pipeline.errors import BatchpubError
from pipeline.extract.ahead import read_ahead
from pipeline.extract.batch import Reject, Wanted
from pipeline.extract.places import Place, resolve_places
from pipeline.extract.reader import read_extracts
from pipeline.extract.reject_file import RejectFile
from pipeline.guards import (
    refuse_blank_suppression,
    refuse_overflow,
    refuse_rejects,
    refuse_row_count,
    refuse_short_list,
    refuse_stale_suppression,
    refuse_unusable_suppression,
)
from pipeline.publish import refuse_overwriting
from pipeline.records import OnProgress, PrepareSummary, Progress, Receipt
from pipeline.settings import (
    PrepareSettings,
    SelectionSettings,
    parse_duration,
    parse_share,
    parse_size,
)
from pipeline.userlist.encode import FORMATS
from pipeline.userlist.receipt import receipt_path
from pipeline.userlist.writer import FittingLines, ListWriter

__all__ = ["Preparation", "Selection"]


class Selection:
    """Call `suppress`, `select`, `write` in this order, inside a ``with`` block.

    Args:
        extracts: Names of files, folders, globs; ``-`` is standard input.
        settings: Who is on the list.
        folder: Where temporary files go when the settings name no folder.
        keep_values: Whether refused rows are given with what they hold.
        watch: Sees what happens to each row and user.
    """

    def __init__(
        self,
        extracts: Sequence[str],
        settings: SelectionSettings,
        *,
        folder: Path,
        keep_values: bool = False,
        watch: Watch | None = None,
    ) -> None:
        self._started = time.monotonic()
        self._settings, self._keep_values = settings, keep_values
        now = datetime.now(UTC)
        self.as_of = parse_as_of(settings.as_of, now=now, timezone=settings.timezone)
        self.window: Window | None = None
        if settings.active_when is None and not settings.all_users:
            within = settings.active_within or "6mo"
            self.window = activity_window(within, self.as_of, settings.timezone)
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
        rules = AudienceRules(
            window=self.window,
            flagged=settings.active_when is not None,
            null_words=NULL_WORDS if settings.null_words is None else settings.null_words,
        )
        self._lines = FittingLines(self._kind, max_bytes=self._max_bytes)
        self._share_read = 1.0
        self._stack = ExitStack()
        self._engine = self._stack.enter_context(
            PolarsEngine(
                rules,
                memory=memory,
                folder=settings.temp_dir or folder,
                input_bytes=sum(_unpacked_size(place) for place in self._places),
                on_rejects=self._on_rejects,
                id_rules=[name for one in settings.id_rules for name in one.split(",")],
                keep_values=keep_values,
                share_taken=lambda: self._share_read,
                watch=watch,
            )
        )

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
            self._refuse(refusal)
            ids, unusable = self._engine.suppress(
                read_ahead(read_extracts([place], self._suppression()), depth=2)
            )
            unreadable = refuse_unusable_suppression(unusable, opt_outs=ids, source=place)
            if unreadable is not None:
                raise unreadable
            found = self._engine.counts.suppressions[place]
            self._refuse(
                refuse_blank_suppression(
                    blank=found.nobody,
                    rows=found.rows,
                    limit=parse_share(self._settings.max_rejects, option="--max-rejects"),
                    source=place,
                    first_row=found.first_nobody,
                )
            )

    def select(self, on_progress: OnProgress) -> None:
        """Read the extracts and keep the candidates."""
        self._read(on_progress)
        self._judge_rows()

    def _read(self, on_progress: OnProgress) -> None:
        counts = self._engine.counts
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

    def _judge_rows(self) -> None:
        settings, counts = self._settings, self._engine.counts
        first = counts.first_reject or (None, None)
        refusal = refuse_rejects(
            counts.rejects,
            rows=counts.rows,
            limit=parse_share(settings.max_rejects, option="--max-rejects"),
            source=first[0],
            first_row=first[1],
        )
        self._refuse(refusal)
        refusal = refuse_row_count(
            rows=counts.rows, expected=settings.expect_rows, source=self._places[0]
        )
        self._refuse(refusal)

    def write(self, on_progress: OnProgress) -> None:
        """Put the users in recency order and take those that fit."""
        lines, counts = self._lines, self._engine.counts

        def on_rows(done: int) -> None:
            on_progress(
                Progress(
                    stage="order",
                    done=done,
                    total=counts.candidates,
                    unit="rows",
                    users=counts.users,
                )
            )

        order = self._engine.order(
            max_bytes=self._max_bytes, line_overhead=self._kind.overhead, on_rows=on_rows
        )
        self._users = order.users
        self._oldest: datetime | None = None
        for users in read_ahead(order.ordered(), depth=1):
            before = lines.users
            lines.write(users["id"])
            written = lines.users - before
            if written:
                self._oldest = moment(users["time"][written - 1])
            on_progress(Progress(stage="write", done=lines.users, total=order.users, unit="users"))
        if self._settings.on_overflow == "fail":
            needed = max(order.least_bytes, lines.bytes + lines.overflow_bytes)
            per_user = FORMATS["csv"].overhead - self._kind.overhead
            refusal = refuse_overflow(
                users=order.users,
                fitting=lines.users,
                needed=needed,
                max_bytes=self._max_bytes,
                as_csv=needed + per_user * order.users,
                source=self._concerned(),
            )
            self._refuse(refusal)

    def refuse_short(self) -> None:
        """Refuse fewer users than there must be."""
        refusal = refuse_short_list(
            users=self._lines.users, min_users=self._settings.min_users, source=self._concerned()
        )
        self._refuse(refusal)

    def _refuse(self, refusal: BatchpubError | None) -> None:
        """Obey a guard."""
        if refusal is not None:
            raise refusal

    def _concerned(self) -> object:
        """What an error about the list names."""
        return self._places[0]

    def _on_rejects(self, place: Place, rejects: Sequence[Reject]) -> None:
        """Take note of refused rows."""

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
            keep_values=self._keep_values,
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()


class Preparation(Selection):
    """A selection that becomes a list: call `publish` behind the steps of a selection."""

    def __init__(self, extracts: Sequence[str], output: Path, settings: PrepareSettings) -> None:
        self._output = output
        super().__init__(
            extracts,
            settings,
            folder=output.absolute().parent,
            keep_values=settings.reject_values,
        )
        inputs = [place.path for place in (*self._places, *self._suppress)]
        refuse_overwriting(inputs, [output, receipt_path(output), settings.rejects])
        self._rejects: RejectFile | None = None
        with self._stack.pop_all() as stack:
            self._writer = stack.enter_context(
                ListWriter(output, self._kind, max_bytes=self._max_bytes)
            )
            self._lines = self._writer
            if settings.rejects is not None:
                self._rejects = RejectFile(settings.rejects, values=settings.reject_values)
                stack.callback(self._rejects.discard)
            self._stack = stack.pop_all()

    def select(self, on_progress: OnProgress) -> None:
        """Read the extracts, let the file of refused rows appear, and keep the candidates."""
        self._read(on_progress)
        if self._rejects is not None:
            self._rejects.publish()
        self._judge_rows()

    def publish(self) -> PrepareSummary:
        """Check what came out and let the list appear with its receipt."""
        self.refuse_short()
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
            blank_suppressions=sum(one.nobody for one in counts.suppressions.values()),
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

    def _concerned(self) -> object:
        return self._output

    def _on_rejects(self, place: Place, rejects: Sequence[Reject]) -> None:
        if self._rejects is not None:
            self._rejects.write(place, rejects)


def _unpacked_size(place: Place) -> int:
    """About how many bytes of rows a file holds; decides only how finely work is split."""
    if place.size is None:
        return 2**32
    return place.size * (6 if place.path.endswith((".gz", ".zst", ".parquet")) else 1)


def moment(microseconds: int | None) -> datetime | None:
    return (
        None
        if microseconds is None
        else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    )
