"""Stop requests end a transfer between two steps, never inside one."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from pipeline.errors import Terminated
from pipeline.loop import run


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """A raising handler for both signals, as the command line has one."""
    seen: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    yield seen
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_a_stop_waits_for_the_step_and_for_the_clean_up(
    number: signal.Signals, kind: type[BaseException], handled: list[int]
) -> None:
    order = []

    async def main() -> None:
        try:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)  # impatience changes nothing
            order.append("the step ends")
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            order.append("cleaned up")

    before = signal.getsignal(number)
    with pytest.raises(kind) as caught:
        run(main())

    assert kind is caught.type
    assert ["the step ends", "cleaned up"] == order
    assert [number] == handled
    assert before is signal.getsignal(number)


def test_a_stop_wakes_a_loop_that_waits(handled: list[int]) -> None:
    async def main() -> None:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        run(main())

    assert [signal.SIGINT] == handled


def test_a_stop_whose_handler_does_not_raise_still_ends_the_transfer() -> None:
    former = signal.signal(signal.SIGINT, lambda number, frame: None)

    async def main() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    try:
        with pytest.raises(KeyboardInterrupt):
            run(main())
    finally:
        signal.signal(signal.SIGINT, former)


def test_an_ignored_signal_stays_ignored() -> None:
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def main() -> str:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0)
        return "done"

    try:
        assert "done" == run(main())
    finally:
        signal.signal(signal.SIGINT, former)


def test_results_and_errors_come_through_in_any_thread() -> None:
    outcomes: list[object] = []

    async def give() -> int:
        return 7

    async def fail() -> None:
        raise ValueError("x")

    def work() -> None:
        outcomes.append(run(give()))
        with pytest.raises(ValueError, match="x"):
            run(fail())

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert [7, 7] == outcomes
