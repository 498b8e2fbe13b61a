"""Death by SIGKILL at the n-th line of the code under test, in a process forked off a warm one."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pipeline

PACKAGE = Path(pipeline.__file__).parent


class Executioner:
    """A trace function that counts the lines of `rooms` and kills at one of them, if told to."""

    def __init__(self, rooms: tuple[str, ...], kill_at: int | None) -> None:
        self.traced = tuple(str(PACKAGE / room) for room in rooms)
        self.kill_at, self.events = kill_at, 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(self.traced):
            return None
        if event == "line":
            self.events += 1
            if self.events == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def serve(work: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Do each order of standard input, one JSON object a line, in a child; answer with a line."""
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
