"""Help pages as plain text in two columns: they read well in a pager, a log and a README."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

__all__ = ["PlainHelp", "default_text"]

_MAX_WIDTH: Final = 100
_LABEL_WIDTH: Final = 26
# The settings say `int | str` for sizes and `str | float` for durations or shares.
_METAVARS: Final = {"INT|STR": "SIZE", "STR|FLOAT": "DURATION", "STR": "TEXT", "INT": "NUMBER"}
_SHARES: Final = ("--min-coverage", "--min-match", "--max-shrink", "--max-grow", "--min-overlap")


class PlainHelp:
    """A cyclopts help formatter: label left, text right, wrapped to the terminal."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print one group of options or commands."""
        if not panel.entries:
            return
        width = min(options.max_width, _MAX_WIDTH)
        lines = ["", f"{panel.title}:"]
        for entry in panel.entries:
            lines += _entry(entry, width)
        _print(console, "\n".join(lines))

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Print the usage line."""
        del options
        text = str(getattr(usage, "plain", usage)).strip()
        _print(console, f"Usage: {text.removeprefix('Usage: ')}")

    def render_description(
        self, console: Console, options: ConsoleOptions, description: Any
    ) -> None:
        """Print what the command is for, paragraph by paragraph."""
        text = _text(description)
        width = min(options.max_width, _MAX_WIDTH)
        paragraphs = [
            textwrap.fill(" ".join(part.split()), width) for part in text.split("\n\n") if part
        ]
        if paragraphs:
            _print(console, "\n" + "\n\n".join(paragraphs))


def default_text(value: object) -> str | None:
    """A default worth showing; absence is not, and the text may speak of it."""
    if value is None or value is False or value == ():
        return None
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int) and value >= 10**6:
        return f"{value:_}"
    return str(value)


def _entry(entry: HelpEntry, width: int) -> list[str]:
    names = [*entry.positive_shorts, *entry.positive_names]
    label = entry.positional_label or ", ".join(names)
    if entry.metavar and not entry.positional_label:
        metavar = entry.metavar.removesuffix("...")
        share = any(name in _SHARES for name in names)
        label += " PERCENT" if share else f" {_METAVARS.get(metavar, metavar)}"
    notes = []
    if entry.choices:
        notes.append(f"One of {', '.join(entry.choices)}.")
    if entry.default is not None:
        notes.append(f"Default: {entry.default}.")
    if entry.required and not entry.positional_label:
        notes.append("Required.")
    text = " ".join([*_text(entry.description).split(), *notes])
    wrapped = textwrap.wrap(text, width - _LABEL_WIDTH - 4, break_on_hyphens=False) or [""]
    if len(label) > _LABEL_WIDTH:
        return [f"  {label}", *(" " * (_LABEL_WIDTH + 4) + line for line in wrapped)]
    first, *rest = wrapped
    return [
        f"  {label:<{_LABEL_WIDTH}}  {first}".rstrip(),
        *(" " * (_LABEL_WIDTH + 4) + line for line in rest),
    ]


def _text(renderable: Any) -> str:
    """The characters of what cyclopts made of a docstring."""
    if renderable is None:
        return ""
    primary = getattr(renderable, "primary_renderable", renderable)
    return str(getattr(primary, "plain", primary)).strip()


def _print(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
