"""Both ways into the table of recommendations refuse what `parse` did not write, alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.deliver.recommendations import read_recommendations
from pipeline.errors import InputError
from pipeline.export.recommendations import iter_recommendations

ROW: dict[str, Any] = {
    "auth_user_id": "u1",
    "block": 0,
    "recommendation_type": "one",
    "position": 0,
    "id": "1",
    "url": "https://a/",
    "title": "t",
    "image_link": None,
    "updated_at": None,
    "extra": '{"price": "9"}',
}


def by_user(path: Path) -> list[Any]:
    return [
        (one["auth_user_id"], one["recommendations"][0]["results"][0]["price"])
        for one in iter_recommendations(path)
    ]


def by_slot(path: Path) -> list[Any]:
    return [
        (id_, items["one"][0]["price"])
        for users, _ in read_recommendations(path, ["one"])
        for id_, items in users
    ]


READERS = pytest.mark.parametrize("read", [by_user, by_slot])


def table(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "r.parquet"
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


@READERS
def test_a_row_is_read_with_what_it_says_beyond_its_columns(
    tmp_path: Path, read: Callable[[Path], list[Any]]
) -> None:
    second = ROW | {"auth_user_id": "u2"}

    assert [("u1", "9"), ("u2", "9")] == read(table(tmp_path, ROW, second))


@READERS
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"auth_user_id": None}, "row 2: a row is not one that `parse` wrote"),
        ({"extra": "{"}, "row 2: a row is not one that `parse` wrote"),
        ({"extra": "[]"}, "row 2: a row is not one that `parse` wrote"),
    ],
    ids=["no id", "extra cut", "extra no object"],
)
def test_a_foreign_row_is_refused_with_its_number(
    tmp_path: Path, read: Callable[[Path], list[Any]], wrong: dict[str, Any], message: str
) -> None:
    second = ROW | {"auth_user_id": "u2"} | wrong

    with pytest.raises(InputError, match=message):
        read(table(tmp_path, ROW, second))


@READERS
@pytest.mark.parametrize(
    ("name", "value"), [("auth_user_id", 7), ("position", "0"), ("title", 1.5), ("extra", True)]
)
def test_a_column_of_another_type_is_refused_by_name(
    tmp_path: Path, read: Callable[[Path], list[Any]], name: str, value: object
) -> None:
    with pytest.raises(InputError, match=f"column '{name}' is of type"):
        read(table(tmp_path, ROW | {name: value}))


@READERS
def test_a_table_without_a_column_or_cut_is_refused(
    tmp_path: Path, read: Callable[[Path], list[Any]]
) -> None:
    path = table(tmp_path, {name: value for name, value in ROW.items() if name != "url"})
    with pytest.raises(InputError, match="no column 'url'"):
        read(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="damaged"):
        read(path)
