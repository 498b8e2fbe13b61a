"""What stands in a custom field: the very items, harmless wherever it is put, never too long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.deliver.smartemailing_values import FieldValues

LIMIT = 64_000


def item(number: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": f"p{number}",
        "url": f"https://shop.example/p{number}?recommendation_id=r",
        "title": f"Title {number}",
        "image_link": f"https://shop.example/{number}.jpg",
        **more,
    }


def text(items: dict[str, list[dict[str, Any]]], limit: int = LIMIT) -> str:
    made = FieldValues(limit).make(items).text
    assert made is not None
    return made


def test_the_value_is_the_vendor_s_object_without_spaces() -> None:
    expected = (
        '{"mail-1":[{"id":"p0","url":"https://shop.example/p0?recommendation_id=r",'
        '"title":"Tričko 0","image_link":"https://shop.example/0.jpg"}],"mail-2":[]}'
    )

    assert expected == text({"mail-1": [item(title="Tričko 0")], "mail-2": []})


@pytest.mark.parametrize(
    "title",
    [
        '<script>alert("1")</script>',
        "</textarea><img src=x onerror=alert(1)>",
        "a & b &lt;",
        "{{df_emailaddress}} {{{x}}} {% include 'x' %} {# x #}",
        'it\'s "quoted" \\ back',
    ],
)
def test_a_hostile_title_is_inert_and_comes_back_as_it_was(title: str) -> None:
    made = text({"m": [item(title=title)]})

    assert title == json.loads(made)["m"][0]["title"]
    for word in ("<", ">", "&", "{{", "{%", "{#"):
        assert word not in made


def test_line_ends_and_marks_that_turn_text_are_gone() -> None:
    made = json.loads(text({"m": [item(title="a\r\nb\x00\u202ec\u2028d")]}))

    assert "a\nbc d" == made["m"][0]["title"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "", "//x", "ftp://x/"])
def test_an_item_whose_link_is_no_web_address_is_left_out_and_counted(url: str) -> None:
    values = FieldValues(LIMIT)
    made = values.make({"m": [item(1, url=url), item(2)]})

    assert made.text is not None
    assert ["p2"] == [one["id"] for one in json.loads(made.text)["m"]]
    assert (1, 0, {"link not http(s)": 1}) == (made.items, made.cut_items, dict(values.dropped))


@pytest.mark.parametrize("items", [{}, {"m": []}, {"m": [item(url="javascript:x")]}])
def test_without_items_there_is_no_value(items: dict[str, Any]) -> None:
    made = FieldValues(LIMIT).make(items)

    assert (None, 0, 0) == (made.text, made.items, made.cut_items)


def test_an_item_of_its_own_that_does_not_fit_leaves_nothing() -> None:
    made = FieldValues(LIMIT).make({"m": [item(title="é" * LIMIT)]})

    assert (None, 0, 1) == (made.text, made.items, made.cut_items)


@pytest.mark.parametrize("more", [0, 1], ids=["at the limit", "one byte over"])
def test_the_limit_counts_bytes_and_is_met_exactly(more: int) -> None:
    room = LIMIT - len(text({"m": [item(0), item(1, title="")]} | {"m": [item(0), item(1)]}))
    long = item(1, title="Title 1" + "x" * (room + more))
    made = FieldValues(LIMIT).make({"m": [item(0), long]})

    assert made.text is not None
    assert (1 if more else 2, more) == (made.items, made.cut_items)
    assert more or LIMIT == len(made.text.encode())


def test_an_item_too_long_by_itself_costs_its_own_type_only() -> None:
    items = {"huge": [item(title="x" * LIMIT), item(1)], "m": [item(2), item(3)]}
    made = FieldValues(LIMIT).make(items)

    assert made.text is not None
    kept = {kind: [one["id"] for one in some] for kind, some in json.loads(made.text).items()}
    assert {"huge": [], "m": ["p2", "p3"]} == kept


@given(
    sizes=st.dictionaries(
        st.sampled_from(["mail-1", "mail-2", "mail-3"]), st.integers(0, 30), min_size=1
    ),
    limit=st.integers(150, 6_000),
    title=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30),
)
def test_a_value_that_is_cut_is_what_dropping_one_by_one_leaves(
    sizes: dict[str, int], limit: int, title: str
) -> None:
    items = {kind: [item(n, title=title) for n in range(size)] for kind, size in sizes.items()}
    made = FieldValues(limit).make({kind: list(map(dict, some)) for kind, some in items.items()})

    def written(left: dict[str, list[dict[str, Any]]]) -> bytes:
        return text(left, 10**9).encode()

    left = dict(items)
    while any(left.values()) and len(written(left)) > limit:
        bulk = {
            kind: sum(len(written({"": [one]})) - len(b'{"":[]}') for one in some)
            for kind, some in left.items()
        }
        longest = max(bulk, key=lambda kind: bulk[kind])
        left[longest] = left[longest][:-1]

    assert sum(sizes.values()) == made.items + made.cut_items
    assert (written(left).decode() if any(left.values()) else None) == made.text
