"""From the bytes of an export to published files: parsed, counted, guarded, all or nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pipeline.errors import ConfigurationError, GuardError
from pipeline.export.coverage import Coverage, measure_coverage
from pipeline.export.json_reader import JsonExportReader
from pipeline.export.jsonl_sink import JsonlSink
from pipeline.export.quick_reader import QuickXmlReader
from pipeline.export.reader import ExportFormat, ExportReader, identify_format
from pipeline.export.sink import Sink, check_outputs, open_sink
from pipeline.export.source_file import SourceFile
from pipeline.export.tally import Tally
from pipeline.export.workers import EncodedUsers, ParallelXmlReader, Portion, WorkerProcesses
from pipeline.guards import (
    refuse_few_users,
    refuse_low_coverage,
    refuse_missing_default,
    refuse_old_export,
    refuse_stale_export,
)
from pipeline.publish import PendingFile, publish
from pipeline.records import (
    ExportSummary,
    OnProgress,
    Progress,
    UserRecommendations,
    ignore_progress,
)
from pipeline.settings import (
    ExportSettings,
    parse_duration,
    parse_moment,
    parse_percent,
    parse_zone,
)

__all__ = ["Collection", "collect_file", "refuse_by_age"]

_REPORT_BYTES: Final = 1024 * 1024


class Collection:
    """Collects one export into its outputs, which appear together or not at all.

    Use it as a context manager: feed every byte, then close. Leaving the block without a close
    that returned discards everything; the former files stay.

    Args:
        outputs: Files to write, each with a suffix of `SINK_SUFFIXES`.
        settings: What must hold before anything is published.
        source: What errors and the summary name as the source.
        now: The time that ages are measured from; by default that of `close`.

    Raises:
        ConfigurationError: the outputs cannot be what they are.
    """

    def __init__(
        self,
        outputs: Sequence[Path],
        settings: ExportSettings,
        *,
        source: str,
        now: datetime | None = None,
    ) -> None:
        self._outputs = [Path(output) for output in outputs]
        check_outputs(self._outputs)
        missing_to = settings.missing_to
        if missing_to and os.path.realpath(missing_to) in map(os.path.realpath, self._outputs):
            raise ConfigurationError("two outputs are the same file", source=missing_to)
        self._settings = settings
        self._source = source
        self._now = now
        self._stack = ExitStack()
        self._files: list[PendingFile] = []
        self._sinks: list[Sink] = []
        self._head = b""
        self._format: ExportFormat = "xml"
        self._reader: ExportReader | ParallelXmlReader | None = None
        self._folder = Path(os.path.realpath(self._outputs[0])).parent
        self._tally = Tally(self._folder, zone=parse_zone(settings.timezone))
        self._started = time.monotonic()
        self.bytes = 0

    @property
    def users(self) -> int:
        """Users collected so far."""
        return self._tally.users

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._tally.ids.close)
            for output in self._outputs:
                file = stack.enter_context(PendingFile(output))
                sink = open_sink(file, self._settings)
                stack.callback(sink.abandon)
                self._files.append(file)
                self._sinks.append(sink)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the export.

        Raises:
            InputError: the export must not be used.
            MachineError: an output cannot be written.
        """
        self.bytes += len(data)
        if self._reader is None:
            self._head += data
            found = identify_format(self._head, source=self._source)
            if found is None:
                return
            data, self._head = self._head, b""
            self._reader = self._open_reader(found)
        self._take(self._reader.feed(data))

    def close(self) -> ExportSummary:
        """Take the end of the export, check it whole, publish every output.

        Raises:
            InputError: the export is not whole, or must not be used.
            GuardError: it is whole, and a guard refuses it; ``--missing-to`` is written even then.
            MachineError: an output cannot be written.
        """
        reader = self._reader or self._open_reader("xml")
        self._take(reader.feed(self._head))
        self._take(reader.close())
        for sink in self._sinks:
            sink.finish()
        coverage = self._check_coverage()
        self._check_guards(coverage)
        summary = self._summarise(reader, coverage)
        publish(self._files)
        return summary

    def _open_reader(self, found: ExportFormat) -> ExportReader | ParallelXmlReader:
        self._format = found
        if found == "json":
            return JsonExportReader(source=self._source)
        workers = self._settings.workers
        if workers == 1:
            return QuickXmlReader(source=self._source)
        processes = self._stack.enter_context(WorkerProcesses(workers))
        return ParallelXmlReader(processes, source=self._source)

    def _take(self, found: list[UserRecommendations] | list[Portion]) -> None:
        users: list[UserRecommendations] = []
        for one in found:
            if isinstance(one, EncodedUsers):
                self._write(users)
                users = []
                self._write_encoded(one)
            elif isinstance(one, list):
                users += one
            else:
                users.append(one)
        self._write(users)

    def _write(self, users: list[UserRecommendations]) -> None:
        if users:
            self._tally.add(users)
            for sink in self._sinks:
                sink.write(users)

    def _write_encoded(self, encoded: EncodedUsers) -> None:
        self._tally.merge(encoded.counted)
        users: list[UserRecommendations] = []
        for sink in self._sinks:
            if isinstance(sink, JsonlSink):
                sink.write_lines(encoded.lines)
            else:
                users = users or encoded.decode()
                sink.write(users)

    def _check_coverage(self) -> Coverage | None:
        settings = self._settings
        if settings.uploaded is None:
            return None
        if settings.missing_to is None:
            return measure_coverage(self._tally.ids, settings.uploaded, folder=self._folder)
        with PendingFile(settings.missing_to) as missing:
            coverage = measure_coverage(
                self._tally.ids, settings.uploaded, folder=self._folder, missing=missing
            )
            publish([missing])
        return coverage

    def _check_guards(self, coverage: Coverage | None) -> None:
        settings, tally, source = self._settings, self._tally, self._source
        verdicts: list[GuardError | None] = [
            refuse_few_users(users=tally.users, min_users=settings.min_users, source=source),
            refuse_missing_default(
                has_default=tally.has_default, required=settings.require_default, source=source
            ),
            refuse_by_age(
                None if tally.newest is None else tally.newest[0],
                settings,
                now=self._now or datetime.now(UTC),
                source=source,
            ),
        ]
        if coverage is not None and settings.min_coverage is not None:
            verdicts.append(
                refuse_low_coverage(
                    covered=coverage.covered,
                    uploaded=coverage.uploaded,
                    min_percent=parse_percent(settings.min_coverage, option="--min-coverage"),
                    source=source,
                )
            )
        for verdict in verdicts:
            if verdict is not None:
                raise verdict

    def _summarise(
        self, reader: ExportReader | ParallelXmlReader, coverage: Coverage | None
    ) -> ExportSummary:
        tally = self._tally
        return ExportSummary(
            source=self._source,
            format=self._format,
            bytes=self.bytes,
            users=tally.users,
            repeated_users=tally.users - tally.ids.count_distinct(),
            users_without_results=tally.users_without_results,
            blocks=dict(sorted(tally.blocks.items())),
            items=tally.items,
            has_default=tally.has_default,
            updated_at_oldest=tally.oldest and tally.oldest[1],
            updated_at_newest=tally.newest and tally.newest[1],
            outputs=tuple(map(str, self._outputs)),
            duration_s=time.monotonic() - self._started,
            distinct_products=tally.distinct_products,
            urls_not_http=tally.urls_not_http,
            urls_without_recommendation_id=tally.urls_without_recommendation_id,
            ignored_elements=reader.ignored_elements,
            uploaded_users=None if coverage is None else coverage.uploaded,
            covered_users=None if coverage is None else coverage.covered,
            missing_users=None if coverage is None else coverage.missing,
            unexpected_users=None if coverage is None else coverage.unexpected,
            coverage_percent=None if coverage is None else coverage.percent,
        )


def refuse_by_age(
    newest: datetime | None, settings: ExportSettings, *, now: datetime, source: object
) -> GuardError | None:
    """Whether an export is too old; `newest` is its newest updated_at, None where it has none."""
    max_age_s = newer_than = None
    if settings.max_age is not None:
        max_age_s = parse_duration(settings.max_age, option="--max-age")
    if settings.newer_than is not None:
        zone = parse_zone(settings.timezone)
        newer_than = parse_moment(settings.newer_than, zone=zone, option="--newer-than")
    age_s = None if newest is None else (now - newest).total_seconds()
    return refuse_stale_export(
        age_s=age_s, max_age_s=max_age_s, source=source
    ) or refuse_old_export(newest=newest, newer_than=newer_than, source=source)


def collect_file(
    path: str | os.PathLike[str],
    outputs: Sequence[Path],
    settings: ExportSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> ExportSummary:
    """Collect the export in a file, or on standard input for "-"; gzip is undone.

    Raises:
        ConfigurationError, InputError, GuardError, MachineError: as `Collection` does.
    """
    file = SourceFile(path)
    if str(path) != "-" and os.path.realpath(path) in map(os.path.realpath, outputs):
        raise ConfigurationError("the output is the export itself", source=path)
    with Collection(outputs, settings, source=file.name) as collection:
        reported = 0
        for piece in file.iter_pieces():
            collection.feed(piece)
            if file.consumed - reported >= _REPORT_BYTES:
                reported = file.consumed
                on_progress(_progress(file, collection))
        summary = collection.close()
        on_progress(_progress(file, collection))
        return summary


def _progress(file: SourceFile, collection: Collection) -> Progress:
    return Progress(stage="parse", done=file.consumed, total=file.total, users=collection.users)
