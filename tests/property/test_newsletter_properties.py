"""Campaign parameters, addresses and fallbacks, against what must hold for all of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipeline.deliver.inert import inert, one_line
from pipeline.deliver.links import UtmTags, web_address
from pipeline.deliver.mailbox import address_problem
from pipeline.deliver.recipients import OptOuts, choose, id_keys
from pipeline.deliver.slots import Shelf, Slot

WORDS = st.text("abcXYZ019-._~%+", max_size=8)
PAIRS = st.lists(
    st.tuples(
        st.sampled_from(["a", "recommendation_id", "utm_source", "utm_medium", "UTM_Source", "q"]),
        WORDS,
    ),
    max_size=6,
)
UTM = st.lists(st.sampled_from(["source", "medium", "campaign"]), unique=True, max_size=3)


@given(pairs=PAIRS, names=UTM, value=st.text(min_size=1), fragment=st.sampled_from(["", "#f?x=1"]))
def test_parameters_are_added_behind_the_query_and_never_twice(
    pairs: list[tuple[str, str]], names: list[str], value: str, fragment: str
) -> None:
    query = "&".join(f"{name}={text}" for name, text in pairs)
    url = "https://shop.example/p" + (f"?{query}" if pairs else "") + fragment
    made = UtmTags([f"{name}={value}" for name in names]).add(url)
    before, after = urlsplit(url), urlsplit(made)

    present = {name.lower() for name, _ in pairs}
    added = [f"utm_{name}" for name in names if f"utm_{name}" not in present]
    assert before.fragment == after.fragment
    assert after.query.startswith(before.query)
    got = parse_qsl(after.query, keep_blank_values=True, errors="replace")
    old = parse_qsl(before.query, keep_blank_values=True, errors="replace")
    assert [*old, *((name, value) for name in added)] == got
    assert made == UtmTags([f"{name}={value}" for name in names]).add(made)


@given(st.text())
def test_an_address_of_the_web_is_one_and_cannot_end_early(text: str) -> None:
    for url in (text, "https://x.example/" + text):
        made = web_address(url)
        if made is not None:
            assert made.lower().startswith(("http://", "https://"))
            assert not set(made) & set(" \t\r\n\"'<>`\\(){}\x00")
            assert made == web_address(made)


@given(st.text())
def test_text_made_inert_is_stable_and_one_line_is_one(text: str) -> None:
    assert inert(text) == inert(inert(text))
    assert not set(inert(text)) & set("\x00\x1b\x85\u202e\u2066\u2028\r")
    assert 1 >= len(one_line(text).splitlines())


@given(st.text(max_size=30), st.text(max_size=30))
def test_an_accepted_address_is_one_header_value(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    if address_problem(text) is None:
        assert 1 == text.count("@")
        assert text.isprintable()
        assert not set(text) & set(' ,;:<>()[]\\"')


RAW = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["1", "2"]),
        "url": st.sampled_from(["https://x.example/1", "javascript:1", "", None]),
        "title": st.sampled_from(["a", "b", " ", None]),
        "image_link": st.sampled_from(["https://x.example/i", "data:x", None]),
    }
)
SET = st.lists(RAW, max_size=4)


def usable(raw: list[dict[str, Any]], most: int) -> list[str]:
    good = [
        one for one in raw if one["url"] == "https://x.example/1" and (one["title"] or "").strip()
    ]
    return [one["title"] for one in good][:most]


@given(personal=st.none() | SET, default=SET, file=SET, most=st.integers(1, 3))
def test_a_slot_shows_the_first_source_that_has_a_usable_item(
    personal: list[dict[str, Any]] | None,
    default: list[dict[str, Any]],
    file: list[dict[str, Any]],
    most: int,
) -> None:
    shelf = Shelf([Slot("s", most)], UtmTags([]), default={"s": default}, file={"": file})
    picks = shelf.fill(None if personal is None else {"s": personal})["s"]

    sources = {"personal": personal or [], "default": default, "file": file}
    expected = next(
        ((name, usable(raw, most)) for name, raw in sources.items() if usable(raw, most)), None
    )
    assert (expected or ("left_out", [])) == (picks.source, [one["title"] for one in picks])


ROW = st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz"), st.booleans())


@given(
    st.lists(ROW, max_size=12),
    st.sets(st.sampled_from("abcd"), max_size=2),
    st.sets(st.sampled_from("wxyz"), max_size=1),
)
def test_any_opt_out_wins_and_nobody_gets_two_messages(
    rows: list[tuple[str, str, bool]], ids: set[str], mailboxes: set[str]
) -> None:
    frame = pl.DataFrame(
        {
            "good": pl.Series([good for _, _, good in rows], dtype=pl.Boolean),
            "id": id_keys(pl.Series([id_ for id_, _, _ in rows], dtype=pl.String)),
            "mailbox": id_keys(pl.Series([mail for _, mail, _ in rows], dtype=pl.String)),
        }
    )
    said = OptOuts(
        ids=[id_keys(pl.Series(sorted(ids), dtype=pl.String))] if ids else [],
        mailboxes=[id_keys(pl.Series(sorted(mailboxes), dtype=pl.String))] if mailboxes else [],
    )
    found = choose([frame], said)

    out_ids, out_mails = set(ids), set(mailboxes)
    for _ in rows:  # an opt-out spreads over rows that share an id or a mailbox
        for id_, mail, good in rows:
            if good and (id_ in out_ids or mail in out_mails):
                out_ids.add(id_)
                out_mails.add(mail)
    willing = [
        (at, id_, mail)
        for at, (id_, mail, good) in enumerate(rows)
        if good and id_ not in out_ids and mail not in out_mails
    ]
    first_of_id = {id_: (at, mail) for at, id_, mail in reversed(willing)}
    first_of_mail = {mail: at for at, mail in sorted(first_of_id.values(), reverse=True)}
    assert sorted(first_of_mail.values()) == found.chosen.arg_true().to_list()
    good_rows = sum(good for _, _, good in rows)
    assert good_rows == len(first_of_mail) + found.suppressed + found.duplicates
