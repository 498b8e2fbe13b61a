"""The command ``batchpub``, also ``python -m pipeline``."""

from __future__ import annotations

import sys


def entry() -> None:
    """Run the command line and leave with its exit code."""
    try:
        from pipeline.cli.interrupts import guarded

        code = guarded(_run)
    except KeyboardInterrupt:  # Ctrl-C before the handlers stood: nothing was begun
        code = 130
    sys.exit(code)


def _run() -> int:
    from pipeline.cli.app import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    entry()
