"""Every cut of a small file is refused, or is on the list of docs/limits.md."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import BatchpubError
from pipeline.extract.batch import Wanted
from pipeline.extract.places import resolve_places
from pipeline.extract.reader import read_extracts

IDS = ["u1", 'q"\n,', "é3", "u4"]
CSV = 'id,x\r\nu1,1\n"q""\n,",2\n"é3","3"\nu4,4\r\n'.encode()
JSONL = '{"id":"u1"}\n{"id":"q\\"\\n,","x":[{}]}\n{"id":"é3"}\n{"id":"u4","x":"}"}\n'.encode()
TABLE = pa.table({"id": IDS, "x": [1, 2, 3, 4]})


def _zstd(data: bytes) -> bytes:
    with pa.BufferOutputStream() as sink, pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(data)
        out.close()
        return bytes(sink.getvalue())


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(TABLE, sink, row_group_size=2, write_page_checksum=True)
    return sink.getvalue()


def _arrow(new: Callable[[io.BytesIO, pa.Schema], pa.RecordBatchWriter]) -> bytes:
    sink = io.BytesIO()
    with new(sink, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=2)
    return sink.getvalue()


def read(path: Path, encoding: str | None) -> tuple[list[str | None], int]:
    wanted = Wanted(id_column="id", active="no", encoding=encoding)
    ids: list[str | None] = []
    rejects = 0
    for batch in read_extracts(resolve_places([path]), wanted):
        ids += batch.ids.to_pylist()
        rejects += len(batch.rejects)
    return ids, rejects


HALF = CSV.index(b'"q')
FILES = {
    "csv": (CSV, None),
    "csv.gz": (gzip.compress(CSV, mtime=0), None),
    "csv.zst": (_zstd(CSV), None),
    "members.csv.gz": (
        gzip.compress(CSV[:HALF], mtime=0) + gzip.compress(CSV[HALF:], mtime=0),
        None,
    ),
    "jsonl": (JSONL, None),
    "jsonl.gz": (gzip.compress(JSONL, mtime=0), None),
    "parquet": (_parquet(), None),
    "file.arrow": (_arrow(pa.ipc.new_file), None),
    "stream.arrow": (_arrow(pa.ipc.new_stream), None),
    "utf-16.csv": (CSV.decode().encode("utf-16"), "utf-16"),
}


def _undetectable(kind: str) -> set[int]:
    """Cuts that leave a sound file: behind a row, or between two compressed members."""
    rows = {at + 1 for at, one in enumerate(CSV) if one in b"\r\n"}
    inside = {CSV.index(b"\n,") + 1}
    if kind == "csv":
        return rows - inside
    if kind == "utf-16.csv":
        text = CSV.decode()
        behind = {at + 1 for at, one in enumerate(text) if one in "\r\n"}
        return {2 + 2 * at for at in behind - {text.index("\n,") + 1}}
    if kind == "members.csv.gz":
        return {len(gzip.compress(CSV[:HALF], mtime=0))}
    if kind == "jsonl":
        ends = {at + 1 for at, one in enumerate(JSONL) if one == ord("\n")}
        return ends | {at - 1 for at in ends}
    return set()


@pytest.mark.parametrize("kind", FILES)
def test_every_cut_is_refused_or_on_the_list(tmp_path: Path, kind: str) -> None:
    data, encoding = FILES[kind]
    path = tmp_path / f"x.{kind}"
    path.write_bytes(data)
    assert (IDS, 0) == read(path, encoding)

    passed = set()
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        try:
            ids, rejects = read(path, encoding)
        except BatchpubError:
            continue
        passed.add(cut)
        assert IDS[: len(ids)] == ids
        assert 0 == rejects
    assert _undetectable(kind) - {len(data)} == passed
