"""An event loop for a transfer or a server, which a stop request ends in good order.

Strategy: a signal handler that raises tears asyncio in the middle of a step: a callback that was
taken and not yet run is lost, and the clean-up waits for it for ever. So while the loop runs, a
stop signal cancels the work instead; when everything is closed, the handler that was there
before is called and raises what it raises.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Final, TypeVar

__all__ = ["run"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Whoever stops a program often asks twice; only a later request cuts the clean-up short.
_GRACE_S: Final = 2.0


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run `main` in an event loop of its own; Ctrl-C and SIGTERM cancel it and come through."""
    stops = _Stops()
    stops.take()
    try:
        with asyncio.Runner() as runner:
            runner.get_loop().set_exception_handler(_note)
            return runner.run(stops.cancelling(main))
    finally:
        stops.give_back()


class _Stops:
    """The stop signals, borrowed from their handlers."""

    def __init__(self) -> None:
        self._former: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._requested: int | None = None
        self._requested_at = 0.0
        self._task: asyncio.Task[Any] | None = None

    def take(self) -> None:
        """Replace the handlers; those that ignore or kill stay, and other threads have none."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _STOPS:
            handler = signal.getsignal(number)
            if callable(handler):
                self._former[number] = handler
                signal.signal(number, self._stop)

    def give_back(self) -> None:
        """Restore the handlers, and pass on a request that came meanwhile."""
        for number, handler in self._former.items():
            signal.signal(number, handler)
        if self._requested is not None:
            self._former[self._requested](self._requested, None)
            # The handler did not raise, but the work was ended all the same.
            raise KeyboardInterrupt

    async def cancelling(self, main: Coroutine[Any, Any, _T]) -> _T:
        """Run `main` as the task that a stop request cancels."""
        self._task = asyncio.current_task()
        if self._requested is not None:
            main.close()
            raise asyncio.CancelledError
        return await main

    def _stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._requested is not None:
            if now - self._requested_at >= _GRACE_S:
                self._former[number](number, frame)
            return
        self._requested, self._requested_at = number, now
        if self._task is not None:
            # From a handler, like from another thread: it also wakes a loop that waits.
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)


def _note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio found left over, by type only: its own text may quote headers."""
    del loop
    _log.debug("%s (%s)", context.get("message"), type(context.get("exception")).__name__)
