"""Where an option's value comes from when it was not typed: the environment, then the file.

Both are cyclopts configuration layers: they add tokens to options that have none yet, so an
option beats the environment, which beats the file, which beats the default.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from cyclopts import App, ArgumentCollection, Token
from cyclopts.argument import Argument

from pipeline.errors import ConfigurationError

__all__ = ["from_environment", "from_file", "variable_name"]

_SANDBOX: Final = "sandbox"
# What explains a list is asked with the settings the list is made with.
_TABLES: Final = {"explain": ("prepare", "explain")}
# The sandbox prints its keys: they must never be the real ones of the caller's environment, nor
# come from the part of the file that all commands share.
_SANDBOX_OWN: Final = frozenset(
    {
        "--tracker-id",
        "--public-key",
        "--private-key",
        "--klaviyo-key",
        "--smartemailing-user",
        "--smartemailing-key",
    }
)
# What never stands in a file or a command line.
_SECRETS: Final = frozenset({"--private-key", "--klaviyo-key", "--smartemailing-key"})


def variable_name(option: str) -> str:
    """The environment variable of an option: ``--tracker-id`` is ``BATCHPUB_TRACKER_ID``."""
    return "BATCHPUB_" + option.lstrip("-").replace("-", "_").upper()


def from_environment(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Fill options without a value from ``BATCHPUB_…``; an empty variable counts as unset."""
    del app
    for argument in _options(arguments):
        if argument.tokens or (commands == (_SANDBOX,) and argument.name in _SANDBOX_OWN):
            continue
        variable = variable_name(argument.name)
        text = os.environ.get(variable)
        if text:
            for index, value in enumerate(argument.env_var_split(text)):
                argument.append(
                    Token(keyword=variable, value=value, source="environment", index=index)
                )


def from_file(
    root: App, app: App, commands: tuple[str, ...], arguments: ArgumentCollection
) -> None:
    """Fill options without a value from the file that ``--config`` names; check all of it.

    Args:
        root: The app of all commands, whose options are the keys the file may hold.
        app: The command called, as cyclopts hands it over.
        commands: Its name.
        arguments: Its options, with the values found so far.

    Raises:
        ConfigurationError: the file is missing, is not TOML, or holds a key no command knows.
    """
    del app
    chosen = next((a for a in arguments if a.name == "--config" and a.tokens), None)
    if chosen is None:
        return
    path = Path(chosen.tokens[-1].value)
    content = _read(path)
    known = _known_options(root)
    shared = {key: value for key, value in content.items() if not isinstance(value, dict)}
    tables = _tables(content, known, path)
    everywhere = set().union(*(known[name] for name in known if name != _SANDBOX))
    _refuse_unknown(shared, everywhere, path, "")
    for name, table in tables.items():
        if name not in known:
            raise _unknown(name, sorted(known), path, "")
        _refuse_unknown(table, known[name], path, f"[{name}] ")
    command = ".".join(commands)
    # A sandbox takes only the common options from the shared part: see _SANDBOX_OWN.
    if command == _SANDBOX:
        shared = {key: value for key, value in shared.items() if _option(key) not in _SANDBOX_OWN}
    values = {_option(key): (key, value) for key, value in shared.items()}
    for name in _TABLES.get(command, (command,)):
        values |= {_option(key): (key, value) for key, value in tables.get(name, {}).items()}
    for argument in _options(arguments):
        if not argument.tokens and argument.name in values:
            _fill(argument, *values[argument.name], path)


def _options(arguments: ArgumentCollection) -> Iterator[Argument]:
    """The arguments that are options of their own: not positional, not a group of options."""
    for argument in arguments:
        if argument.name.startswith("--") and not argument.children:
            yield argument


def _known_options(root: App) -> dict[str, set[str]]:
    """The options of each command; a command within a group is called ``group.command``."""
    known: dict[str, set[str]] = {}
    for name, command in root.resolved_commands().items():
        if name.startswith("-"):
            continue
        within = {f"{name}.{leaf}": options for leaf, options in _known_options(command).items()}
        known |= within or {
            name: {
                argument.name
                for argument in _options(command.assemble_argument_collection())
                if argument.name != "--config"
            }
        }
    return known


def _tables(
    content: dict[str, Any], known: Iterable[str], path: Path, within: str = ""
) -> dict[str, dict[str, Any]]:
    """The tables of the file by command; those of a group lie within its own."""
    found: dict[str, dict[str, Any]] = {}
    for key, table in content.items():
        name = within + key
        if not isinstance(table, dict):
            if within:
                raise _unknown(key, sorted(known), path, f"[{within.rstrip('.')}] ")
        elif any(one.startswith(f"{name}.") for one in known):
            found |= _tables(table, known, path, f"{name}.")
        else:
            found[name] = table
    return found


def _read(path: Path) -> dict[str, object]:
    import tomllib

    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the configuration file: {error.strerror}", source=path
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError("the configuration file is not UTF-8", source=path) from error
    except tomllib.TOMLDecodeError as error:
        # The parser's text ends with "(at line 3, column 9)" and may quote a value before it.
        _, found, where = str(error).rpartition("(at ")
        raise ConfigurationError(
            "the configuration file is not valid TOML",
            source=path,
            position=where.rstrip(")") if found else None,
        ) from error


def _option(key: str) -> str:
    return "--" + key.replace("_", "-")


def _refuse_unknown(table: dict[str, object], known: set[str], path: Path, table_name: str) -> None:
    for key in table:
        if _option(key) not in known:
            raise _unknown(key, sorted(name.lstrip("-") for name in known), path, table_name)


def _unknown(key: str, known: list[str], path: Path, table_name: str) -> ConfigurationError:
    import difflib

    near = difflib.get_close_matches(key.replace("_", "-"), known, n=1)
    if _option(key) in _SECRETS:
        name = variable_name(_option(key))
        remedy: str | None = (
            f"it comes from {name}, {name}_FILE or {name}_COMMAND in the environment"
        )
    else:
        remedy = f"did you mean {near[0].replace('-', '_')}?" if near else None
    return ConfigurationError(
        "unknown key", source=path, position=f"{table_name}{key}", remedy=remedy
    )


def _fill(argument: Argument, key: str, value: object, path: Path) -> None:
    many = argument.token_count()[1]
    items = value if many and isinstance(value, list) else [value]
    for index, item in enumerate(items):
        if isinstance(item, list | dict | dt.time):
            raise ConfigurationError(
                "the value must be text, a number, a date or true/false"
                + (", or a list of them" if many else ""),
                source=path,
                position=key,
            )
        if isinstance(item, dt.date):  # a datetime is one too
            text = item.isoformat()
        else:
            text = str(item).lower() if isinstance(item, bool) else str(item)
        argument.append(Token(keyword=key, value=text, source=str(path), index=index))
