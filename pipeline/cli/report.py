"""What leaves the program: one JSON object on stdout, lines on stderr; never half a line.

A reader that went away (a closed pipe) is no error, because the work is what the exit code tells
about. A stdout that cannot take the answer is one: the caller would act on half of it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from pathlib import PurePath
from typing import IO, Any

from pipeline.errors import MachineError

__all__ = ["flush_stdout", "leave_echo", "print_json", "print_lines", "printable"]


def printable(text: str) -> str:
    """`text` as one line that cannot move the cursor: control characters become escapes."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )


def print_json(value: object) -> None:
    """Print `value`, a mapping or a record, as one line on stdout.

    Raises:
        MachineError: stdout is closed or its disk refused.
    """
    content = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    line = json.dumps(_plain(content), default=str) + "\n"
    if sys.stdout is None:
        raise MachineError("stdout is closed, the answer is lost", remedy="leave stdout open")
    try:
        sys.stdout.write(line)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _silence(sys.stdout)
        raise MachineError(f"cannot write the answer: {error.strerror}", source="stdout") from error


def print_lines(lines: Iterable[str]) -> None:
    """Print lines on stderr; nobody is left to tell when that fails."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
        sys.stderr.flush()
    except (OSError, ValueError):
        _silence(sys.stderr)


def leave_echo() -> None:
    """Step off the line where a terminal has just echoed ``^C``."""
    if sys.stderr is not None and sys.stderr.isatty():
        print_lines([""])


def flush_stdout() -> None:
    """Bring help and version texts out now, where a closed pipe can be borne.

    Raises:
        MachineError: the disk behind stdout refused.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _silence(sys.stdout)
        raise MachineError(f"cannot write: {error.strerror}", source="stdout") from error


def _silence(stream: IO[str]) -> None:
    """Let the interpreter's last flush of `stream` go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)


def _plain(value: Any) -> Any:
    """`value` with text that is valid Unicode: a file name need not be."""
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, PurePath):
        value = str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return value
