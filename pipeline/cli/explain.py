"""``batchpub explain``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.progress import progress_line
from pipeline.records import ExplainSummary
from pipeline.settings import SelectionSettings


def explain(
    extracts: Annotated[list[str], Parameter(name="EXTRACT")],
    /,
    *,
    user_id: Annotated[str, Parameter(name="--id", group=OPTIONS)],
    settings: Annotated[
        SelectionSettings, Parameter(name="*", group=OPTIONS)
    ] = SelectionSettings(),  # noqa: B008 - frozen
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> ExplainSummary:
    """Run the flow `explain`.

    Parameters
    ----------
    extracts
        The extracts that prepare was given.
    user_id
        User to look for.
    """
    from pipeline import flows

    with progress_line(common) as on_progress:
        return flows.explain(extracts, user_id, settings, on_progress=on_progress)
