"""The private key: from the environment, a file or a command; never an option or a setting."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigurationError
from pipeline.settings import Secret

__all__ = ["read_private_key"]

_VALUE: Final = "BATCHPUB_PRIVATE_KEY"
_FILE: Final = "BATCHPUB_PRIVATE_KEY_FILE"
_COMMAND: Final = "BATCHPUB_PRIVATE_KEY_COMMAND"
_MAX_KEY: Final = 4_096
_COMMAND_TIMEOUT_S: Final = 60.0


def read_private_key(environment: Mapping[str, str]) -> Secret:
    """The private key from the one place that names it.

    Raises:
        ConfigurationError: no place or several, an unsafe or unreadable file, a failing command,
            or a text that is not one line.
    """
    given = [name for name in (_VALUE, _FILE, _COMMAND) if environment.get(name)]
    if not given:
        raise ConfigurationError(
            "there is no private key",
            source=_VALUE,
            remedy=f"set it, or {_FILE} or {_COMMAND}, in the environment",
        )
    if len(given) > 1:
        raise ConfigurationError(
            f"the private key comes from {len(given)} places: {', '.join(given)}",
            remedy="keep one of them and unset the rest",
        )
    source, text = given[0], environment[given[0]]
    if source == _FILE:
        text = _read_file(Path(text))
    elif source == _COMMAND:
        text = _run_command(text)
    return Secret(_one_line(text, source))


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise ConfigurationError(
                    "other users of this machine can reach the private key file",
                    source=path,
                    limit="0600",
                    actual=f"{stat.S_IMODE(mode):04o}",
                    remedy="run chmod 600 on it",
                )
            content = file.read(_MAX_KEY + 1)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the private key file: {error.strerror}", source=path
        ) from error
    return _decoded(content, str(path))


def _run_command(command: str) -> str:
    import shlex
    import subprocess

    try:
        words = shlex.split(command)
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
    except (ValueError, IndexError):
        raise ConfigurationError("not a command", source=_COMMAND) from None
    except OSError as error:
        raise ConfigurationError(
            f"the command cannot be started: {error.strerror}", source=_COMMAND
        ) from None
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            "the command did not end", source=_COMMAND, limit=f"{_COMMAND_TIMEOUT_S:g} s"
        ) from None
    if done.returncode != 0:
        raise ConfigurationError(
            f"the command failed with exit code {done.returncode}",
            source=_COMMAND,
            remedy="run it by hand; its output is not shown here because it may hold the key",
        )
    return _decoded(done.stdout, _COMMAND)


def _decoded(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:  # its text would quote the key
        raise ConfigurationError("the private key is not UTF-8 text", source=source) from None


def _one_line(text: str, source: str) -> str:
    key = text.strip()
    if not key:
        raise ConfigurationError("the private key is empty", source=source)
    if not key.isprintable() or len(key) > _MAX_KEY:
        raise ConfigurationError(
            f"the private key must be one line of at most {_MAX_KEY} characters", source=source
        )
    return key
