"""The XML export, its plain users read in several processes, in the order of the export.

Strategy: chunks go to the processes in turn, and each process has one chunk at a time: before it
gets the next, its answer is taken. So answers come in order, neither side ever waits for the other
to read, and no more than a chunk per process is held. The chunk is kept here until its answer is
taken: where that cannot be used, the reference reader reads the chunk itself.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Final, Self, TypeAlias

import orjson

from pipeline.errors import MachineError
from pipeline.export.quick_reader import ChunkReader
from pipeline.export.worker import ANSWER, REQUEST
from pipeline.limits import EXPORT_PIECE
from pipeline.records import UserRecommendations

__all__ = ["EncodedUsers", "ParallelXmlReader", "Portion", "WorkerProcesses"]

# Each chunk costs a turn of both processes; more pieces than these gain nothing.
_CHUNK_PIECES: Final = 4
_PIPE: Final = 1024 * 1024
_START: Final = (
    "import sys; sys.path[:] = sys.argv[1:]; from pipeline.export.worker import serve; serve()"
)


@dataclass(frozen=True, slots=True)
class EncodedUsers:
    """Users as JSON Lines, with what `Counts.as_dict` says of them and their ``ids``."""

    lines: bytes
    counted: dict[str, Any]

    def decode(self) -> list[UserRecommendations]:
        """The users as records."""
        return [orjson.loads(line) for line in self.lines.split(b"\n")[:-1]]


Portion: TypeAlias = EncodedUsers | list[UserRecommendations]


class WorkerProcesses:
    """Processes that answer in turn; use as a context manager, which ends them.

    Raises:
        MachineError: a process cannot be started, or ended before its time.
    """

    def __init__(self, count: int) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._next = 0
        self.count = count

    def __enter__(self) -> Self:
        try:
            for _ in range(self.count):
                # A group of its own: Ctrl-C is this process's to handle, who then ends that one.
                process = subprocess.Popen(
                    [sys.executable, "-c", _START, *sys.path],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    process_group=0,
                )
                self._processes.append(process)
                _widen(process.stdin)
                _widen(process.stdout)
        except OSError as error:
            self.__exit__()
            raise MachineError(
                f"cannot start a worker process: {error.strerror}", remedy="use one worker"
            ) from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            with suppress(OSError):  # what was not sent is of no use any more
                process.communicate()
        self._processes.clear()

    def send(self, chunk: bytes) -> None:
        """Give the next process in turn its chunk; its last answer was received."""
        process = self._processes[self._next % self.count]
        self._next += 1
        stream = process.stdin
        assert stream is not None  # noqa: S101  # it was asked for
        try:
            stream.write(REQUEST.pack(len(chunk)))
            stream.write(chunk)
            stream.flush()
        except OSError as error:
            raise _ended(process) from error

    def receive(self, turn: int) -> tuple[bytes, bytes]:
        """The answer to chunk number `turn`."""
        process = self._processes[turn % self.count]
        stream = process.stdout
        assert stream is not None  # noqa: S101  # it was asked for
        head = stream.read(ANSWER.size)
        if len(head) < ANSWER.size:
            raise _ended(process)
        counted_size, lines_size = ANSWER.unpack(head)
        counted, lines = stream.read(counted_size), stream.read(lines_size)
        if len(lines) < lines_size:
            raise _ended(process)
        return counted, lines


def _widen(stream: IO[bytes] | None) -> None:
    """Let a pipe hold a chunk, where that can be had."""
    if stream is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # a limit of the system: slower, not wrong
            fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE)


def _ended(process: subprocess.Popen[bytes]) -> MachineError:
    process.kill()
    return MachineError(
        "a worker process ended before its time",
        actual=f"exit code {process.wait()}",
        remedy="check memory, or use one worker",
    )


class ParallelXmlReader(ChunkReader[Portion]):
    """As `QuickXmlReader`, but users come in portions, most of them encoded by `processes`."""

    def __init__(
        self, processes: WorkerProcesses, *, source: object = None, piece_bytes: int = EXPORT_PIECE
    ) -> None:
        super().__init__(source=source, piece_bytes=piece_bytes, chunk_pieces=_CHUNK_PIECES)
        self._processes = processes
        self._pending: deque[bytes] = deque()
        self._turn = 0

    def _read(self, chunk: bytes) -> list[Portion]:
        found = list(self._settle()) if len(self._pending) == self._processes.count else []
        self._processes.send(chunk)
        self._pending.append(chunk)
        return found

    def _finish(self) -> Iterator[Portion]:
        while self._pending:
            yield from self._settle()

    def _settle(self) -> Iterator[Portion]:
        """Take the answer to the oldest chunk."""
        chunk = self._pending.popleft()
        counted, lines = self._processes.receive(self._turn)
        self._turn += 1
        if counted:
            found = orjson.loads(counted)
            if self._step_over(chunk, set(found["names"])):
                yield EncodedUsers(lines, found)
                return
        yield from self._wrap(self._reference.push(chunk))

    def _wrap(self, users: list[UserRecommendations]) -> list[Portion]:
        return [users] if users else []
