"""The way in: from the vendor's export to recommendations."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.api.keywords import OnePath, Paths, folder, part, secret, several, two_paths
from pipeline.records import ExportSummary, FetchSummary, OnProgress, ignore_progress
from pipeline.settings import ExportSettings, FetchSettings, Secret

if TYPE_CHECKING:
    from pyarrow import RecordBatchReader


@dataclass(frozen=True, kw_only=True)
class _ParseOptions(ExportSettings):
    on_progress: OnProgress = ignore_progress


@dataclass(frozen=True, kw_only=True)
class _FetchOptions(FetchSettings, ExportSettings):
    secret: str | Secret | None = field(default=None, repr=False)
    state_dir: OnePath | None = None
    on_progress: OnProgress = ignore_progress


@two_paths(_ParseOptions)
def parse(export: OnePath, outputs: Paths, options: _ParseOptions) -> ExportSummary:
    """Turn an export on disk into recommendations, as ``batchpub parse`` does.

    Args:
        export: The export, XML.
        outputs: The file to write, its suffix tells the format; or a sequence of them.
        options: The fields of `ExportSettings` as keywords, and ``on_progress``.

    Returns:
        What the export held.

    Raises:
        ConfigurationError: a wrong keyword value or output.
        InputError: the export is missing, malformed or cut short.
        MachineError: disk, permission or memory.
    """
    from pipeline import flows

    return flows.parse(
        Path(export),
        [Path(one) for one in several(outputs)],
        part(ExportSettings, options),
        on_progress=options.on_progress,
    )


@two_paths(_FetchOptions)
def fetch(url: str, outputs: Paths, options: _FetchOptions) -> FetchSummary:
    """Download an export and parse it as it arrives, as ``batchpub fetch`` does.

    Args:
        url: The address of the export, https or file.
        outputs: The file to write, its suffix tells the format; or a sequence of them.
        options: The fields of `FetchSettings` and `ExportSettings` as keywords, ``on_progress``,
            ``secret``, the password, token or key for the address, and ``state_dir``, the folder
            with the memory of earlier runs.

    Returns:
        What was transferred and what the export held; ``outcome`` tells when the outputs were
        that version of the export already.

    Raises:
        ConfigurationError: a wrong keyword value, URL or output.
        InputError: the export is malformed or cut short.
        GuardError: the export is whole, and a check that was asked for refuses it.
        RemoteError: the service refused.
        TryLaterError: the service was not reached, or not in time; or no export that may be
            published came within ``wait``.
        MachineError: disk, permission or memory.
    """
    from pipeline import flows

    return flows.fetch(
        url,
        [Path(one) for one in several(outputs)],
        part(FetchSettings, options),
        part(ExportSettings, options),
        secret=secret(options.secret),
        state_dir=folder(options.state_dir),
        on_progress=options.on_progress,
    )


def read_export(export: OnePath) -> RecordBatchReader:
    """The table of an export, one row per recommended item, as a stream of Arrow batches.

    What takes Arrow takes the stream without a copy, and memory stays that of one batch::

        import duckdb, pipeline
        items = pipeline.read_export("export.xml")
        duckdb.sql("SELECT id, count(*) FROM items GROUP BY id")

    ``polars.DataFrame(pipeline.read_export("export.xml"))`` is the table whole, and so are
    ``.read_all()`` in Arrow and ``.read_pandas()``.

    Args:
        export: The export, XML or JSON, gzip allowed; "-" is standard input.

    Returns:
        A ``pyarrow.RecordBatchReader``. Rows come before the end of the export was seen: only a
        stream that was read to its end without an error has shown a whole export. No guard is
        asked.

    Raises:
        InputError: while batches are read: the export is missing, malformed or cut short.
    """
    from pipeline.export.table import read_export as read

    return read(export)
