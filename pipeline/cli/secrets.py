"""Secrets: from the environment, a file or a command; never an option or a setting."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigurationError
from pipeline.settings import Secret

__all__ = [
    "EXPORT_SECRET",
    "KLAVIYO_KEY",
    "PRIVATE_KEY",
    "SMARTEMAILING_KEY",
    "read_secret",
    "secret_is_set",
]

PRIVATE_KEY: Final = "BATCHPUB_PRIVATE_KEY"
EXPORT_SECRET: Final = "BATCHPUB_EXPORT_SECRET"  # noqa: S105 - the name of one
KLAVIYO_KEY: Final = "BATCHPUB_KLAVIYO_KEY"
SMARTEMAILING_KEY: Final = "BATCHPUB_SMARTEMAILING_KEY"
_MAX_KEY: Final = 4_096
_COMMAND_TIMEOUT_S: Final = 60.0


def secret_is_set(environment: Mapping[str, str], name: str) -> bool:
    """Whether the environment names a place for the secret `name`."""
    return any(environment.get(place) for place in _places(name))


def read_secret(environment: Mapping[str, str], name: str, *, what: str) -> Secret:
    """The secret from the one place that names it: ``NAME``, ``NAME_FILE`` or ``NAME_COMMAND``.

    Args:
        environment: Where to look.
        name: Such as `PRIVATE_KEY`.
        what: Its name in messages: ``private key``.

    Raises:
        ConfigurationError: no place or several, an unsafe or unreadable file, a failing command,
            or a text that is not one line.
    """
    value, file, command = _places(name)
    given = [place for place in (value, file, command) if environment.get(place)]
    if not given:
        raise ConfigurationError(
            f"there is no {what}",
            source=value,
            remedy=f"set it, or {file} or {command}, in the environment",
        )
    if len(given) > 1:
        raise ConfigurationError(
            f"the {what} comes from {len(given)} places: {', '.join(given)}",
            remedy="keep one of them and unset the rest",
        )
    source, text = given[0], environment[given[0]]
    if source == file:
        text = _read_file(Path(text), what)
    elif source == command:
        text = _run_command(text, source, what)
    return Secret(_one_line(text, source, what))


def _places(name: str) -> tuple[str, str, str]:
    return name, f"{name}_FILE", f"{name}_COMMAND"


def _read_file(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise ConfigurationError(
                    f"other users of this machine can reach the {what} file",
                    source=path,
                    limit="0600",
                    actual=f"{stat.S_IMODE(mode):04o}",
                    remedy="run chmod 600 on it",
                )
            content = file.read(_MAX_KEY + 1)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the {what} file: {error.strerror}", source=path
        ) from error
    return _decoded(content, str(path), what)


def _run_command(command: str, source: str, what: str) -> str:
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
        raise ConfigurationError("not a command", source=source) from None
    except OSError as error:
        raise ConfigurationError(
            f"the command cannot be started: {error.strerror}", source=source
        ) from None
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            "the command did not end", source=source, limit=f"{_COMMAND_TIMEOUT_S:g} s"
        ) from None
    if done.returncode != 0:
        raise ConfigurationError(
            f"the command failed with exit code {done.returncode}",
            source=source,
            remedy="run it by hand; its output is not shown here because it may hold the secret",
        )
    return _decoded(done.stdout, source, what)


def _decoded(content: bytes, source: str, what: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:  # its text would quote the key
        raise ConfigurationError(f"the {what} is not UTF-8 text", source=source) from None


def _one_line(text: str, source: str, what: str) -> str:
    key = text.strip()
    if not key:
        raise ConfigurationError(f"the {what} is empty", source=source)
    if not key.isprintable() or len(key) > _MAX_KEY:
        raise ConfigurationError(
            f"the {what} must be one line of at most {_MAX_KEY} characters", source=source
        )
    return key
