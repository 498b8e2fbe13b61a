"""``batchpub deliver klaviyo pull``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.progress import progress_line
from pipeline.cli.secrets import KLAVIYO_KEY, read_secret
from pipeline.records import KlaviyoPullSummary
from pipeline.settings import ExportSettings, KlaviyoPullSettings


def deliver_klaviyo_pull(
    *,
    output: Annotated[list[Path], Parameter(alias="-o", group=OPTIONS)],
    settings: Annotated[
        KlaviyoPullSettings, Parameter(name="*", group=OPTIONS)
    ] = KlaviyoPullSettings(),  # noqa: B008 - frozen
    export_settings: Annotated[
        ExportSettings, Parameter(name="*", group=OPTIONS)
    ] = ExportSettings(),  # noqa: B008 - frozen
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> KlaviyoPullSummary:
    """Run the flow `deliver_klaviyo_pull`.

    Parameters
    ----------
    output
        File to write: .jsonl, .parquet, .csv or .sqlite; repeatable.
    """
    from pipeline import flows

    key = read_secret(os.environ, KLAVIYO_KEY, what="Klaviyo key")
    with progress_line(common) as on_progress:
        return flows.deliver_klaviyo_pull(
            output, key, settings, export_settings, on_progress=on_progress
        )
