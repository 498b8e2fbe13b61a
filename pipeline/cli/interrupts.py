"""Ctrl-C and SIGTERM as exceptions in the main thread, one per stop request.

Strategy: the first signal raises; a second within the grace period is ignored, because whoever
stops a program often asks twice (an impatient hand, a supervisor's SIGTERM after the terminal's
SIGINT) and the second exception would cut short the clean-up that the first one started. A signal
that comes while a module is imported waits until it is.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from pipeline.errors import Terminated

__all__ = ["guarded"]

_GRACE_S: Final = 2.0
_AGAIN_S: Final = 0.02
_STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _StopRequests:
    """The handler of all stop signals; remembers when it last raised."""

    def __init__(self) -> None:
        self._raised_at = float("-inf")
        self._waiting = signal.SIGINT

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise what `number` means, unless the clean-up of an earlier stop is under way."""
        if _importing(frame):
            self._repeat_soon(signal.Signals(number))
            return
        now = time.monotonic()
        under_way = _stop_under_way(sys.exc_info()[1])
        if now - self._raised_at < _GRACE_S:
            return
        self._raised_at = now
        if under_way:
            return
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Terminated

    def repeat(self, number: int, frame: FrameType | None) -> None:
        """Serve the request that had to wait; the handler of SIGALRM."""
        del number
        self(self._waiting, frame)

    def swallowed(self, kind: type[BaseException]) -> None:
        """Repeat a stop that was raised where Python cannot pass exceptions on, as in __del__."""
        self._raised_at = float("-inf")
        self._repeat_soon(signal.SIGTERM if issubclass(kind, Terminated) else signal.SIGINT)

    def _repeat_soon(self, number: signal.Signals) -> None:
        self._waiting = number
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)


def guarded(run: Callable[[], int]) -> int:
    """Call `run` with the handlers in place; from its end on, stop requests are ignored.

    Returns:
        The exit code of `run`, or 130 or 143 when a stop request came before it could say so.
    """
    requests = _StopRequests()
    unraisable = sys.unraisablehook

    def pass_on(lost: sys.UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            requests.swallowed(lost.exc_type)
        else:
            unraisable(lost)

    try:
        for number in _STOPS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a job in the background
                signal.signal(number, requests)
        signal.signal(signal.SIGALRM, requests.repeat)
        sys.unraisablehook = pass_on
        code = run()
        _ignore_stops()
    except KeyboardInterrupt as stop:
        _ignore_stops()
        code = 143 if isinstance(stop, Terminated) else 130
    return code


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported: native ones can crash when that is cut short (orjson)."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _stop_under_way(handled: BaseException | None) -> bool:
    """Whether the code that was interrupted is itself the clean-up of a stop.

    A library may have raised the KeyboardInterrupt on its own account, or a lost one is being
    repeated although it did get through.
    """
    while handled is not None:
        if isinstance(handled, KeyboardInterrupt):
            return True
        handled = handled.__context__
    return False


def _ignore_stops() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in (*_STOPS, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
