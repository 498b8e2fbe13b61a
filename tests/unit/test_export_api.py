"""The export table from Python, as the docstring shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import pipeline

EXPORT = Path(__file__).parents[1] / "golden" / "export_one_line.xml"


def count_in_duckdb(items: Any) -> int:
    connection = duckdb.connect()
    connection.register("items", items)
    found: int = connection.execute("SELECT count(*) FROM items").fetchall()[0][0]
    return found


def count_in_pandas(items: Any) -> int:
    pytest.importorskip("pandas", reason="pandas is not installed")
    return len(items.read_pandas())


CONSUMERS: dict[str, Callable[[Any], int]] = {
    "polars": lambda items: pl.DataFrame(items).height,
    "DuckDB": count_in_duckdb,
    "pandas": count_in_pandas,
    "pyarrow": lambda items: int(items.read_all().num_rows),
    "what knows only the Arrow stream": lambda items: pa.table(_OnlyStream(items)).num_rows,
}


class _OnlyStream:
    """Hides everything but the interface that needs no copy."""

    def __init__(self, items: Any) -> None:
        self.__arrow_c_stream__ = items.__arrow_c_stream__


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_the_stream_is_taken_as_it_is(consumer: str) -> None:
    assert 3 == CONSUMERS[consumer](pipeline.read_export(EXPORT))


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_cut_export_is_an_error_to_every_consumer(consumer: str, tmp_path: Path) -> None:
    """Never a shorter table: libraries pass the words on, some under a class of their own."""
    cut = tmp_path / "cut.xml"
    cut.write_bytes(EXPORT.read_bytes()[:-10])

    with pytest.raises(Exception, match="not well-formed XML"):
        CONSUMERS[consumer](pipeline.read_export(cut))


def test_a_cut_export_is_an_input_error_from_python(tmp_path: Path) -> None:
    cut = tmp_path / "cut.xml"
    cut.write_bytes(EXPORT.read_bytes()[:-10])

    with pytest.raises(pipeline.InputError, match="line 4"):
        list(pipeline.read_export(cut))


def test_batches_come_before_the_export_is_read_to_its_end(tmp_path: Path) -> None:
    head, _, tail = EXPORT.read_text("utf-8").partition("<user>")
    user = "<user>" + tail.partition("</user>")[0] + "</user>\n"
    export = tmp_path / "export.xml"
    export.write_text(head + user * 20_000 + "</users", "utf-8")
    items = pipeline.read_export(export)

    assert 16_384 <= items.read_next_batch().num_rows < 20_000
    with pytest.raises(pipeline.InputError):
        items.read_all()
