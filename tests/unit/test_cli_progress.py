"""The progress line."""

from __future__ import annotations

import io

from pipeline.cli.progress import ProgressLine, progress_text
from pipeline.records import Progress


class Clock:
    """Time that moves when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def make_line(columns: int = 80) -> tuple[ProgressLine, io.StringIO, Clock]:
    stream, clock = io.StringIO(), Clock()
    return ProgressLine(stream, clock=clock, columns=lambda: columns), stream, clock


def test_the_line_is_rewritten_at_most_ten_times_a_second() -> None:
    line, stream, clock = make_line()
    for step in range(101):
        clock.now = 100 + step / 100
        line(Progress(stage="read", done=step))

    assert 5 < stream.getvalue().count("\r") <= 11
    assert "\n" not in stream.getvalue()


def test_a_log_gets_a_line_every_ten_seconds_and_none_for_short_work() -> None:
    stream, clock = io.StringIO(), Clock()
    line = ProgressLine(stream, clock=clock, columns=lambda: 80, plain=True)
    for second in range(36):
        clock.now = 100 + second
        line(Progress(stage="read" if second < 15 else "write", done=second * 10**6))
        if second == 9:
            assert "" == stream.getvalue()
    line.clear()

    lines = stream.getvalue().splitlines()
    assert ["batchpub: read", "batchpub: write", "batchpub: write"] == [
        text.rpartition(":")[0] for text in lines
    ]
    assert "\r" not in stream.getvalue()


def test_a_new_stage_shows_at_once() -> None:
    line, stream, _ = make_line()
    line(Progress(stage="read", done=1))
    line(Progress(stage="write", done=1))

    assert "write: 1 bytes" in stream.getvalue()


def test_clearing_leaves_nothing_and_an_unused_line_writes_nothing() -> None:
    line, stream, _ = make_line()
    line.clear()
    assert "" == stream.getvalue()

    line(Progress(stage="read", done=1))
    line.clear()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_the_line_never_wraps() -> None:
    line, stream, _ = make_line(columns=10)
    line(Progress(stage="reading a long name", done=10**9, total=10**10))

    assert "\r\x1b[Kreading a" == stream.getvalue()


def test_the_text_tells_share_rate_and_rest() -> None:
    progress = Progress(stage="upload", done=50_000_000, total=200_000_000, users=1_000)

    assert "upload: 50.0 MB of 200.0 MB, 25%, 25.0 MB/s, 6.0 s left, 1,000 users" == progress_text(
        progress, elapsed_s=2.0, fresh=50_000_000
    )


def test_no_rate_is_guessed_from_a_moment_or_from_nothing() -> None:
    progress = Progress(stage="read", done=5, total=10, unit="rows")

    assert "read: 5 of 10, 50%" == progress_text(progress, elapsed_s=0.5, fresh=5)
    assert "read: 5 of 10, 50%" == progress_text(progress, elapsed_s=9.0, fresh=0)


def test_a_total_that_was_wrong_stays_at_100_percent() -> None:
    progress = Progress(stage="read", done=30, total=10, unit="rows")

    assert "read: 30 of 10, 100%, 3 rows/s" == progress_text(progress, elapsed_s=10.0, fresh=30)


def test_a_terminal_that_went_away_stops_no_work() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    line = ProgressLine(Gone(), clock=Clock(), columns=lambda: 80)
    line(Progress(stage="read", done=1))
    line.clear()
