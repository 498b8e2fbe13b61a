"""What `explain` found, as a table for people, 80 columns wide by intent."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from pipeline.cli.layout import count, duration
from pipeline.explanation.verdict import shown_time
from pipeline.records import ExplainSummary, SeenRow
from pipeline.userlist.mask import visible

__all__ = ["explain_lines"]

_WIDTH: Final = 80
_ID_WIDTH: Final = 24
_ROWS: Final = 12
_WORDS: Final = {
    "latest": "the latest, counts",
    "suppressed": "suppresses",
    "no effect": "of another user",
}

_DIFFERENCES: Final = {"leading zeros or .0": "zeros", "several of these": "several"}


def explain_lines(done: ExplainSummary) -> list[str]:
    """The lines of the summary; the last ones are the verdict."""
    blocks = [
        *_block(done, "rows with this id", done.rows, done.outcomes),
        *_block(done, "rows of ids that come close", done.near_rows, done.near_outcomes),
        *_block(done, "in the suppression lists", done.suppression_rows, {}),
    ]
    facts = [
        ("window", _window(done)),
        ("place", _place(done)),
        ("size", _size(done)),
        ("last kept", "-" if done.oldest_kept is None else _time(done, done.oldest_kept)),
        ("read", f"{count(done.rows_read, 'row')} in {duration(done.duration_s)}"),
    ]
    return [
        *blocks,
        *(f"  {label:<9}  {text}" for label, text in facts if text),
        "",
        *textwrap.wrap(done.verdict, _WIDTH, break_long_words=False, break_on_hyphens=False),
    ]


def _block(
    done: ExplainSummary, title: str, rows: Sequence[SeenRow], outcomes: Mapping[str, int]
) -> Iterable[str]:
    if not rows:
        return
    total = max(sum(outcomes.values()), len(rows))
    yield f"  {title}: {total:,}"
    shown = list(rows[:_ROWS])
    shown += [one for one in rows[_ROWS:] if one.outcome == "latest"]
    for source, group in groupby(shown, key=lambda one: one.source):
        yield _cut(f"    {source}")
        yield from _table(done, list(group))
    if total > len(shown):
        rest = ", ".join(f"{number:,} {name}" for name, number in outcomes.items())
        yield _cut(f"    … of all: {rest}" if rest else f"    … {total - len(shown):,} more")
    yield ""


def _table(done: ExplainSummary, rows: Sequence[SeenRow]) -> Iterable[str]:
    cells = [
        (
            f"row {one.row:,}",
            "" if one.user_id == done.user_id else _cut(visible(one.user_id), _ID_WIDTH),
            "" if one.time is None else _time(done, one.time),
            _WORDS.get(one.outcome, one.outcome),
            ""
            if one.difference is None
            else f"({_DIFFERENCES.get(one.difference, one.difference)})",
        )
        for one in rows
    ]
    widths = [max(len(row[at]) for row in cells) for at in range(5)]
    for row in cells:
        columns = [text.ljust(width) for text, width in zip(row, widths, strict=True) if width]
        yield _cut("      " + "  ".join(columns).rstrip())


def _window(done: ExplainSummary) -> str:
    end = _time(done, done.as_of)
    if done.window_start is None:
        return f"none, as of {end} {done.timezone}"
    return f"{_time(done, done.window_start)} to {end} {done.timezone}"


def _place(done: ExplainSummary) -> str:
    if done.place is None:
        return ""
    fitting = "all fit" if done.fitting_users == done.users else f"{done.fitting_users:,} fit"
    return f"{done.place:,} of {count(done.users, 'user')}, {fitting}"


def _size(done: ExplainSummary) -> str:
    if done.bytes_upto is None:
        return ""
    return f"{done.bytes_upto:,} bytes up to this user, of {done.max_bytes:,} allowed"


def _time(done: ExplainSummary, text: str) -> str:
    return shown_time(datetime.fromisoformat(text), done.timezone)


def _cut(text: str, width: int = _WIDTH) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
