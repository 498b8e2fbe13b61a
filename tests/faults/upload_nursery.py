"""Uploads in processes of their own, without the start of one: forked off a warm process.

Reads one JSON object a line and answers with one: {"signal": 9} or {"code": 0, "outcome": …,
"events": …}. With ``kill_at`` n the upload ends by SIGKILL when it is about to run the n-th line
of its own code; ``file_bytes`` is the size no file may grow beyond (a full disk).
"""

from __future__ import annotations

import resource
import sys
import threading
from pathlib import Path
from typing import Any

from executioner import Executioner, serve

from pipeline import flows
from pipeline.errors import BatchpubError
from pipeline.settings import Secret, UploadSettings

ROOMS = ("submission.py", "ledger", "transfer")


def work(order: dict[str, Any]) -> dict[str, Any]:
    if order.get("file_bytes") is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2)
    trace = Executioner(ROOMS, order.get("kill_at"))
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

    serve(work)


if __name__ == "__main__":
    main()
