"""``batchpub sandbox``."""

from __future__ import annotations

import shlex
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.report import leave_echo, print_json, print_lines
from pipeline.errors import Terminated
from pipeline.records import SandboxReady
from pipeline.settings import SandboxSettings


def sandbox(
    *,
    settings: Annotated[SandboxSettings, Parameter(name="*", group=OPTIONS)] = SandboxSettings(),  # noqa: B008 - frozen
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> None:
    """Announce and serve until stopped."""
    from pipeline.sandbox.server import serve

    def announce(ready: SandboxReady) -> None:
        if common.json:
            print_json(ready)
        else:
            print_lines(_paste(ready))

    try:
        serve(settings, on_ready=announce)
    except KeyboardInterrupt as stop:
        # Being stopped is how a sandbox ends: no second line, only the exit code.
        leave_echo()
        raise SystemExit(143 if isinstance(stop, Terminated) else 130) from None


def _paste(ready: SandboxReady) -> list[str]:
    """What to paste into another shell; the keys are made up, so they may be shown."""
    variables = {
        "BATCHPUB_BASE_URL": ready.base_url,
        "BATCHPUB_TRACKER_ID": ready.tracker_id,
        "BATCHPUB_PUBLIC_KEY": ready.public_key,
        "BATCHPUB_PRIVATE_KEY": ready.private_key,
        "BATCHPUB_KLAVIYO_URL": ready.base_url,
        "BATCHPUB_KLAVIYO_KEY": ready.klaviyo_key,
        "BATCHPUB_SMARTEMAILING_URL": f"{ready.base_url}/api/v3",
        "BATCHPUB_SMARTEMAILING_USER": ready.smartemailing_user,
        "BATCHPUB_SMARTEMAILING_KEY": ready.smartemailing_key,
    }
    return [
        f"The sandbox listens on {ready.base_url}",
        "Ctrl-C stops it. Paste this into another shell:",
        "",
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        "",
        "Once a list is stored and an export generated from it, fetch",
        ready.export_url,
    ]
