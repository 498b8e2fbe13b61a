"""``batchpub check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.progress import progress_line
from pipeline.records import CheckSummary
from pipeline.settings import CheckSettings


def check(
    list_path: Annotated[Path, Parameter(name="LIST")],
    /,
    *,
    settings: Annotated[CheckSettings, Parameter(name="*", group=OPTIONS)] = CheckSettings(),  # noqa: B008 - frozen
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> CheckSummary:
    """Run the flow `check`.

    Parameters
    ----------
    list_path
        User list, JSON Lines or CSV.
    """
    from pipeline import flows

    with progress_line(common) as on_progress:
        return flows.check(list_path, settings, on_progress=on_progress)
