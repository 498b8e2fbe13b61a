"""Pulls and pushes in processes of their own, forked off a warm one; see upload_nursery.

Reads one JSON object a line and answers with one: {"signal": 9} or {"code": 0, "events": …,
"summary": …}. With ``kill_at`` n the run ends by SIGKILL when it is about to run the n-th line of
its own code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import pipeline
from pipeline import flows
from pipeline.deliver import klaviyo_pull, klaviyo_push
from pipeline.errors import BatchpubError
from pipeline.settings import ExportSettings, KlaviyoPullSettings, KlaviyoPushSettings, Secret
from pipeline.wire.pacing import Pacer, Window

PACKAGE = Path(pipeline.__file__).parent
TRACED = tuple(
    str(PACKAGE / room)
    for room in (
        *("deliver/spool.py", "deliver/journal.py", "deliver/klaviyo_pull.py"),
        *("deliver/klaviyo_push.py", "delivery", "publish.py"),
    )
)


class Executioner:
    """A trace function that counts lines and kills at one of them."""

    def __init__(self, kill_at: int | None) -> None:
        self.kill_at, self.events = kill_at, 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(TRACED):
            return None
        if event == "line":
            self.events += 1
            if self.events == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def work(order: dict[str, Any]) -> dict[str, Any]:
    trace = Executioner(order["kill_at"])
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
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            answer = work(json.loads(line))
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            said = json.dumps({"signal": os.WTERMSIG(status)}).encode()
        print(said.decode(), flush=True)


if __name__ == "__main__":
    main()
