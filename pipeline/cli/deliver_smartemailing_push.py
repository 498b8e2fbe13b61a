"""``batchpub deliver smartemailing push``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.progress import progress_line
from pipeline.cli.secrets import SMARTEMAILING_KEY, read_secret
from pipeline.records import SmartEmailingPushSummary
from pipeline.settings import SmartEmailingPushSettings


def deliver_smartemailing_push(
    *,
    recommendations: Annotated[Path, Parameter(group=OPTIONS)],
    settings: Annotated[SmartEmailingPushSettings, Parameter(name="*", group=OPTIONS)],
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> SmartEmailingPushSummary:
    """Run the flow `deliver_smartemailing_push`.

    Parameters
    ----------
    recommendations
        What `parse` or `fetch` wrote, .jsonl or .parquet, or the export itself.
    """
    from pipeline import flows

    key = None
    if not settings.dry_run:
        key = read_secret(os.environ, SMARTEMAILING_KEY, what="SmartEmailing API key")
    with progress_line(common) as on_progress:
        return flows.deliver_smartemailing_push(
            recommendations, key, settings, state_dir=common.state_dir, on_progress=on_progress
        )
