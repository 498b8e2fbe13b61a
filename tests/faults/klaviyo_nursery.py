"""Pulls and pushes in processes of their own, forked off a warm one; see upload_nursery.

Reads one JSON object a line and answers with one: {"signal": 9} or {"code": 0, "events": …,
"summary": …}. With ``kill_at`` n the run ends by SIGKILL when it is about to run the n-th line of
its own code.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from executioner import Executioner, serve

from pipeline import flows
from pipeline.deliver import klaviyo_pull, klaviyo_push
from pipeline.errors import BatchpubError
from pipeline.settings import ExportSettings, KlaviyoPullSettings, KlaviyoPushSettings, Secret
from pipeline.wire.pacing import Pacer, Window

ROOMS = (
    *("deliver/spool.py", "deliver/journal.py", "deliver/klaviyo_pull.py"),
    *("deliver/klaviyo_push.py", "delivery", "publish.py"),
)


def work(order: dict[str, Any]) -> dict[str, Any]:
    trace = Executioner(ROOMS, order["kill_at"])
    threading.settrace(trace)
    sys.settrace(trace)
    path, key = Path(order["path"]), Secret(order["key"])
    summary: Any
    try:
        if order["flow"] == "pull":
            pull_settings = KlaviyoPullSettings(**order["settings"])
            summary = flows.deliver_klaviyo_pull([path], key, pull_settings, ExportSettings())
        else:
            summary = flows.deliver_klaviyo_push(
                path,
                key,
                KlaviyoPushSettings(**order["settings"]),
                state_dir=Path(order["state_dir"]),
            )
        answer = {"code": 0, "summary": asdict(summary)}
    except BatchpubError as error:
        answer = {"code": error.exit_code, "summary": {"error": str(error)}}
    sys.settrace(None)
    return {**answer, "events": trace.events}


def main() -> None:
    import pipeline.delivery.klaviyo_pull
    import pipeline.delivery.klaviyo_push  # noqa: F401 - so that no child has to

    def wide() -> Pacer:
        return Pacer([Window(10_000, 1.0)])

    klaviyo_push.job_pacer = klaviyo_pull.read_pacer = wide  # type: ignore[attr-defined]
    klaviyo_pull._PAGES = 2  # type: ignore[misc]
    serve(work)


if __name__ == "__main__":
    main()
