"""``batchpub deliver smartemailing check``."""

from __future__ import annotations

import os
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.secrets import SMARTEMAILING_KEY, read_secret
from pipeline.records import SmartEmailingCheckSummary
from pipeline.settings import SmartEmailingSettings


def deliver_smartemailing_check(
    *,
    settings: Annotated[SmartEmailingSettings, Parameter(name="*", group=OPTIONS)],
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> SmartEmailingCheckSummary:
    """Run the flow `deliver_smartemailing_check`."""
    from pipeline import flows

    del common
    key = read_secret(os.environ, SMARTEMAILING_KEY, what="SmartEmailing API key")
    return flows.deliver_smartemailing_check(key, settings)
