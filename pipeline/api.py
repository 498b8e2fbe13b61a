"""The Python API: the flows with plain keywords, which are the fields of the settings.

Strategy: no option is listed twice. `_one_path` and `_two_paths` take the keywords of a function,
with their types and defaults, from the constructor of a dataclass that extends the settings: for
the type checker by a ParamSpec, for `help()` by the signature.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from pipeline.records import (
    CheckSummary,
    ExportSummary,
    FetchSummary,
    HistorySummary,
    OnProgress,
    PrepareSummary,
    UploadSummary,
    ignore_progress,
)
from pipeline.settings import (
    CheckSettings,
    ExportSettings,
    FetchSettings,
    HistorySettings,
    PrepareSettings,
    Secret,
    UploadSettings,
)

if TYPE_CHECKING:
    from pyarrow import RecordBatchReader

__all__ = ["check", "fetch", "history", "parse", "prepare", "read_export", "upload"]

OnePath: TypeAlias = str | os.PathLike[str]
Paths: TypeAlias = OnePath | Sequence[OnePath]

P = ParamSpec("P")
OptionsT = TypeVar("OptionsT")
SettingsT = TypeVar("SettingsT")
FirstT = TypeVar("FirstT")
SecondT = TypeVar("SecondT")
ResultT = TypeVar("ResultT")


def _one_path(
    options: Callable[P, OptionsT],
) -> Callable[[Callable[[FirstT, OptionsT], ResultT]], Callable[Concatenate[FirstT, P], ResultT]]:
    """Decorate a function of a path and options: the options become its keywords."""

    def decorate(
        function: Callable[[FirstT, OptionsT], ResultT],
    ) -> Callable[Concatenate[FirstT, P], ResultT]:
        @functools.wraps(function)
        def called(first: FirstT, /, *args: P.args, **keywords: P.kwargs) -> ResultT:
            return function(first, options(*args, **keywords))

        _sign(called, function, options)
        return called

    return decorate


def _two_paths(
    options: Callable[P, OptionsT],
) -> Callable[
    [Callable[[FirstT, SecondT, OptionsT], ResultT]],
    Callable[Concatenate[FirstT, SecondT, P], ResultT],
]:
    """Decorate a function of two paths and options: the options become its keywords."""

    def decorate(
        function: Callable[[FirstT, SecondT, OptionsT], ResultT],
    ) -> Callable[Concatenate[FirstT, SecondT, P], ResultT]:
        @functools.wraps(function)
        def called(
            first: FirstT, second: SecondT, /, *args: P.args, **keywords: P.kwargs
        ) -> ResultT:
            return function(first, second, options(*args, **keywords))

        _sign(called, function, options)
        return called

    return decorate


def _sign(called: Any, function: Callable[..., Any], options: Callable[..., Any]) -> None:
    """Give `called` the signature that the type checker sees."""
    whole = inspect.signature(function)
    *paths, _ = whole.parameters.values()
    keywords = inspect.signature(options).parameters.values()
    called.__signature__ = whole.replace(
        parameters=[*(one.replace(kind=one.POSITIONAL_ONLY) for one in paths), *keywords]
    )


@dataclass(frozen=True, kw_only=True)
class _PrepareOptions(PrepareSettings):
    on_progress: OnProgress = ignore_progress


@dataclass(frozen=True, kw_only=True)
class _CheckOptions(CheckSettings):
    on_progress: OnProgress = ignore_progress


@dataclass(frozen=True, kw_only=True)
class _UploadOptions(UploadSettings):
    private_key: str | Secret = field(repr=False)
    state_dir: OnePath | None = None
    on_progress: OnProgress = ignore_progress


@dataclass(frozen=True, kw_only=True)
class _ParseOptions(ExportSettings):
    on_progress: OnProgress = ignore_progress


@dataclass(frozen=True, kw_only=True)
class _FetchOptions(FetchSettings, ExportSettings):
    on_progress: OnProgress = ignore_progress


@_two_paths(_PrepareOptions)
def prepare(extracts: Paths, output: OnePath, options: _PrepareOptions) -> PrepareSummary:
    """Make a user list from one extract or several, as ``batchpub prepare`` does.

    Args:
        extracts: CSV, JSONL, Parquet or Arrow with at least one row per user: a file, a folder
            or a glob, or a sequence of them.
        output: The list to write; its receipt goes beside it.
        options: The fields of `PrepareSettings` as keywords, and ``on_progress``.

    Returns:
        What was read, dropped and written.

    Raises:
        ConfigurationError: a wrong keyword value or column.
        InputError: an extract is missing, unreadable or malformed.
        GuardError: the users do not fit into ``max_bytes``, or there are too few.
        MachineError: disk, permission or memory.
    """
    from pipeline import flows

    return flows.prepare(
        [os.fspath(one) for one in _several(extracts)],
        Path(output),
        _part(PrepareSettings, options),
        on_progress=options.on_progress,
    )


@_one_path(_CheckOptions)
def check(list_path: OnePath, options: _CheckOptions) -> CheckSummary:
    """Look at a user list before it is sent, as ``batchpub check`` does.

    Args:
        list_path: The list.
        options: The fields of `CheckSettings` as keywords, and ``on_progress``.

    Returns:
        What was found. A list that must not be sent is no exception: ``error`` says why, and
        ``exit_code`` is that of the command.

    Raises:
        ConfigurationError: a wrong keyword value or column.
        InputError: a file is missing, or no list at all.
        MachineError: disk, permission or memory.
    """
    from pipeline import flows

    return flows.check(
        Path(list_path), _part(CheckSettings, options), on_progress=options.on_progress
    )


@_one_path(_UploadOptions)
def upload(list_path: OnePath, options: _UploadOptions) -> UploadSummary:
    """Replace a tracker's stored list, as ``batchpub upload`` does.

    Args:
        list_path: The list to send.
        options: The fields of `UploadSettings` as keywords, ``private_key``, ``on_progress``,
            and ``state_dir``, the folder with the memory of uploads.

    Returns:
        What was sent and what the service said; ``outcome`` tells when nothing had to be sent.

    Raises:
        ConfigurationError: a wrong keyword value.
        InputError: the list is not what its receipt says.
        GuardError: the list is empty, much shorter or longer, nearly another one, too old, or the
            first known one; the remedy names the ``confirm`` that lets it pass.
        RemoteError: the service refused.
        TryLaterError: the service was not reached, not in time, or another upload is under way.
        MachineError: disk, permission, memory, or a damaged ledger.
        UncertainError: the list was sent whole and no trustworthy answer came.
    """
    from pipeline import flows

    key = options.private_key
    return flows.upload(
        Path(list_path),
        key if isinstance(key, Secret) else Secret(key),
        _part(UploadSettings, options),
        state_dir=_folder(options.state_dir),
        on_progress=options.on_progress,
    )


def history(
    *, tracker_id: str | None = None, limit: int = 10, state_dir: OnePath | None = None
) -> HistorySummary:
    """List the last uploads, as ``batchpub history`` does.

    Args:
        tracker_id: The tracker; None for all.
        limit: Runs at most.
        state_dir: The folder with the memory of uploads.

    Returns:
        The runs, newest first.

    Raises:
        ConfigurationError: a wrong keyword value, or the folder holds no ledger of ours.
        MachineError: the ledger is damaged or cannot be read.
    """
    from pipeline import flows

    settings = HistorySettings(tracker_id=tracker_id, limit=limit)
    return flows.history(settings, state_dir=_folder(state_dir))


@_two_paths(_ParseOptions)
def parse(export: OnePath, outputs: Paths, options: _ParseOptions) -> ExportSummary:
    """Turn an export on disk into recommendations, as ``batchpub parse`` does.

    Args:
        export: The export, XML.
        outputs: The file to write, its suffix tells the format; or a sequence of them.
        options: The fields of `ExportSettings` as keywords, and ``on_progress``.

    Returns:
        What the export held.

    Raises:
        ConfigurationError: a wrong keyword value or output.
        InputError: the export is missing, malformed or cut short.
        MachineError: disk, permission or memory.
    """
    from pipeline import flows

    return flows.parse(
        Path(export),
        [Path(one) for one in _several(outputs)],
        _part(ExportSettings, options),
        on_progress=options.on_progress,
    )


@_two_paths(_FetchOptions)
def fetch(url: str, outputs: Paths, options: _FetchOptions) -> FetchSummary:
    """Download an export and parse it as it arrives, as ``batchpub fetch`` does.

    Args:
        url: The address of the export.
        outputs: The file to write, its suffix tells the format; or a sequence of them.
        options: The fields of `FetchSettings` and `ExportSettings` as keywords, ``on_progress``.

    Returns:
        What was transferred and what the export held.

    Raises:
        ConfigurationError: a wrong keyword value, URL or output.
        InputError: the export is malformed or cut short.
        RemoteError: the service refused.
        TryLaterError: the service was not reached, or not in time.
        MachineError: disk, permission or memory.
    """
    from pipeline import flows

    return flows.fetch(
        url,
        [Path(one) for one in _several(outputs)],
        _part(FetchSettings, options),
        _part(ExportSettings, options),
        on_progress=options.on_progress,
    )


def read_export(export: OnePath) -> RecordBatchReader:
    """The table of an export, one row per recommended item, as a stream of Arrow batches.

    What takes Arrow takes the stream without a copy, and memory stays that of one batch::

        import duckdb, pipeline
        items = pipeline.read_export("export.xml")
        duckdb.sql("SELECT id, count(*) FROM items GROUP BY id")

    ``pipeline.read_export("export.xml").read_all()`` is the table whole, for
    ``polars.from_arrow`` or ``.to_pandas()``.

    Args:
        export: The export, XML or JSON, gzip allowed; "-" is standard input.

    Returns:
        A ``pyarrow.RecordBatchReader``. Rows come before the end of the export was seen: only a
        stream that was read to its end without an error has shown a whole export. No guard is
        asked.

    Raises:
        InputError: while batches are read: the export is missing, malformed or cut short.
    """
    from pipeline.export.table import read_export as read

    return read(export)


def _folder(path: OnePath | None) -> Path | None:
    return None if path is None else Path(path)


def _several(paths: Paths) -> Sequence[OnePath]:
    return [paths] if isinstance(paths, str | os.PathLike) else paths


def _part(settings: Callable[..., SettingsT], options: Any) -> SettingsT:
    """The plain settings within `options`: listeners and keys do not travel with them."""
    names = [one.name for one in fields(settings)]  # type: ignore[arg-type]
    return settings(**{name: getattr(options, name) for name in names})
