"""The export table from Python, as the docstring shows it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

import pipeline

EXPORT = Path(__file__).parents[1] / "golden" / "export_one_line.xml"


def test_duckdb_and_polars_take_the_stream() -> None:
    items = pipeline.read_export(EXPORT)
    connection = duckdb.connect()
    connection.register("items", items)
    connection.execute("SELECT count(*), count(id) FROM items")

    assert [(3, 2)] == connection.fetchall()
    assert 3 == pl.DataFrame(pl.from_arrow(pipeline.read_export(str(EXPORT)).read_all())).height


def test_a_cut_export_raises_before_the_stream_ends(tmp_path: Path) -> None:
    cut = tmp_path / "cut.xml"
    cut.write_bytes(EXPORT.read_bytes()[:-10])

    with pytest.raises(pipeline.InputError, match="not well-formed XML"):
        pipeline.read_export(cut).read_all()
