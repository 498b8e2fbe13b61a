"""To and from Klaviyo."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.api.keywords import Paths, one_path, part, several
from pipeline.records import KlaviyoPullSummary, OnProgress, ignore_progress
from pipeline.settings import ExportSettings, KlaviyoPullSettings, Secret


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
        _secret(options.key),
        part(KlaviyoPullSettings, options),
        part(ExportSettings, options),
        on_progress=options.on_progress,
    )


def _secret(key: str | Secret) -> Secret:
    return key if isinstance(key, Secret) else Secret(key)
