"""Files that appear at their name whole, or not at all.

Strategy: write to a hidden file beside the target, fsync, rename, fsync the folder. Several
outputs of one run are all complete and on disk before the first rename. A former file at the
target stays until the rename, and stays for good when the run fails.
"""

from __future__ import annotations

import atexit
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pipeline.errors import BatchpubError, ConfigurationError, MachineError

__all__ = ["PendingFile", "machine_errors", "publish", "refuse_overwriting"]

# Every temporary file that is on disk. A signal can come between the moment a file is made and the
# one its owner's clean-up stands; what is left here is removed when the process ends.
_unpublished: set[Path] = set()

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def machine_errors(path: object, doing: str) -> Iterator[None]:
    """Turn an OSError about `path` into a MachineError that says what and how to mend it."""
    try:
        yield
    except OSError as error:
        raise _translate(error, path, doing) from error


def _translate(error: OSError, path: object, doing: str) -> BatchpubError:
    if error.errno in _DISK:
        remedy = "free disk space or choose another folder"
    elif isinstance(error, PermissionError):
        remedy = "check the permissions of the file and its folder"
    else:
        remedy = "check the disk and the path"
    reason = error.strerror or type(error).__name__
    return MachineError(f"cannot {doing}: {reason}", source=path, remedy=remedy)


class PendingFile:
    """A binary file on its way to `target`; call `publish` to let it appear.

    Used as a context manager: leaving the block without `publish` removes what was written.
    The temporary file is readable by its owner only; the published one has the mode of the file
    it replaces, or else the usual mode under the umask.

    Raises:
        ConfigurationError: the target cannot be a file (a folder, a device, no such folder).
        MachineError: the disk refused.
    """

    def __init__(self, target: str | os.PathLike[str]) -> None:
        self.target = Path(target)
        resolved = Path(os.path.realpath(self.target))
        self._resolved = resolved
        try:
            found: os.stat_result | None = resolved.stat()
        except FileNotFoundError:
            found = None
        except (NotADirectoryError, OSError) as error:
            raise _translate(error, self.target, "write") from error
        if found is not None and not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
            raise ConfigurationError(
                f"the output is {kind}", source=self.target, remedy="name a file to write"
            )
        if not resolved.parent.is_dir():
            raise ConfigurationError(
                "the folder of the output does not exist",
                source=self.target,
                remedy=f"create {self.target.parent} first",
            )
        self._mode = None if found is None else stat.S_IMODE(found.st_mode)
        self.path = resolved.with_name(f".{resolved.name[:200]}.{os.getpid()}.{id(self):x}.tmp")
        self._done = False
        _unpublished.add(self.path)
        with machine_errors(self.target, "write"):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            self.file: IO[bytes] = os.fdopen(descriptor, "w+b", buffering=0)

    def write(self, data: bytes | memoryview) -> int:
        """Write all of `data`; a disk that refuses is a MachineError."""
        with machine_errors(self.target, "write"):
            written = self.file.write(data)
            while written < len(data):  # a short write: the next one tells why
                written += self.file.write(memoryview(data)[written:])
        return written

    def sync(self) -> None:
        """Bring everything written so far to the disk, and take the final mode."""
        with machine_errors(self.target, "write"):
            self.file.flush()
            mode = self._mode if self._mode is not None else 0o666 & ~_umask()
            os.fchmod(self.file.fileno(), mode)
            os.fsync(self.file.fileno())
            self.file.close()

    def rename(self) -> None:
        """Let the file appear at its name; `sync` comes first."""
        with machine_errors(self.target, "publish"):
            self.path.replace(self._resolved)
            self._done = True
            _unpublished.discard(self.path)
            folder = os.open(self._resolved.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Remove what was written, unless it has been published."""
        if not self._done:
            self._done = True
            try:
                self.file.close()
            finally:
                self.path.unlink(missing_ok=True)
                _unpublished.discard(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.discard()


def publish(files: Iterable[PendingFile]) -> None:
    """Sync every file, then rename every file; nothing appears if a sync fails."""
    pending = list(files)
    with ExitStack() as stack:
        for one in pending:
            stack.callback(one.discard)
        for one in pending:
            one.sync()
        for one in pending:
            one.rename()


def refuse_overwriting(
    inputs: Iterable[str | os.PathLike[str]], outputs: Iterable[Path | None]
) -> None:
    """No output may be an input, nor another output.

    Raises:
        ConfigurationError: one is.
    """
    taken = {os.path.realpath(name) for name in inputs}
    for path in outputs:
        if path is None:
            continue
        if os.path.realpath(path) in taken:
            raise ConfigurationError(
                "the output would overwrite another file of this run",
                source=path,
                remedy="name another output",
            )
        taken.add(os.path.realpath(path))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@atexit.register
def _sweep() -> None:
    for path in _unpublished:
        with suppress(OSError):
            path.unlink(missing_ok=True)
