"""Uploads in processes of their own, without the start of one: forked off a warm process.

Reads one JSON object a line and answers with one: {"signal": 9} or {"code": 0, "outcome": …,
"events": …}. With ``kill_at`` n the upload ends by SIGKILL when it is about to run the n-th line
of its own code; ``file_bytes`` is the size no file may grow beyond (a full disk).
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pipeline
from pipeline import flows
from pipeline.errors import BatchpubError
from pipeline.settings import Secret, UploadSettings

PACKAGE = Path(pipeline.__file__).parent
TRACED = tuple(str(PACKAGE / room) for room in ("submission.py", "ledger", "transfer"))


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
    if order.get("file_bytes") is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2)
    trace = Executioner(order.get("kill_at"))
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        summary = flows.upload(
            Path(order["list"]),
            Secret(order["private_key"]),
            UploadSettings(**order["settings"]),
            state_dir=Path(order["state_dir"]),
        )
        answer: dict[str, Any] = {"code": 0, "outcome": summary.outcome}
    except BatchpubError as error:
        answer = {"code": error.exit_code, "outcome": str(error)}
    sys.settrace(None)
    return {**answer, "events": trace.events}


def main() -> None:
    import pipeline.submission
    import pipeline.transfer.upload  # noqa: F401 - so that no child has to

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
