"""The command ``batchpub``, also ``python -m pipeline``."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from typing import Final, NoReturn

# polars' allocator, read when it is loaded: memory that was freed goes back to the system after
# 50 ms instead of staying in our size for as long as nobody else wants it. ADR 2 has the figures.
_ALLOCATOR: Final = ("_RJEM_MALLOC_CONF", "dirty_decay_ms:50,muzzy_decay_ms:0")


def entry() -> NoReturn:
    """Run the command line and leave with its exit code."""
    os.environ.setdefault(*_ALLOCATOR)
    try:
        from pipeline.cli.interrupts import guarded

        code = guarded(_run)
    except KeyboardInterrupt:  # Ctrl-C before the handlers stood: nothing was begun
        code = 130
    _leave(code)


def _run() -> int:
    from pipeline.cli.app import run

    return run(sys.argv[1:])


def _leave(code: int) -> NoReturn:
    """End the process without taking the interpreter apart.

    A reader thread of a stopped run may still be inside pyarrow or polars, and one that comes
    back while the interpreter is being taken apart aborts the process (SIGABRT, seen with
    pyarrow 26).
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - os._exit leaves them out
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    entry()
