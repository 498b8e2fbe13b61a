"""To and from Klaviyo."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.api.keywords import OnePath, Paths, folder, one_path, part, secret, several
from pipeline.errors import ConfigurationError
from pipeline.records import (
    KlaviyoPullSummary,
    KlaviyoPushSummary,
    OnProgress,
    ignore_progress,
)
from pipeline.settings import ExportSettings, KlaviyoPullSettings, KlaviyoPushSettings, Secret


@dataclass(frozen=True, kw_only=True)
class _PullOptions(KlaviyoPullSettings, ExportSettings):
    key: str | Secret = field(repr=False)
    on_progress: OnProgress = ignore_progress


@one_path(_PullOptions)
def deliver_klaviyo_pull(outputs: Paths, options: _PullOptions) -> KlaviyoPullSummary:
    """Read the recommendations that Klaviyo profiles hold, as ``batchpub deliver klaviyo pull``.

    Args:
        outputs: The file to write, its suffix tells the format; or a sequence of them.
        options: The fields of `KlaviyoPullSettings` and `ExportSettings` as keywords, ``key``, the
            account's private key, and ``on_progress``.

    Returns:
        What was read, left out and written.

    Raises:
        ConfigurationError: a wrong keyword value, address or output.
        GuardError: no profile holds recommendations, or a guard refused.
        RemoteError: the service refused.
        TryLaterError: the service was not reached, or not in time; the same call goes on later.
        MachineError: disk, permission or memory.
    """
    from pipeline import flows

    return flows.deliver_klaviyo_pull(
        [Path(one) for one in several(outputs)],
        secret(options.key),
        part(KlaviyoPullSettings, options),
        part(ExportSettings, options),
        on_progress=options.on_progress,
    )


@dataclass(frozen=True, kw_only=True)
class _PushOptions(KlaviyoPushSettings):
    key: str | Secret | None = field(default=None, repr=False)
    state_dir: OnePath | None = None
    on_progress: OnProgress = ignore_progress


@one_path(_PushOptions)
def deliver_klaviyo_push(recommendations: OnePath, options: _PushOptions) -> KlaviyoPushSummary:
    """Write recommendations to Klaviyo profiles, as ``batchpub deliver klaviyo push`` does.

    Args:
        recommendations: JSON Lines or Parquet as `parse` wrote it.
        options: The fields of `KlaviyoPushSettings` as keywords, ``key``, the account's private
            key, ``on_progress``, and ``state_dir``, the folder with the memory of pushes.

    Returns:
        What was sent and what became of it. Profiles that Klaviyo refused are no exception:
        ``error`` says so, and ``exit_code`` is that of the command.

    Raises:
        ConfigurationError: a wrong keyword value, column or address.
        InputError: a file is missing, malformed or cut short; nothing was sent.
        GuardError: there is nothing to push.
        RemoteError: the service refused.
        TryLaterError: the service was not reached, or not in time; the same call goes on later.
        UncertainError: no trustworthy answer to a job; the same call sends it again.
        MachineError: disk, permission or memory.
    """
    from pipeline import flows

    if options.key is None and not options.dry_run:
        raise ConfigurationError("there is no Klaviyo key", source="key", remedy="pass key=…")
    return flows.deliver_klaviyo_push(
        Path(recommendations),
        secret(options.key),
        part(KlaviyoPushSettings, options),
        state_dir=folder(options.state_dir),
        on_progress=options.on_progress,
    )
