"""``batchpub deliver klaviyo push``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.progress import progress_line
from pipeline.cli.secrets import KLAVIYO_KEY, read_secret
from pipeline.records import KlaviyoPushSummary
from pipeline.settings import KlaviyoPushSettings


def deliver_klaviyo_push(
    *,
    recommendations: Annotated[Path, Parameter(group=OPTIONS)],
    settings: Annotated[
        KlaviyoPushSettings, Parameter(name="*", group=OPTIONS)
    ] = KlaviyoPushSettings(),  # noqa: B008 - frozen
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> KlaviyoPushSummary:
    """Run the flow `deliver_klaviyo_push`.

    Parameters
    ----------
    recommendations
        What `parse` or `fetch` wrote, .jsonl or .parquet, or the export itself.
    """
    from pipeline import flows

    key = None if settings.dry_run else read_secret(os.environ, KLAVIYO_KEY, what="Klaviyo key")
    with progress_line(common) as on_progress:
        return flows.deliver_klaviyo_push(
            recommendations, key, settings, state_dir=common.state_dir, on_progress=on_progress
        )
