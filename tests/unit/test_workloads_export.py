"""The export workload is a vendor's export in each of its shapes."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from lxml import etree

from benchmarks.workloads import Customers, Export, iter_customers, iter_export, main, write_export

SPEC = Export(users=400, blocks=3, items=2, seed=11, ugly=0.4)
Blocks = list[tuple[str, list[dict[str, str]]]]


def from_xml(raw: bytes) -> list[tuple[str, Blocks]]:
    users = []
    for user in etree.fromstring(raw).findall("user"):
        blocks = [
            (
                block.findtext("recommendation_type") or "",
                [{str(e.tag): e.text or "" for e in result} for result in block.iter("result")],
            )
            for block in user.iter("recommendation")
        ]
        users.append((user.findtext("auth_user_id") or "", blocks))
    return users


def from_objects(objects: list[dict[str, Any]]) -> list[tuple[str, Blocks]]:
    return [(one["id"], list(one["data"].items())) for one in objects]


def document(fmt: Any = "xml", spec: Export = SPEC) -> bytes:
    return b"".join(iter_export(spec, fmt))


def test_xml_has_the_shape_of_the_reference() -> None:
    raw = document()
    lines = raw.decode().split("</user>\n")
    root = etree.fromstring(raw)

    assert raw.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<users>\n<user>")
    assert 402 == len(lines)
    assert 401 == len(root.findall("user/data/_metadata/updated_at"))
    assert 3 * 401 == len(root.findall("user/data/recommendations/recommendation"))
    assert {0, 2} == {len(results) for results in root.iter("results")}
    assert 0 < len(list(root.iter("price"))) < len(list(root.iter("result")))


def test_every_block_has_a_recommendation_id_of_its_own() -> None:
    blocks = [results for _, blocks in from_xml(document()) for _, results in blocks if results]
    numbers = [{item["url"].partition("recommendation_id=")[2] for item in some} for some in blocks]

    assert all(1 == len(found) for found in numbers)
    assert len(blocks) == len(set.union(*numbers))
    assert all(36 == len(number) for found in numbers for number in found)


def test_users_are_those_of_the_extract_with_the_default_set_last() -> None:
    ids = [user_id for user_id, _ in from_xml(document())]
    extract = pl.concat(list(iter_customers(Customers(rows=1_000, seed=11, ugly=0.4))))

    assert "default" == ids[-1]
    assert 400 == len(set(ids[:-1]))
    assert set(extract["customer_id"].drop_nulls()) == set(ids[:-1])


def test_every_json_shape_says_what_the_xml_says() -> None:
    expected = from_xml(document())
    lines = [json.loads(line) for line in document("jsonl").splitlines()]
    mirror = json.loads(document("json-mirror"))["users"]
    mirrored = [
        (
            one["auth_user_id"],
            [
                (block["recommendation_type"], block["results"])
                for block in one["data"]["recommendations"]
            ],
        )
        for one in mirror
    ]

    assert expected == from_objects(lines)
    assert expected == from_objects(json.loads(document("json")))
    assert expected == mirrored
    assert all(one["data"]["_metadata"]["updated_at"] for one in mirror)


@pytest.mark.parametrize("fmt", ["xml", "jsonl", "json", "json-mirror"])
def test_a_target_size_is_met_within_one_user(fmt: Any) -> None:
    spec = Export(target_bytes=300_000, items=3)
    size = len(document(fmt, spec))

    assert 295_000 < size < 305_000


@pytest.mark.parametrize("fmt", ["xml", "json", "json-mirror", "jsonl"])
def test_an_export_without_users_holds_the_default_set(fmt: Any) -> None:
    raw = document(fmt, Export(users=0))

    assert 1 == raw.count(b"default")


def test_a_seed_always_gives_the_same_export() -> None:
    assert document() == document()
    assert document() != document(spec=Export(users=400, blocks=3, items=2, seed=12, ugly=0.4))


def test_the_export_is_made_user_by_user() -> None:
    endless = iter_export(Export(target_bytes=10**15))

    assert 10_000 == len([len(piece) for piece in islice(endless, 10_000)])


def test_the_command_line_writes_the_export(tmp_path: Path) -> None:
    path = tmp_path / "new" / "e.xml"
    main(["export", "--users", "5", "--blocks", "1", "--items", "1", "-o", str(path)])
    write_export(Export(users=5, blocks=1, items=1), tmp_path / "e.xml")

    assert (tmp_path / "e.xml").read_bytes() == path.read_bytes()


def test_an_export_needs_an_end() -> None:
    with pytest.raises(ValueError, match="users or target_bytes"):
        Export()
