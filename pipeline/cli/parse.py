"""``batchpub parse``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.progress import progress_line
from pipeline.records import ExportSummary
from pipeline.settings import ExportSettings


def parse(
    export: Annotated[Path, Parameter(name="EXPORT")],
    /,
    *,
    output: Annotated[list[Path], Parameter(alias="-o", group=OPTIONS)],
    settings: Annotated[ExportSettings, Parameter(name="*", group=OPTIONS)] = ExportSettings(),  # noqa: B008 - frozen
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> ExportSummary:
    """Run the flow `parse`.

    Parameters
    ----------
    export
        Export file, XML.
    output
        File to write: .jsonl, .parquet, .csv or .sqlite; repeatable.
    """
    from pipeline import flows

    with progress_line(common) as on_progress:
        return flows.parse(export, output, settings, on_progress=on_progress)
