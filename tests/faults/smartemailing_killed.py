"""A `batchpub` that dies by SIGKILL when it is about to run the n-th line of the push's own code.

    python smartemailing_killed.py N ARGUMENT…

With n = 0 it lives, and prints how many lines there were as its last line on stderr.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pipeline
from pipeline.cli.app import run

PACKAGE = Path(pipeline.__file__).parent
TRACED = tuple(
    str(PACKAGE / one)
    for one in ("deliver/journal.py", "deliver/smartemailing", "delivery", "publish.py")
)


class Executioner:
    """Counts lines and kills at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.kill_at, self.lines = kill_at, 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(TRACED):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


if __name__ == "__main__":
    executioner = Executioner(int(sys.argv[1]))
    sys.settrace(executioner)
    code = run(sys.argv[2:])
    sys.settrace(None)
    print(executioner.lines, file=sys.stderr)
    sys.exit(code)
