"""Rows in parts: nothing lost wherever they lie, and the disk looked at before it is used."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.partitions import PartitionStore
from pipeline.errors import MachineError


def frame(ids: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"id": ids}, schema={"id": pl.String})


@given(
    batches=st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=20)), max_size=8),
    memory=st.sampled_from([1, 60, 500, 10**9]),
    count=st.sampled_from([1, 4, 16]),
)
def test_every_row_comes_back_once_and_each_user_from_one_part(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[str]], memory: int, count: int
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    with PartitionStore(count=count, memory_bytes=memory, folder=folder, name="rows") as store:
        for ids in batches:
            store.add(frame(ids))
        parts = [
            part["id"].to_list() for part in store.parts(count if store.split else 1) if part.height
        ]

    everything = [id_ for ids in batches for id_ in ids]
    assert sorted(everything) == sorted(id_ for part in parts for id_ in part)
    assert len(set(everything)) == sum(len(set(part)) for part in parts)
    assert [] == list(folder.iterdir())


def test_a_disk_too_small_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 rows are a tenth of all, so ten times their size is needed."""
    rows = frame([f"user-{n:07}" for n in range(100)])
    size = rows.to_arrow(compat_level=pl.CompatLevel.oldest()).nbytes

    def free(folder: Path, bytes_free: int) -> str | None:
        disk = SimpleNamespace(f_bavail=bytes_free, f_frsize=1)
        monkeypatch.setattr(os, "statvfs", lambda _: disk)
        options = {"memory_bytes": 100, "folder": folder, "share_taken": lambda: 0.1}
        with PartitionStore(count=1, name="rows", **options) as store:  # type: ignore[arg-type]
            try:
                store.add(rows)
            except MachineError as error:
                assert [] == list(folder.iterdir())
                return str(error)
        return None

    refusal = free(tmp_path, size * 10 - 1)
    assert refusal is not None
    assert f"about {size * 10:,} bytes needed" in refusal
    assert f"{size * 10 - 1:,} bytes free" in refusal
    assert "--temp-dir" in refusal
    assert None is free(tmp_path, size * 10)
