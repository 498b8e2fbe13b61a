"""The exports the sandbox makes, read back by parsers that are not ours."""

import gzip
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from pipeline.errors import ConfigurationError
from pipeline.sandbox.generate import Generated, GenerateOptions, write_export
from pipeline.sandbox.store import StoredList

NOW = datetime(2026, 8, 28, 10, 0, tzinfo=UTC)
IDS = [f"u{number}" for number in range(400)]
UGLY = ["a&b", "<c>", 'd"e', "ž 🐎", "f\ng", "h\ri", "007"]


def make(folder: Path, ids: list[str], options: GenerateOptions) -> tuple[bytes, Generated]:
    source = folder / "list"
    source.write_text("".join(json.dumps({"auth_user_id": one}) + "\n" for one in ids))
    users = StoredList(path=source, format="jsonl", users=len(ids), bytes=0, sha256="")
    target, packed = folder / "export", folder / "export.gz"
    made = write_export(users, options, target, gzip_path=packed, now=NOW, stopping=lambda: False)
    assert target.read_bytes() == gzip.decompress(packed.read_bytes())
    return target.read_bytes(), made


def test_xml_has_the_published_shape(tmp_path: Path) -> None:
    data, made = make(tmp_path, IDS, GenerateOptions(types=3, items=2))
    lines = data.decode().splitlines()

    assert ["<?xml version='1.0' encoding='UTF-8'?>", "<users>"] == lines[:2]
    assert "</users>" == lines[-1]
    # One user a line, the generic set last.
    assert made.users + 1 == len(lines) - 3
    assert all(line.startswith("<user><auth_user_id>") for line in lines[2:-1])
    assert "default" == ET.fromstring(lines[-2]).findtext("auth_user_id")
    assert len(IDS) == made.users + made.left_out
    user = ET.fromstring(lines[2])
    assert "2026-08-28T10:00:00" == user.findtext("data/_metadata/updated_at")
    types = [one.text for one in user.iter("recommendation_type")]
    assert ["mail-recommender-1", "mail-recommender-2", "mail-recommender-3"] == types


def test_one_recommendation_id_is_shared_by_a_block_and_by_nothing_else(tmp_path: Path) -> None:
    data, _ = make(tmp_path, IDS, GenerateOptions(empty=0.0))
    seen: set[str] = set()
    for block in ET.fromstring(data).iter("recommendation"):
        urls = [urlsplit(one.text or "") for one in block.iter("url")]
        ids = {parse_qs(url.query)["recommendation_id"][0] for url in urls}
        assert {"shop.example.com"} == {url.hostname for url in urls}
        assert 1 == len(ids)
        assert 4 == UUID(next(iter(ids))).version
        assert not ids & seen
        seen |= ids


def test_some_blocks_are_empty_and_some_users_left_out(tmp_path: Path) -> None:
    data, made = make(tmp_path, IDS, GenerateOptions(empty=0.5, leave_out=0.5))
    counts = [len(block) for block in ET.fromstring(data).iter("results")]

    assert {0, 4} == set(counts)
    assert 100 < made.users < 300


@pytest.mark.parametrize("export_format", ["xml", "json", "jsonl"])
def test_ugly_ids_come_back_exactly(tmp_path: Path, export_format: str) -> None:
    options = GenerateOptions(format=export_format, leave_out=0.0)  # type: ignore[arg-type]
    data, made = make(tmp_path, UGLY, options)
    if export_format == "xml":
        found = [one.findtext("auth_user_id") for one in ET.fromstring(data)]
    elif export_format == "json":
        found = [one["id"] for one in json.loads(data)]
    else:
        found = [json.loads(line)["id"] for line in data.splitlines()]

    assert [*UGLY, "default"] == found
    assert len(UGLY) == made.users


def test_json_has_the_documented_object(tmp_path: Path) -> None:
    data, _ = make(tmp_path, ["u1"], GenerateOptions(format="jsonl", leave_out=0, empty=0, items=1))
    user = json.loads(data.splitlines()[0])

    assert {"id", "data"} == set(user)
    assert {"mail-recommender-1", "mail-recommender-2"} == set(user["data"])
    assert {"id", "url", "title", "image_link"} == set(user["data"]["mail-recommender-1"][0])


def test_an_id_that_xml_cannot_carry_is_left_out(tmp_path: Path) -> None:
    options = GenerateOptions(leave_out=0.0)
    data, made = make(tmp_path, ["a\x01b", "u1", "default"], options)

    assert (1, 2) == (made.users, made.left_out)
    assert ["u1", "default"] == [one.findtext("auth_user_id") for one in ET.fromstring(data)]


@pytest.mark.parametrize("export_format", ["xml", "json", "jsonl"])
def test_nobody_and_no_default_is_still_a_document(tmp_path: Path, export_format: str) -> None:
    options = GenerateOptions(format=export_format, default=False)  # type: ignore[arg-type]
    data, _ = make(tmp_path, [], options)

    if export_format == "xml":
        assert 0 == len(ET.fromstring(data))
    else:
        assert (b"" if export_format == "jsonl" else b"[]") == b"".join(data.split())


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, made = make(tmp_path, IDS, GenerateOptions(seed=3))
    again, made_again = make(tmp_path, IDS, GenerateOptions(seed=3))
    other, _ = make(tmp_path, IDS, GenerateOptions(seed=4))

    assert (first, made) == (again, made_again)
    assert first != other


@pytest.mark.parametrize(
    "options",
    [
        {"format": "csv"},
        {"leave_out": 1.5},
        {"empty": -1.0},
        {"items": 101},
        {"types": -1},
        {"updated_at": "\x01"},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        GenerateOptions(**options)  # type: ignore[arg-type]
