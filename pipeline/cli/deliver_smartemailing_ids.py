"""``batchpub deliver smartemailing ids``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.progress import progress_line
from pipeline.cli.secrets import SMARTEMAILING_KEY, read_secret
from pipeline.records import SmartEmailingIdsSummary
from pipeline.settings import SmartEmailingIdsSettings


def deliver_smartemailing_ids(
    *,
    output: Annotated[Path, Parameter(alias="-o", group=OPTIONS)],
    settings: Annotated[SmartEmailingIdsSettings, Parameter(name="*", group=OPTIONS)],
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> SmartEmailingIdsSummary:
    """Run the flow `deliver_smartemailing_ids`.

    Parameters
    ----------
    output
        File to write: .csv or .jsonl.
    """
    from pipeline import flows

    key = read_secret(os.environ, SMARTEMAILING_KEY, what="SmartEmailing API key")
    with progress_line(common) as on_progress:
        return flows.deliver_smartemailing_ids(output, key, settings, on_progress=on_progress)
