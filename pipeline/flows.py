"""The two directions, composed: each flow hands values from room to room and holds no logic.

Imports happen inside the flows, so that naming one costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.records import (
    CheckSummary,
    ExportSummary,
    FetchSummary,
    HistorySummary,
    NewsletterSummary,
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
    NewsletterSettings,
    PrepareSettings,
    Secret,
    UploadSettings,
)

__all__ = ["check", "deliver_newsletter", "fetch", "history", "parse", "prepare", "upload"]


def prepare(
    extracts: Sequence[str],
    output: Path,
    settings: PrepareSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> PrepareSummary:
    """Extracts → user list and its receipt, both at their names whole or not at all."""
    from pipeline.preparation import Preparation

    with Preparation(extracts, output, settings) as preparation:
        preparation.suppress()
        preparation.select(on_progress)
        preparation.write(on_progress)
        return preparation.publish()


def check(
    list_path: Path,
    settings: CheckSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> CheckSummary:
    """User list → what is wrong with it or suspicious about it; what refuses it is in `error`."""
    from pipeline.userlist.check import check_list

    return check_list(list_path, settings, on_progress=on_progress)


def upload(
    list_path: Path,
    private_key: Secret | None,
    settings: UploadSettings,
    *,
    state_dir: Path | None = None,
    on_progress: OnProgress = ignore_progress,
) -> UploadSummary:
    """User list → the tracker's stored list, when the guards agree and it is another one."""
    from pipeline.submission import Submission

    with Submission(list_path, private_key, settings, state_dir=state_dir) as submission:
        submission.judge()
        if not submission.unchanged:
            submission.compare(on_progress)
        if settings.dry_run:
            return submission.rehearse(on_progress)
        if submission.unchanged:
            return submission.leave()
        return submission.send(on_progress)


def history(settings: HistorySettings, *, state_dir: Path | None = None) -> HistorySummary:
    """Ledger → the last runs of `upload`; writes nothing where there is no ledger."""
    from pipeline.ledger.ledger import read_history

    return read_history(state_dir, settings.tracker_id, limit=settings.limit)


def parse(
    export: Path,
    outputs: Sequence[Path],
    settings: ExportSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> ExportSummary:
    """Export on disk → recommendations on disk, published when the whole file proved sound."""
    from pipeline.export.collect import collect_file

    return collect_file(export, outputs, settings, on_progress=on_progress)


def fetch(
    url: str,
    outputs: Sequence[Path],
    fetch_settings: FetchSettings,
    export_settings: ExportSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> FetchSummary:
    """Export on the network → recommendations on disk, parsed while it arrives."""
    from pipeline.export.collect import Collection
    from pipeline.transfer.download import download

    with Collection(outputs, export_settings, source=_without_credentials(url)) as collection:
        arrived = download(url, collection.feed, fetch_settings, on_progress=on_progress)
        export = collection.close()
    return FetchSummary(download=arrived, export=export)


def deliver_newsletter(
    output: Path,
    settings: NewsletterSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> NewsletterSummary:
    """Template, contacts and recommendations → one message a line, whole or not at all."""
    from pipeline.deliver.newsletter import Newsletter

    with Newsletter(output, settings) as newsletter:
        newsletter.select(on_progress)
        newsletter.collect(on_progress)
        newsletter.write(on_progress)
        return newsletter.publish()


def _without_credentials(url: str) -> str:
    """The part of `url` that may be shown: user, password and query can be secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the export's URL"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
