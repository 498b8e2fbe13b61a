"""Counting an export: bounded whatever its names are, and alike however it is taken apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.export.collect import collect_file
from pipeline.export.tally import Counts, Tally
from pipeline.limits import EXPORT_MAX_TYPES
from pipeline.records import UserRecommendations
from pipeline.settings import ExportSettings


def user(number: int, kind: str, product: str) -> str:
    return (
        f"<user><auth_user_id>u{number}</auth_user_id><data><recommendations><recommendation>"
        f"<recommendation_type>{kind}</recommendation_type><results><result><id>{product}</id>"
        "<url>https://s/?recommendation_id=1</url><title>t</title><image_link>i</image_link>"
        "</result></results></recommendation></recommendations></data></user>\n"
    )


def record(kind: str, *products: object) -> UserRecommendations:
    items = [{"id": product} for product in products]
    block = {"recommendation_type": kind, "results": items}
    return {"auth_user_id": "u", "updated_at": None, "recommendations": [block]}  # type: ignore[list-item]


@pytest.mark.parametrize("workers", [1, 2])
def test_types_beyond_the_limit_are_counted_together(workers: int, tmp_path: Path) -> None:
    """Type 0 comes again at the end, where it is known; in its chunk it is one of very many."""
    kinds = [*range(4000), *range(100)]
    users = "".join(user(n, f"type-{kind}", f"p{kind}") for n, kind in enumerate(kinds))
    export = tmp_path / "export.xml"
    export.write_text(f"<users>\n{users}</users>\n", encoding="utf-8")
    summary = collect_file(export, [tmp_path / "o.jsonl"], ExportSettings(workers=workers))

    assert EXPORT_MAX_TYPES == len(summary.blocks)
    assert [2] * 100 + [1] * 900 == [summary.blocks[f"type-{n}"] for n in range(1000)]
    assert 3000 == summary.other_blocks
    assert 4000 == summary.distinct_products


def test_type_of_a_long_name_is_not_kept(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    tally.add([record("x" * 257), record("x" * 256), record("x" * 257)])

    assert {"x" * 256: 1} == tally.blocks
    assert 2 == tally.other_blocks
    tally.ids.close()


def test_long_product_ids_are_told_apart_and_not_kept() -> None:
    counts = Counts()
    long = "p" * 100_000
    counts.add([record("m", long + "a", long + "b", long + "a", 7, "7"), record("m", long + "b")])

    assert 4 == counts.distinct_products
    assert 200 > max(len(str(one)) for one in counts.as_dict()["products"])


def test_blanks_around_a_time_are_no_part_of_it() -> None:
    counts = Counts()
    counts.add([record("m") | {"updated_at": " 2024-08-28T10:00:00\n"}])

    assert ["2024-08-28T10:00:00"] * 2 == counts.as_dict()["times"]
