"""``batchpub deliver newsletter``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.progress import progress_line
from pipeline.records import NewsletterSummary
from pipeline.settings import NewsletterSettings


def deliver_newsletter(
    *,
    output: Annotated[Path, Parameter(alias="-o", group=OPTIONS)],
    settings: Annotated[NewsletterSettings, Parameter(name="*", group=OPTIONS)],
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> NewsletterSummary:
    """Run the flow `deliver_newsletter`.

    Parameters
    ----------
    output
        Messages to write, one JSON object a line: to, subject, html, text, key.
    """
    from pipeline import flows

    with progress_line(common) as on_progress:
        return flows.deliver_newsletter(output, settings, on_progress=on_progress)
