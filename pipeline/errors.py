"""Every way a run can end badly, one class per exit code.

    BatchpubError                 never raised itself
    ├── ConfigurationError   2    usage or configuration, a wrong column name too
    ├── InputError           3    input missing, unreadable, malformed, over the reject budget
    ├── GuardError           4    a guard refused: the data is readable but must not be used
    ├── RemoteError          5    the remote service refused
    ├── TryLaterError        6    remote unavailable, deadline passed, lock held
    ├── UncertainError       7    sent whole, but no trustworthy answer came
    └── MachineError         8    this machine: disk, permission, memory
    Terminated             143    SIGTERM (Ctrl-C is Python's own KeyboardInterrupt, 130)

Exit code 1 means a bug in batchpub: any other exception.
Callers read the type and the fields, never the text. No field ever holds a secret, a user id
or the content of a row.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BatchpubError",
    "ConfigurationError",
    "GuardError",
    "InputError",
    "MachineError",
    "RemoteError",
    "Terminated",
    "TryLaterError",
    "UncertainError",
]


class BatchpubError(Exception):
    """Base of all errors a user can act on.

    Args:
        message: What went wrong, one sentence, no trailing full stop.
        source: The file, URL or option concerned.
        position: Where in the source, in words: ``row 7``, ``line 3, column 9, byte 120``.
        remedy: What the user can do about it, one sentence.
        limit: The limit that was broken, in the unit the message names.
        actual: The value that broke it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        source: object = None,
        position: str | None = None,
        remedy: str | None = None,
        limit: float | str | None = None,
        actual: float | str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = None if source is None else str(source)
        self.position = position
        self.remedy = remedy
        self.limit = limit
        self.actual = actual

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.source, self.position) if part)
        text = f"{where}: {self.message}" if where else self.message
        known = [f"{name} {value}" for name, value in self._figures() if value is not None]
        if known:
            text += f" ({', '.join(known)})"
        return f"{text}; {self.remedy}" if self.remedy else text

    def _figures(self) -> tuple[tuple[str, object], ...]:
        return ("limit", self.limit), ("actual", self.actual)

    def as_dict(self) -> dict[str, object]:
        """The error as ``--json`` prints it."""
        return {
            "class": type(self).__name__,
            "message": self.message,
            "source": self.source,
            "position": self.position,
            "limit": self.limit,
            "actual": self.actual,
            "remedy": self.remedy,
            "exit_code": self.exit_code,
        }


class ConfigurationError(BatchpubError):
    """An option, setting, column name or credential is missing or wrong."""

    exit_code = 2


class InputError(BatchpubError):
    """An input file or stream cannot be trusted."""

    exit_code = 3


class GuardError(BatchpubError):
    """Going on would be dangerous; ``remedy`` names what would allow it."""

    exit_code = 4


class RemoteError(BatchpubError):
    """The remote service answered, and the answer is no."""

    exit_code = 5


class TryLaterError(BatchpubError):
    """The same call may succeed later; nothing was changed unless the text says otherwise."""

    exit_code = 6


class UncertainError(BatchpubError):
    """The remote state is unknown: the request was complete, its answer never came."""

    exit_code = 7


class MachineError(BatchpubError):
    """This machine could not do its part: disk, permission, memory."""

    exit_code = 8


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised in the main thread; a KeyboardInterrupt so that asyncio lets it through."""

    exit_code: ClassVar[int] = 143
