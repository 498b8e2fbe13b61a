"""``batchpub fetch``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.progress import progress_line
from pipeline.cli.secrets import EXPORT_SECRET, read_secret, secret_is_set
from pipeline.records import FetchSummary
from pipeline.settings import ExportSettings, FetchSettings


def fetch(
    url: Annotated[str, Parameter(name="URL")],
    /,
    *,
    output: Annotated[list[Path], Parameter(alias="-o", group=OPTIONS)],
    export_settings: Annotated[
        ExportSettings, Parameter(name="*", group=OPTIONS)
    ] = ExportSettings(),  # noqa: B008 - frozen
    fetch_settings: Annotated[FetchSettings, Parameter(name="*", group=OPTIONS)] = FetchSettings(),  # noqa: B008 - frozen
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> FetchSummary:
    """Read the secret, fetch the export.

    Parameters
    ----------
    url
        Address of the export: https, or file.
    output
        File to write: .jsonl, .parquet, .csv or .sqlite; repeatable.
    """
    from pipeline import flows

    secret = None
    if secret_is_set(os.environ, EXPORT_SECRET):
        secret = read_secret(os.environ, EXPORT_SECRET, what="export secret")
    with progress_line(common) as on_progress:
        return flows.fetch(
            url,
            output,
            fetch_settings,
            export_settings,
            secret=secret,
            state_dir=common.state_dir,
            on_progress=on_progress,
        )
