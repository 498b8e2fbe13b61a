"""The fast proof of a batch must say what reading line by line says, however the list is cut."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.sandbox import lines
from pipeline.sandbox.lines import ListReader, iter_ids

PIECES = st.sampled_from(
    [
        b'{"auth_user_id":"',
        b'{"auth_user_id": "',
        b'{"user_id":"',
        b'"}',
        b'" }',
        b'"',
        b"\n",
        b"\r\n",
        b"\r",
        b",",
        b" ",
        b"\t",
        b"\\",
        b'\\"',
        b"a",
        b"\xc3\xa9",
        b"\xff",
        b"\0",
        b'"}\n{"auth_user_id":"',
        b'"\n"',
        b"[",
        b"{",
    ]
)


def outcome(data: bytes, cuts: list[int]) -> tuple[str, int, list[str]] | str | None:
    reader = ListReader()
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    chunks = [data[start:stop] for start, stop in pairwise(edges)]
    try:
        for chunk in chunks:
            reader.feed(chunk)
        reader.close()
    except InputError as error:
        return error.position
    found = [one for batch in iter_ids(chunks, reader.format) for one in batch]
    return reader.format, reader.users, found


def slowly(data: bytes) -> tuple[str, int, list[str]] | str | None:
    """The same, one line at a time and without the proof."""
    if not data:
        return "jsonl", 0, []
    try:
        list_format = lines._format_of(data)
        rows = data.removesuffix(b"\n").split(b"\n")
        found = [lines._id_of(row, list_format, number) for number, row in enumerate(rows, 1)]
    except InputError as error:
        return error.position
    return list_format, len(found), found


@given(st.lists(PIECES, max_size=25).map(b"".join), st.lists(st.integers(0, 400), max_size=5))
def test_proof_and_line_by_line_agree_for_every_chunking(data: bytes, cuts: list[int]) -> None:
    assert slowly(data) == outcome(data, cuts)


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1),
    st.booleans(),
    st.lists(st.integers(0, 400), max_size=5),
)
def test_every_json_list_of_ids_is_read_back(
    ids: list[str], ascii_only: bool, cuts: list[int]
) -> None:
    text = "".join(json.dumps({"auth_user_id": one}, ensure_ascii=ascii_only) + "\n" for one in ids)

    assert ("jsonl", len(ids), ids) == outcome(text.encode(), cuts)
