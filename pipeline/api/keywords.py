"""How settings become keywords of functions.

Strategy: no option is listed twice. `one_path` and `two_paths` take the keywords of a function,
with their types and defaults, from the constructor of a dataclass that extends the settings: for
the type checker by a ParamSpec, for `help()` by the signature.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar, overload

from pipeline.settings import Secret

OnePath: TypeAlias = str | os.PathLike[str]
Paths: TypeAlias = OnePath | Sequence[OnePath]
P = ParamSpec("P")
OptionsT = TypeVar("OptionsT")
SettingsT = TypeVar("SettingsT")
FirstT = TypeVar("FirstT")
SecondT = TypeVar("SecondT")
ResultT = TypeVar("ResultT")


def no_path(
    options: Callable[P, OptionsT],
) -> Callable[[Callable[[OptionsT], ResultT]], Callable[P, ResultT]]:
    """Decorate a function of options alone: the options become its keywords."""

    def decorate(function: Callable[[OptionsT], ResultT]) -> Callable[P, ResultT]:
        @functools.wraps(function)
        def called(*args: P.args, **keywords: P.kwargs) -> ResultT:
            return function(options(*args, **keywords))

        _sign(called, function, options)
        return called

    return decorate


def one_path(
    options: Callable[P, OptionsT],
) -> Callable[[Callable[[FirstT, OptionsT], ResultT]], Callable[Concatenate[FirstT, P], ResultT]]:
    """Decorate a function of a path and options: the options become its keywords."""

    def decorate(
        function: Callable[[FirstT, OptionsT], ResultT],
    ) -> Callable[Concatenate[FirstT, P], ResultT]:
        @functools.wraps(function)
        def called(first: FirstT, /, *args: P.args, **keywords: P.kwargs) -> ResultT:
            return function(first, options(*args, **keywords))

        _sign(called, function, options)
        return called

    return decorate


def two_paths(
    options: Callable[P, OptionsT],
) -> Callable[
    [Callable[[FirstT, SecondT, OptionsT], ResultT]],
    Callable[Concatenate[FirstT, SecondT, P], ResultT],
]:
    """Decorate a function of two paths and options: the options become its keywords."""

    def decorate(
        function: Callable[[FirstT, SecondT, OptionsT], ResultT],
    ) -> Callable[Concatenate[FirstT, SecondT, P], ResultT]:
        @functools.wraps(function)
        def called(
            first: FirstT, second: SecondT, /, *args: P.args, **keywords: P.kwargs
        ) -> ResultT:
            return function(first, second, options(*args, **keywords))

        _sign(called, function, options)
        return called

    return decorate


def _sign(called: Any, function: Callable[..., Any], options: Callable[..., Any]) -> None:
    """Give `called` the signature that the type checker sees."""
    whole = inspect.signature(function)
    *paths, _ = whole.parameters.values()
    keywords = inspect.signature(options).parameters.values()
    called.__signature__ = whole.replace(
        parameters=[*(one.replace(kind=one.POSITIONAL_ONLY) for one in paths), *keywords]
    )


@overload
def secret(key: str | Secret) -> Secret: ...


@overload
def secret(key: None) -> None: ...


def secret(key: str | Secret | None) -> Secret | None:
    """`key` as text that never shows itself."""
    return Secret(key) if isinstance(key, str) else key


def folder(path: OnePath | None) -> Path | None:
    """`path` as a Path, where there is one."""
    return None if path is None else Path(path)


def several(paths: Paths) -> Sequence[OnePath]:
    """One path or several, as a sequence: a text is one path and not its letters."""
    return [paths] if isinstance(paths, str | os.PathLike) else paths


def part(settings: Callable[..., SettingsT], options: Any) -> SettingsT:
    """The plain settings within `options`: listeners and keys do not travel with them."""
    names = [one.name for one in fields(settings)]  # type: ignore[arg-type]
    return settings(**{name: getattr(options, name) for name in names})
