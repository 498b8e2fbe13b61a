"""Any exception → one error and one exit code."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import pipeline
from pipeline.errors import BatchpubError, ConfigurationError, MachineError, Terminated

if TYPE_CHECKING:
    from cyclopts.argument import Argument

__all__ = ["Failure", "failure"]

# What any statement can meet, also one far from an edge that translates: an import, a log line.
_MACHINE: Final = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An error as it is shown: its exit code, its line and its JSON fields."""

    exit_code: int
    line: str
    fields: dict[str, object]


def failure(error: BaseException) -> Failure:
    """What to tell about `error`; foreign text is not repeated, it may quote data."""
    if isinstance(error, Terminated):
        return _stopped(143, "Terminated", "terminated")
    if isinstance(error, KeyboardInterrupt):
        return _stopped(130, "Interrupted", "interrupted")
    known = _known(error)
    if known is not None:
        return Failure(
            exit_code=known.exit_code, line=f"batchpub: error: {known}", fields=known.as_dict()
        )
    return _bug(error)


def _known(error: BaseException) -> BatchpubError | None:
    if isinstance(error, BatchpubError):
        return error
    if isinstance(error, MemoryError):
        return MachineError(
            "out of memory", remedy="lower --memory, or give this machine or container more"
        )
    if isinstance(error, OSError) and error.errno in _MACHINE:
        return MachineError(
            f"the system refused: {error.strerror}",
            source=error.filename,
            remedy="check disk space, open file limit and memory",
        )
    return _usage(error)


def _usage(error: BaseException) -> ConfigurationError | None:
    from cyclopts import (
        CycloptsError,
        MissingArgumentError,
        UnknownCommandError,
        UnknownOptionError,
        UnusedCliTokensError,
    )

    if not isinstance(error, CycloptsError):
        return None
    command = " ".join(error.command_chain or ())
    remedy = f"see batchpub {command} --help" if command else "see batchpub --help"
    if isinstance(error, UnknownOptionError):
        return _unknown_option(error.token.keyword or error.token.value, str(error), remedy)
    if isinstance(error, UnknownCommandError) and error.unused_tokens:
        return _unknown_command(error.unused_tokens[0], str(error))
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        return _missing(error.argument, error.keyword, remedy)
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return ConfigurationError(
            f"unexpected argument {error.unused_tokens[0]!r}",
            remedy="repeat -o for each output" if command in {"parse", "fetch"} else remedy,
        )
    text = " ".join(str(error).split()).rstrip(".")
    return ConfigurationError(text[:1].lower() + text[1:], remedy=remedy)


def _unknown_command(typed: str, text: str) -> ConfigurationError:
    if typed.startswith("-"):
        return ConfigurationError(
            f"no command before {typed.split('=', 1)[0]}", remedy="options follow the command"
        )
    near = text.partition('Did you mean "')[2].partition('"')[0]
    remedy = f"did you mean {near}?" if near else "see batchpub --help"
    return ConfigurationError(f"unknown command {typed!r}", remedy=remedy)


def _missing(argument: Argument, keyword: str | None, remedy: str) -> ConfigurationError:
    typed = keyword or next((token.keyword for token in argument.tokens if token.keyword), None)
    if typed:
        return ConfigurationError(f"{typed} needs a value", remedy=remedy)
    return ConfigurationError(f"{argument.name} is missing", remedy=remedy)


def _unknown_option(typed: str, text: str, remedy: str) -> ConfigurationError:
    option = typed.split("=", 1)[0]  # what follows may be the key itself
    if option in {"--private-key", "--klaviyo-key", "--smartemailing-key"}:
        variable = "BATCHPUB_" + option[2:].replace("-", "_").upper()
        remedy = f"set {variable}, other users can see the options of a process"
    elif "Did you mean " in text:
        remedy = "did you mean " + text.rpartition("Did you mean ")[2]
    return ConfigurationError(f"unknown option {option}", remedy=remedy)


def _stopped(code: int, name: str, message: str) -> Failure:
    fields = BatchpubError(message).as_dict() | {"class": name, "exit_code": code}
    return Failure(exit_code=code, line=f"batchpub: {message}", fields=fields)


def _bug(error: BaseException) -> Failure:
    place = _innermost(error.__traceback__)
    bug = BatchpubError(
        f"this is a bug in batchpub: {type(error).__name__}",
        position=place,
        remedy="please report it; BATCHPUB_DEBUG=1 shows the traceback, which may quote your data",
    )
    fields = bug.as_dict() | {"class": type(error).__name__}
    return Failure(exit_code=1, line=f"batchpub: error: {bug}", fields=fields)


def _innermost(traceback: TracebackType | None) -> str | None:
    """File and line of the last frame of our own code: where to start looking."""
    package = Path(pipeline.__file__).parent
    place = None
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file.startswith(str(package) + os.sep):
            relative = Path(file).relative_to(package.parent)
            place = f"{relative}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
