"""One run of `fetch`: asks for the export, once or until there is one, and what it remembers.

Strategy: an export is asked for with the version that the outputs hold already, or that was
refused a moment ago; so looking again costs nothing where the server can tell versions apart.
What is wrong with an export may be right in the next one, so a wait goes on; what is wrong here
(settings, disk, credentials) ends it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pipeline import __version__
from pipeline.errors import (
    BatchpubError,
    ConfigurationError,
    GuardError,
    InputError,
    MachineError,
    TryLaterError,
)
from pipeline.export.collect import Collection, refuse_by_age
from pipeline.export.sink import check_outputs
from pipeline.export.tally import read_moment
from pipeline.ledger.fetches import FetchMemory, PublishedFetch, file_mark
from pipeline.ledger.ledger import Ledger, default_state_dir
from pipeline.records import DownloadSummary, ExportSummary, FetchSummary, OnProgress, Progress
from pipeline.settings import ExportSettings, FetchSettings, Secret, parse_duration, parse_zone
from pipeline.transfer.download import download, shown_source
from pipeline.wire.credentials import credential_headers

__all__ = ["Retrieval"]

_log = logging.getLogger(__name__)

# The last look is at the end of the wait: this long may it take until an export begins to come.
_LAST_LOOK_S: Final = 5.0
_UNUSABLE: Final = (ConfigurationError, MachineError)
_Refusal = GuardError | InputError


@dataclass(frozen=True, slots=True)
class _Refused:
    """A version that was read whole and is not to be published."""

    condition: dict[str, str]
    error: _Refusal


class Retrieval:
    """Asks for one export; use it as a context manager and call `run` once.

    Args:
        url: Where the export is, https or file.
        outputs: Files to publish.
        settings: How it is asked for.
        export_settings: What must hold before it is published.
        secret: Password, token or key for the address.
        state_dir: The folder of the ledger; by default that of the user, where a ledger that
            cannot be used only costs the memory of earlier runs.

    Raises:
        ConfigurationError: an address, output, secret or state directory that cannot be used.
        InputError: there is no list at ``uploaded``.
        MachineError: the ledger of `state_dir` cannot be used.
        TryLaterError: another fetch to the same outputs is under way.
    """

    def __init__(
        self,
        url: str,
        outputs: Sequence[Path],
        settings: FetchSettings,
        export_settings: ExportSettings,
        *,
        secret: Secret | None = None,
        state_dir: Path | None = None,
    ) -> None:
        self._started = time.monotonic()
        self._url, self._outputs = url, outputs
        self._settings, self._export_settings = settings, export_settings
        self._source = shown_source(url)
        self._credentials = credential_headers(
            secret, user=settings.export_user, header=settings.export_header
        )
        check_outputs(outputs)
        _refuse_missing_list(export_settings.uploaded)
        self._refused: _Refused | None = None
        self._last_refusal: _Refusal | None = None
        self._polls = 0
        self._memory: FetchMemory | None = None
        self._published: PublishedFetch | None = None
        with ExitStack() as stack:
            with _warning(*(_UNUSABLE if state_dir is None else ())):
                self._open_memory(stack, state_dir or default_state_dir())
            self._stack = stack.pop_all()

    def run(self, on_progress: OnProgress) -> FetchSummary:
        """Ask until the export is published, or for as long as the settings say.

        Raises:
            GuardError, InputError: the export was refused; the former outputs stay.
            RemoteError: the server refused.
            TryLaterError: no export that may be published came in time.
            ConfigurationError, MachineError: as `Collection` and `download` do.
        """
        wait_s = self._settings.wait
        if wait_s is None:
            return self._ask(None, on_progress)
        until = self._started + parse_duration(wait_s, option="--wait")
        interval_s = parse_duration(self._settings.interval, option="--interval")
        while True:
            try:
                return self._ask(max(until, time.monotonic() + _LAST_LOOK_S), on_progress)
            except (GuardError, InputError, TryLaterError) as error:
                if error.source != self._source:  # nothing the next export could mend
                    raise
                if not isinstance(error, TryLaterError):
                    self._last_refusal = error
                left_s = until - time.monotonic()
                if left_s <= 0:
                    raise self._given_up(error) from error
                pause_s = min(interval_s, left_s)
                _tell(on_progress, error, pause_s=pause_s, left_s=left_s)
            time.sleep(pause_s)

    def _ask(self, awaited_until: float | None, on_progress: OnProgress) -> FetchSummary:
        """Look once; publish what is there, unless it is known or refused."""
        self._polls += 1
        self._recall()
        known = self._refused or self._published
        with Collection(self._outputs, self._export_settings, source=self._source) as collection:

            def watch(progress: Progress) -> None:
                on_progress(replace(progress, users=collection.users))

            arrived = download(
                self._url,
                collection.feed,
                self._settings,
                credentials=self._credentials,
                condition=known.condition if known else {},
                awaited_until=awaited_until,
                on_progress=watch,
            )
            if arrived.status == 304:
                return self._not_modified(arrived)
            try:
                export = collection.close()
            except (GuardError, InputError) as error:
                if arrived.condition and error.source == self._source:
                    self._refused = _Refused(arrived.condition, error)
                raise
        self._remember(arrived, export)
        return FetchSummary(download=arrived, export=export, polls=self._polls)

    def _not_modified(self, arrived: DownloadSummary) -> FetchSummary:
        """The version asked about is still the one: refused, or what the outputs hold."""
        if self._refused is not None:
            raise self._refused.error
        if self._published is None:
            raise AssertionError("a version that nobody asked about is not modified")
        export = self._published.export
        zone = parse_zone(self._export_settings.timezone)
        newest = export.updated_at_newest and read_moment(export.updated_at_newest, zone)
        refusal = refuse_by_age(
            newest or None, self._export_settings, now=datetime.now(UTC), source=self._source
        )
        if refusal is not None:
            raise refusal
        duration_s = time.monotonic() - self._started
        return FetchSummary(
            download=arrived,
            export=replace(
                export,
                source=self._source,
                outputs=tuple(map(str, self._outputs)),
                duration_s=duration_s,
            ),
            outcome="not_modified",
            polls=self._polls,
        )

    def _given_up(self, last: BatchpubError) -> TryLaterError:
        refusal = self._last_refusal or last
        message = f"no export that may be published came in time; last seen: {refusal.message}"
        if refusal is not last:
            message += f"; the last look ended so: {last.message}"
        return TryLaterError(
            message,
            source=self._source,
            limit=refusal.limit,
            actual=refusal.actual,
            remedy="wait longer, or ask the vendor; nothing was changed",
        )

    def _open_memory(self, stack: ExitStack, folder: Path) -> None:
        settings = self._export_settings
        memory = FetchMemory(
            stack.enter_context(Ledger(folder)),
            [*self._outputs, *([settings.missing_to] if settings.missing_to else [])],
            address=f"{self._settings.export_user or ''}\n{self._url}",
            wanted=_wanted(settings),
        )
        stack.enter_context(memory.held())
        self._memory = memory

    def _recall(self) -> None:
        """Look what the outputs hold now; in a long wait somebody may have moved them."""
        self._published = None
        if self._memory is not None:
            with _warning(BatchpubError):
                self._published = self._memory.recall()

    def _remember(self, arrived: DownloadSummary, export: ExportSummary) -> None:
        if self._memory is None:
            return
        with _warning(BatchpubError):  # the outputs are published: that is what counts
            self._memory.remember(arrived.condition, export)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()


@contextmanager
def _warning(*errors: type[BatchpubError]) -> Iterator[None]:
    """Without its memory a run fetches what it might have left alone, and does nothing wrong."""
    try:
        yield
    except errors as error:
        _log.warning("this fetch is not remembered: %s", error)


def _wanted(settings: ExportSettings) -> list[object]:
    """What else than the export decides what is published; its age is judged each time."""
    uploaded = settings.uploaded
    return [
        __version__,
        [field.name for field in fields(ExportSummary)],
        settings.min_users,
        settings.require_default,
        str(settings.min_coverage),
        settings.csv_safe_formulas,
        None if uploaded is None else [os.path.realpath(uploaded), file_mark(uploaded)],
    ]


def _refuse_missing_list(uploaded: Path | None) -> None:
    """Before a download of gigabytes, not after it."""
    if uploaded is not None and not uploaded.exists():
        raise InputError("no such list", source=uploaded, remedy="check --uploaded")


def _tell(on_progress: OnProgress, error: BatchpubError, *, pause_s: float, left_s: float) -> None:
    now = datetime.now().astimezone()
    then, end = (now + timedelta(seconds=seconds) for seconds in (pause_s, left_s))
    seen = error.message + (f" ({error.actual})" if error.actual is not None else "")
    note = f"next look at {then:%H:%M:%S}, until {end:%H:%M:%S}; {seen}"
    _log.info("wait: %s", note)
    on_progress(Progress(stage="wait", done=0, note=note))
