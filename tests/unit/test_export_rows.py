"""Rows of the export table: what each item's columns hold does not depend on its neighbours."""

from __future__ import annotations

from itertools import product
from typing import Any

from pipeline.export.rows import COLUMNS, iter_rows, recommendation_id
from pipeline.records import UserRecommendations

URLS = [
    "https://s/?recommendation_id=r1",
    "https://s/long?a=b&recommendation_id=r1",
    "https://s/?recommendation_id=r2&x?recommendation_id=r1",
    "https://s/?recommendation_id=r1&x=1",
    "https://s/#?recommendation_id=r1",
    "http://s/?recommendation_id=r1",
    "https://s/?recommendation_id=%41+b",
    "https://s/\nhttps://s/?recommendation_id=r1",
    "nothing",
    "",
    None,
]


def rows(*items: dict[str, Any]) -> list[dict[str, Any]]:
    user: UserRecommendations = {
        "auth_user_id": "u",
        "updated_at": "t",
        "recommendations": [{"recommendation_type": "m", "results": list(items)}],
    }
    return [dict(zip(COLUMNS, row, strict=True)) for row in iter_rows([user])]


def item(url: Any) -> dict[str, Any]:
    return {"id": "1", "url": url, "title": "t", "image_link": "i"}


def test_mark_is_that_of_the_own_url() -> None:
    for urls in product(URLS, repeat=3):
        expected = [None if url is None else recommendation_id(url) for url in urls]

        assert expected == [row["recommendation_id"] for row in rows(*map(item, urls))], urls


def test_item_that_is_not_plain_leaves_its_neighbours_as_they_are() -> None:
    odd = {"url": ["a", "b"], "price": "9"}
    found = rows(item("x"), odd, item("y"))

    assert ["x", "a", "y"] == [row["url"] for row in found]
    assert [None, '{"price":"9","url":["a","b"]}', None] == [row["extra"] for row in found]
    assert [0, 1, 2] == [row["position"] for row in found]
    assert ["1", None, "1"] == [row["id"] for row in found]
