"""What `parse` wrote is read back user by user, whichever file it is in."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.export.jsonl_sink import JsonlSink
from pipeline.export.parquet_sink import ParquetSink
from pipeline.export.recommendations import iter_recommendations
from pipeline.publish import PendingFile, publish
from pipeline.records import UserRecommendations

texts = st.text(st.characters(codec="utf-8"), max_size=8)
names = texts.filter(lambda name: name not in ("#user", "#block"))
values = st.one_of(texts, st.none(), st.lists(texts, max_size=2))
extras: Any = st.dictionaries(names, values, min_size=1, max_size=2)
items = st.one_of(
    st.fixed_dictionaries(dict.fromkeys(("id", "url", "title", "image_link"), texts)),
    st.dictionaries(st.sampled_from(["id", "url", "title", "price", "x"]), values, max_size=4),
)
blocks: Any = st.fixed_dictionaries(
    {"recommendation_type": texts, "results": st.lists(items, max_size=3)},
    optional={"extra": extras},
)
users: Any = st.fixed_dictionaries(
    {
        "auth_user_id": st.sampled_from(["u1", "u2", "default", "u\u2028"]),
        "updated_at": st.none() | texts,
        "recommendations": st.lists(blocks, max_size=3),
    },
    optional={"extra": extras},
)


def written(folder: Path, given: list[UserRecommendations], kind: str) -> Path:
    path = folder / f"r.{kind}"
    with PendingFile(path) as file:
        sink = JsonlSink(file) if kind == "jsonl" else ParquetSink(file)
        sink.write(given)
        sink.finish()
        publish([file])
    return path


@settings(max_examples=40)
@given(given=st.lists(users, min_size=1, max_size=6))
def test_json_lines_and_parquet_give_back_what_was_written(
    given: list[UserRecommendations],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        for kind in ("jsonl", "parquet"):
            assert given == list(iter_recommendations(written(Path(name), given, kind)))


def user(user_id: str) -> UserRecommendations:
    item = {"id": "1", "url": "https://a/", "title": "t", "image_link": "https://a/i"}
    return {
        "auth_user_id": user_id,
        "updated_at": None,
        "recommendations": [{"recommendation_type": "m", "results": [item]}],
    }


def test_a_user_twice_in_a_row_stays_two(tmp_path: Path) -> None:
    given = [user("u1"), user("u1")]

    assert given == list(iter_recommendations(written(tmp_path, given, "parquet")))


def test_users_across_batches_stay_whole(tmp_path: Path) -> None:
    given = [user(f"u{n}") for n in range(5)]
    for one in given:
        one["recommendations"][0]["results"] *= 4_000

    assert given == list(iter_recommendations(written(tmp_path, given, "parquet")))


def test_an_export_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "export.xml"
    path.write_text("<users><user><auth_user_id>u1</auth_user_id></user></users>")

    assert ["u1"] == [one["auth_user_id"] for one in iter_recommendations(path)]


def test_a_cut_or_damaged_table_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path, [user(f"u{n}") for n in range(2_000)], "parquet").read_bytes()
    path = tmp_path / "bad.parquet"
    for content in (whole[:-10], whole[: len(whole) // 2], whole[:-40] + bytes(36) + whole[-4:]):
        path.write_bytes(content)
        with pytest.raises(InputError, match="damaged"):
            list(iter_recommendations(path))


def test_another_table_is_refused_by_the_column_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"auth_user_id": ["u1"], "email": ["a@x.cz"]}), path)

    with pytest.raises(InputError, match="no column 'block'"):
        list(iter_recommendations(path))
