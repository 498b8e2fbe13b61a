"""To and from SmartEmailing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.api.keywords import OnePath, folder, no_path, one_path, part, secret
from pipeline.errors import ConfigurationError
from pipeline.records import (
    OnProgress,
    SmartEmailingCheckSummary,
    SmartEmailingIdsSummary,
    SmartEmailingPushSummary,
    ignore_progress,
)
from pipeline.settings import (
    Secret,
    SmartEmailingIdsSettings,
    SmartEmailingPushSettings,
    SmartEmailingSettings,
)


@dataclass(frozen=True, kw_only=True)
class _CheckOptions(SmartEmailingSettings):
    key: str | Secret = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class _IdsOptions(SmartEmailingIdsSettings):
    key: str | Secret = field(repr=False)
    on_progress: OnProgress = ignore_progress


@dataclass(frozen=True, kw_only=True)
class _PushOptions(SmartEmailingPushSettings):
    key: str | Secret | None = field(default=None, repr=False)
    state_dir: OnePath | None = None
    on_progress: OnProgress = ignore_progress


@no_path(_CheckOptions)
def deliver_smartemailing_check(options: _CheckOptions) -> SmartEmailingCheckSummary:
    """Ask SmartEmailing for the account of a login, as ``batchpub deliver smartemailing check``.

    Args:
        options: The fields of `SmartEmailingSettings` as keywords, and ``key``, the API key.

    Returns:
        The account. A login that does not work is a RemoteError.

    Raises:
        ConfigurationError: a wrong keyword value or address.
        RemoteError: the service refused.
        TryLaterError: the service was not reached, or not in time.
    """
    from pipeline import flows

    return flows.deliver_smartemailing_check(
        secret(options.key), part(SmartEmailingSettings, options)
    )


@one_path(_IdsOptions)
def deliver_smartemailing_ids(output: OnePath, options: _IdsOptions) -> SmartEmailingIdsSummary:
    """Read who has which user id, as ``batchpub deliver smartemailing ids`` does.

    Args:
        output: The file of contacts to write, .csv or .jsonl.
        options: The fields of `SmartEmailingIdsSettings` as keywords, ``key``, the API key, and
            ``on_progress``.

    Returns:
        What was read, left out and written.

    Raises:
        ConfigurationError: a wrong keyword value, address, custom field or output.
        GuardError: no contact has a user id.
        RemoteError: the service refused.
        TryLaterError: the service was not reached, or not in time.
        MachineError: disk, permission or memory.
    """
    from pipeline import flows

    return flows.deliver_smartemailing_ids(
        Path(output),
        secret(options.key),
        part(SmartEmailingIdsSettings, options),
        on_progress=options.on_progress,
    )


@one_path(_PushOptions)
def deliver_smartemailing_push(
    recommendations: OnePath, options: _PushOptions
) -> SmartEmailingPushSummary:
    """Write recommendations into a custom field, as ``batchpub deliver smartemailing push`` does.

    Args:
        recommendations: What `parse` wrote, .jsonl or .parquet, or an export.
        options: The fields of `SmartEmailingPushSettings` as keywords, ``key``, the API key (not
            needed with ``dry_run``), ``on_progress``, and ``state_dir``, the folder with the
            memory of runs that broke off.

    Returns:
        What became of every contact. A push that came to its end and is no success is no exception:
        ``error`` says why, and ``exit_code`` is that of the command.

    Raises:
        ConfigurationError: a wrong keyword value, address, custom field, column or output.
        InputError: a file is missing, damaged or malformed.
        GuardError: there is nothing to send.
        RemoteError: the service refused.
        TryLaterError: the service was not reached, or not in time; the same call goes on later.
        UncertainError: what became of some contacts is not known; the same call goes on later.
        MachineError: disk, permission or memory.
    """
    from pipeline import flows

    key = None
    if not options.dry_run:
        if options.key is None:
            raise ConfigurationError("there is no SmartEmailing API key", source="key")
        key = secret(options.key)
    return flows.deliver_smartemailing_push(
        Path(recommendations),
        key,
        part(SmartEmailingPushSettings, options),
        state_dir=folder(options.state_dir),
        on_progress=options.on_progress,
    )
