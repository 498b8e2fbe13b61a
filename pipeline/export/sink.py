"""Where users of an export go: one sink per output, chosen by the suffix of its name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from pipeline.errors import ConfigurationError
from pipeline.publish import PendingFile
from pipeline.records import UserRecommendations
from pipeline.settings import ExportSettings

__all__ = ["SINK_SUFFIXES", "Sink", "check_outputs", "open_sink"]

SINK_SUFFIXES: Final = (".jsonl", ".parquet", ".csv", ".sqlite")


class Sink(Protocol):
    """Writes users into a pending file; whoever made the file publishes or discards it."""

    def write(self, users: Sequence[UserRecommendations]) -> None:
        """Take the next users of the export, in its order.

        Raises:
            MachineError: the disk refused.
        """
        ...

    def finish(self) -> None:
        """Complete the file's content; nothing is written afterwards."""
        ...

    def abandon(self) -> None:
        """Let go of what the library holds of the file, without completing it."""
        ...


def check_outputs(outputs: Sequence[Path]) -> None:
    """Refuse names that cannot all be written, before anything is read.

    Raises:
        ConfigurationError: none given, an unknown suffix, or one file named twice.
    """
    if not outputs:
        raise ConfigurationError("no output is named", remedy="name one with -o")
    seen: set[str] = set()
    for output in outputs:
        if output.suffix.lower() not in SINK_SUFFIXES:
            raise ConfigurationError(
                f"unknown kind of output: {output.suffix or 'no suffix'}",
                source=output,
                remedy=f"name a file that ends in {', '.join(SINK_SUFFIXES)}",
            )
        resolved = os.path.realpath(output)
        if resolved in seen:
            raise ConfigurationError("two outputs are the same file", source=output)
        seen.add(resolved)


def open_sink(file: PendingFile, settings: ExportSettings) -> Sink:
    """The sink for `file`, by the suffix of its target; its library is imported only now."""
    suffix = file.target.suffix.lower()
    if suffix == ".jsonl":
        from pipeline.export.jsonl_sink import JsonlSink

        return JsonlSink(file)
    if suffix == ".parquet":
        from pipeline.export.parquet_sink import ParquetSink

        return ParquetSink(file)
    if suffix == ".csv":
        from pipeline.export.csv_sink import CsvSink

        return CsvSink(file, safe_formulas=settings.csv_safe_formulas)
    from pipeline.export.sqlite_sink import SqliteSink

    return SqliteSink(file)
