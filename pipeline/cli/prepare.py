"""``batchpub prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.progress import progress_line
from pipeline.records import PrepareSummary
from pipeline.settings import PrepareSettings


def prepare(
    extracts: Annotated[list[str], Parameter(name="EXTRACT")],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o", group=OPTIONS)],
    settings: Annotated[PrepareSettings, Parameter(name="*", group=OPTIONS)] = PrepareSettings(),  # noqa: B008 - frozen
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> PrepareSummary:
    """Run the flow `prepare`.

    Parameters
    ----------
    extracts
        CSV, JSONL, Parquet or Arrow files with at least one row per user,
        folders or globs of them; - is stdin.
    output
        User list to write; its receipt goes beside it.
    """
    from pipeline import flows

    with progress_line(common) as on_progress:
        return flows.prepare(extracts, output, settings, on_progress=on_progress)
