"""JSON Lines: ids are strings or 64-bit integers and nothing else; every bad line is named."""

from __future__ import annotations

import json
from pathlib import Path

import hypothesis.strategies as st
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings

from pipeline.errors import ConfigurationError, InputError
from pipeline.extract import jsonl_file
from pipeline.extract.batch import Wanted
from pipeline.extract.jsonl_file import read_jsonl
from pipeline.extract.places import resolve_places

Rows = list[tuple[int, str | None]]


def read(folder: Path, data: bytes, **options: object) -> tuple[Rows, list[tuple[int, str]]]:
    path = folder / "x.jsonl"
    path.write_bytes(data)
    wanted = Wanted(**{"id_column": "id", "active": "no", **options})  # type: ignore[arg-type]
    ids: Rows = []
    rejects: list[tuple[int, str]] = []
    for batch in read_jsonl(resolve_places([path])[0], wanted):
        rows = batch.rows if batch.rows is not None else pa.array([], pa.int64())
        ids += zip(rows.to_pylist(), batch.ids.to_pylist(), strict=True)
        rejects += [(reject.row, reject.reason) for reject in batch.rejects]
    return ids, rejects


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b'{"id":"u1"}', "u1"),
        (b'{"id":"00123","x":{"id":"no"}}', "00123"),
        (b'{"id":123}', "123"),
        (b'{"id":18446744073709551615}', "18446744073709551615"),
        (b'{"id":-9223372036854775808}', "-9223372036854775808"),
        (b'{"id":"a\\u2028b\\u0000"}', "a\u2028b\x00"),
        ('{"id":"a\u2028b"}'.encode(), "a\u2028b"),
        (b'{"x":1}', None),
        (b'{"id":null}', None),
        (b'{"id":""}', ""),
        (b'{"id":"\\ud83d\\ude00"}', "😀"),
    ],
)
def test_ids_are_exact(tmp_path: Path, line: bytes, wanted: str | None) -> None:
    data = b'{"id":"before"}\n' + line + b'\r\n{"id":"after"}\n'

    ids, rejects = read(tmp_path, data)

    assert [(1, "before"), (2, wanted), (3, "after")] == ids
    assert [] == rejects


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id":123.0}', "not a string or 64-bit integer"),
        (b'{"id":1e5}', "not a string or 64-bit integer"),
        (b'{"id":18446744073709551616}', "not a string or 64-bit integer"),
        (b'{"id":true}', "not a string or 64-bit integer"),
        (b'{"id":["u1"]}', "not a string or 64-bit integer"),
        (b'{"id":"\\ud800"}', "lone surrogate"),
        (b'{"id":"\xff"}', "invalid UTF-8"),
        (b'{"id":"u1"', "not a JSON object"),
        (b'["u1"]', "not a JSON object"),
        (b'"u1"', "not a JSON object"),
        (b'{"id":NaN}', "not a JSON object"),
        (b'{"id":"a"},{"id":"b"}', "not a JSON object"),
        (b"{" * 5000, "not a JSON object"),
        (b'{"id":"a","id":"b"}', "a key twice in one object"),
    ],
)
def test_a_bad_line_is_refused_alone(tmp_path: Path, line: bytes, reason: str) -> None:
    data = b'{"id":"before"}\n\n' + line + b'\n{"id":"after"}\n'

    ids, rejects = read(tmp_path, data)

    assert [(1, "before"), (4, "after")] == ids
    assert [(3, reason)] == rejects


def test_lines_that_are_only_sound_together_are_refused(tmp_path: Path) -> None:
    data = b'{"id":"a","x":[{"y":1}\n{"z":2}]}\n{"id":"b"},{"id":"c"}\n{"id":"d"}\n'

    ids, rejects = read(tmp_path, data)

    assert [(4, "d")] == ids
    assert [(row, "not a JSON object") for row in (1, 2, 3)] == rejects


values = st.one_of(
    st.text(max_size=6), st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.none()
)
lines = st.one_of(
    st.dictionaries(st.sampled_from(["id", "x", "id2"]), values).map(
        lambda found: json.dumps(found).encode()
    ),
    st.binary(max_size=8).filter(lambda raw: b"\n" not in raw),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(lines, max_size=12), st.sampled_from([300, 65536]))
def test_blocks_read_as_line_by_line(
    tmp_path_factory: pytest.TempPathFactory, some: list[bytes], block: int
) -> None:
    some = [b'{"id":"first"}', *some, b'{"id":"last"}']
    wanted: Rows = []
    for row, line in enumerate(some, 1):
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(found, dict):
            continue
        ident = found.get("id")
        if ident is None or isinstance(ident, str):
            wanted.append((row, ident))
        elif type(ident) is int:
            wanted.append((row, str(ident)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl_file, "BLOCK", block)
        ids, rejects = read(tmp_path_factory.mktemp("jsonl"), b"\n".join(some) + b"\n")

    assert wanted == ids
    blank = sum(not line.strip() for line in some)
    assert len(some) - blank == len(ids) + len(rejects)


def test_a_cut_last_line_is_refused_and_a_whole_one_without_its_end_is_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the last line is cut"):
        read(tmp_path, b'{"id":"a"}\n{"id":"b"')

    assert [(1, "a"), (2, "b")] == read(tmp_path, b'{"id":"a"}\n{"id":"b"}')[0]


def test_a_repeated_key_is_found_whatever_the_other_lines_hold(tmp_path: Path) -> None:
    data = b'{"user_id":"a","user_id":"b"}\n{"x":1}\n{"user_id":"c","x":1,"x":2}\n{"x":\n'
    ids, rejects = read(tmp_path, data[:-6], id_column=None)

    assert [(2, None), (3, "c")] == ids
    assert [(1, "a key twice in one object")] == rejects


def test_a_cut_inside_a_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the last line is cut"):
        read(tmp_path, b'{"id":"a"}\n{"id":"\xc5')


def test_nested_columns_and_missing_ones(tmp_path: Path) -> None:
    data = b'{"user":{"id":"a"}}\n{"user":null}\n'
    assert [(1, "a"), (2, None)] == read(tmp_path, data, id_column="user.id")[0]
    with pytest.raises(ConfigurationError, match=r"the columns are 'user\.id'"):
        read(tmp_path, data, id_column="customer_id")


def test_a_line_without_end_is_refused_before_memory_is_spent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one line is too long"):
        read(tmp_path, b'{"id":"' + b"x" * 9_000_000)
