"""The two directions, composed: each flow hands values from room to room and holds no logic.

Imports happen inside the flows, so that naming one costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.records import (
    ExportSummary,
    FetchSummary,
    OnProgress,
    PrepareSummary,
    UploadSummary,
    ignore_progress,
)
from pipeline.settings import (
    ExportSettings,
    FetchSettings,
    PrepareSettings,
    Secret,
    UploadSettings,
)

__all__ = ["fetch", "parse", "prepare", "upload"]


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


def upload(
    list_path: Path,
    private_key: Secret,
    settings: UploadSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> UploadSummary:
    """User list → the tracker's stored list; a list without a receipt is checked first."""
    from pipeline.guards import refuse_empty_list
    from pipeline.transfer.upload import upload_list
    from pipeline.userlist.receipt import make_receipt, read_receipt

    receipt = read_receipt(list_path) or make_receipt(list_path)
    refusal = refuse_empty_list(users=receipt.users, source=list_path)
    if refusal is not None:
        raise refusal
    return upload_list(list_path, receipt, private_key, settings, on_progress=on_progress)


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


def _without_credentials(url: str) -> str:
    """The part of `url` that may be shown: user, password and query can be secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the export's URL"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
