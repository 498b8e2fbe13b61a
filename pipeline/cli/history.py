"""``batchpub history``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.records import HistorySummary, UploadRun
from pipeline.settings import HistorySettings

__all__ = ["history", "history_lines"]


def history(
    *,
    settings: Annotated[HistorySettings, Parameter(name="*", group=OPTIONS)] = HistorySettings(),  # noqa: B008 - frozen
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> HistorySummary:
    """Run the flow `history`."""
    from pipeline import flows

    return flows.history(settings, state_dir=common.state_dir)


def history_lines(done: HistorySummary) -> list[str]:
    """A headline, then a line per run and, indented, why it did not end well."""
    of = "" if done.tracker_id is None else f" to tracker {done.tracker_id}"
    if not done.runs:
        return [f"No uploads{of} are known in {done.ledger}"]
    rows = [_row(run, named=done.tracker_id is None) for run in done.runs]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(rows[0]))]
    lines = [f"The last uploads{of}, newest first, from {done.ledger}"]
    for run, (when, who, users, change, outcome) in zip(done.runs, rows, strict=True):
        tracker = f"  {who:<{widths[1]}}" if widths[1] else ""
        counts = f"{users:>{widths[2]}}  {change:>{widths[3]}}"
        lines.append(f"  {when}{tracker}  {counts}  {outcome}")
        if run.error is not None:
            lines.append(f"      {run.error}")
        if run.confirmed_by:
            lines.append(f"      with {' '.join(run.confirmed_by)}")
    return lines


def _row(run: UploadRun, *, named: bool) -> tuple[str, str, str, str, str]:
    when = run.started_at[:19].replace("T", " ") + " UTC"
    return when, run.tracker_id if named else "", f"{run.users:,} users", _change(run), run.outcome


def _change(run: UploadRun) -> str:
    if run.added is not None and run.removed is not None:
        return f"+{run.added:,} -{run.removed:,}"
    if run.old_users is None:
        return "first"
    return f"{run.users - run.old_users:+,}"
