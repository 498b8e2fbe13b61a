"""The way out: from extracts to the vendor's stored list."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.api.keywords import OnePath, Paths, folder, one_path, part, secret, several, two_paths
from pipeline.records import (
    CheckSummary,
    ExplainSummary,
    HistorySummary,
    OnProgress,
    PrepareSummary,
    UploadSummary,
    ignore_progress,
)
from pipeline.settings import (
    CheckSettings,
    HistorySettings,
    PrepareSettings,
    Secret,
    SelectionSettings,
    UploadSettings,
)


@dataclass(frozen=True, kw_only=True)
class _PrepareOptions(PrepareSettings):
    on_progress: OnProgress = ignore_progress


@dataclass(frozen=True, kw_only=True)
class _ExplainOptions(SelectionSettings):
    on_progress: OnProgress = ignore_progress


@dataclass(frozen=True, kw_only=True)
class _CheckOptions(CheckSettings):
    on_progress: OnProgress = ignore_progress


@dataclass(frozen=True, kw_only=True)
class _UploadOptions(UploadSettings):
    private_key: str | Secret | None = field(repr=False)
    state_dir: OnePath | None = None
    on_progress: OnProgress = ignore_progress


@two_paths(_PrepareOptions)
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
        [os.fspath(one) for one in several(extracts)],
        Path(output),
        part(PrepareSettings, options),
        on_progress=options.on_progress,
    )


@two_paths(_ExplainOptions)
def explain(extracts: Paths, user_id: str, options: _ExplainOptions) -> ExplainSummary:
    """Tell why a user is on the list or not, as ``batchpub explain`` does; writes nothing.

    Args:
        extracts: As for `prepare`.
        user_id: The user to look for.
        options: The fields of `SelectionSettings` as keywords, those `prepare` was given, and
            ``on_progress``.

    Returns:
        Every row of the user and of ids that differ in form only, what became of each, and the
        answer in one sentence. A guard that would stop `prepare` is no exception: ``refusal``.

    Raises:
        ConfigurationError: a wrong keyword value or column, or a blank id.
        InputError: an extract is missing, unreadable or malformed.
        MachineError: disk, permission or memory.
    """
    from pipeline import flows

    return flows.explain(
        [os.fspath(one) for one in several(extracts)],
        user_id,
        part(SelectionSettings, options),
        on_progress=options.on_progress,
    )


@one_path(_CheckOptions)
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
        Path(list_path), part(CheckSettings, options), on_progress=options.on_progress
    )


@one_path(_UploadOptions)
def upload(list_path: OnePath, options: _UploadOptions) -> UploadSummary:
    """Replace a tracker's stored list, as ``batchpub upload`` does.

    Args:
        list_path: The list to send.
        options: The fields of `UploadSettings` as keywords, ``private_key`` (None will do for a
            dry run), ``on_progress``, and ``state_dir``, the folder with the memory of uploads.

    Returns:
        What was sent and what the service said; ``outcome`` tells when nothing had to be sent.
        With ``dry_run`` nothing is sent, and ``plan`` says what sending would take.

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

    return flows.upload(
        Path(list_path),
        secret(options.private_key),
        part(UploadSettings, options),
        state_dir=folder(options.state_dir),
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
    return flows.history(settings, state_dir=folder(state_dir))
