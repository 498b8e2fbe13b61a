"""The JSON reader: its three forms, the shapes of a user, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.export.json_reader import JsonExportReader
from pipeline.limits import EXPORT_MAX_ELEMENTS, EXPORT_MAX_USER, EXPORT_MAX_VALUE, EXPORT_PIECE
from pipeline.records import UserRecommendations

ITEM = {"id": "p1", "url": "https://s/p1", "title": 'P {1} \\"]', "image_link": ""}
SLOW = [HealthCheck.too_slow]


def read(data: bytes, *, piece_bytes: int = EXPORT_PIECE) -> list[UserRecommendations]:
    reader = JsonExportReader(source="export.json", piece_bytes=piece_bytes)
    return reader.feed(data) + reader.close()


def outcome(data: bytes, *, piece_bytes: int = EXPORT_PIECE) -> Any:
    """The records, or the refusal's words and place."""
    try:
        return read(data, piece_bytes=piece_bytes)
    except InputError as error:
        return str(error)


def documented(user_id: object) -> dict[str, object]:
    return {"id": user_id, "data": {"m1": [ITEM, ITEM], "m2": []}}


def lines(users: list[Any]) -> bytes:
    return b"".join(orjson.dumps(user) + b"\n" for user in users)


def blank_lines(users: list[Any]) -> bytes:
    return b"\r\n\r\n".join(map(orjson.dumps, users))


def array(users: list[Any]) -> bytes:
    return orjson.dumps(users)


def pretty_array(users: list[Any]) -> bytes:
    return b"\xef\xbb\xbf" + json.dumps(users, indent=2).encode()


def wrapper(users: list[Any]) -> bytes:
    return json.dumps({"users": users}, indent=1).encode() + b"\n"


FORMS: dict[str, Callable[[list[Any]], bytes]] = {
    "lines": lines,
    "CRLF and blank lines": blank_lines,
    "array": array,
    "pretty array with a mark": pretty_array,
    "wrapper": wrapper,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("piece_bytes", [1, 7, EXPORT_PIECE])
def test_every_form_gives_the_same_users(form: str, piece_bytes: int) -> None:
    data = FORMS[form]([documented("u1"), documented("2"), documented("default")])
    blocks = [
        {"recommendation_type": "m1", "results": [ITEM, ITEM]},
        {"recommendation_type": "m2", "results": []},
    ]

    assert [
        {"auth_user_id": user_id, "updated_at": None, "recommendations": blocks}
        for user_id in ("u1", "2", "default")
    ] == read(data, piece_bytes=piece_bytes)


@pytest.mark.parametrize("number", [0, -5, 2**63 - 1, 2**64 - 1])
def test_id_that_is_a_64_bit_integer_keeps_its_digits(number: int) -> None:
    assert str(number) == read(orjson.dumps(documented(number)))[0]["auth_user_id"]


def test_mirror_of_the_xml_and_unknown_members() -> None:
    user = {
        "auth_user_id": "u1",
        "segment": 3,
        "data": {
            "_metadata": {"updated_at": "t", "v": 2},
            "recommendations": [{"recommendation_type": "m", "results": [ITEM], "algo": "q"}],
            "score": 0.5,
        },
    }

    assert [
        {
            "auth_user_id": "u1",
            "updated_at": "t",
            "recommendations": [
                {"recommendation_type": "m", "results": [ITEM], "extra": {"algo": "q"}}
            ],
            "extra": {"segment": 3, "data": {"_metadata": {"v": 2}, "score": 0.5}},
        }
    ] == read(orjson.dumps([user]))


@pytest.mark.parametrize(
    ("data", "says", "position"),
    [
        pytest.param(b"", "empty", "line 1, column 1, byte 0", id="empty"),
        pytest.param(b'[{"id":"u"}', "too early", "byte 11", id="array cut after a record"),
        pytest.param(b'[{"id":"u"},', "too early", "byte 12", id="array cut after a comma"),
        pytest.param(b'{"users":[]', "too early", "byte 11", id="wrapper cut"),
        pytest.param(b'{"id":"u"}\n{"id":', "too early", "", id="line cut"),
        pytest.param(b'{"id":"u', "too early", "", id="string cut"),
        pytest.param(b'[{"id":"u"}]x', "follows", "byte 12", id="trailing garbage"),
        pytest.param(b'[{"id":"u"}][]', "follows", "byte 12", id="two arrays"),
        pytest.param(b'{"id":"u"}{"id":"v"}', "end its line", "byte 10", id="two on a line"),
        pytest.param(b'{"id":"u"}\n[]', "not a JSON object", "line 2, column 1", id="array line"),
        pytest.param(b'[{"id":"u"},]', "not a list", "byte 12", id="trailing comma"),
        pytest.param(b'[,{"id":"u"}]', "not a list", "byte 1", id="leading comma"),
        pytest.param(b'[{"id":"u"} {"id":"v"}]', "not a list", "byte 12", id="no comma"),
        pytest.param(b"[1]", "not a list", "byte 1", id="number"),
        pytest.param(b'[\n{"id":"u"},\n {"x":1}]', "no id", "line 3, column 2", id="no id"),
        pytest.param(b'{"id":""}', "neither text", "", id="empty id"),
        pytest.param(b'{"id":true}', "neither text", "", id="id true"),
        pytest.param(b'{"id":null}', "neither text", "", id="id null"),
        pytest.param(b'{"id":1.0}', "neither text", "", id="id with a fraction"),
        pytest.param(b'{"id":18446744073709551616}', "neither text", "", id="id over 64 bits"),
        pytest.param(b'{"id":"a","auth_user_id":"b"}', "two different", "", id="two ids"),
        pytest.param(b'{"id":"a","id":"b"}', "a key twice", "", id="duplicate key"),
        pytest.param(b'{"id" :"a","data":{"x":1,"x":2}}', "a key twice", "", id="inner duplicate"),
        pytest.param(b'{"id":"\\ud800"}', "surrogate", "byte", id="lone surrogate"),
        pytest.param(b'{"id":"\xed\xa0\x80"}', "not UTF-8", "byte 7", id="surrogate in UTF-8"),
        pytest.param(b'{"id":"a\xff"}', "not UTF-8", "byte 8", id="bad byte"),
        pytest.param(b'{"id":NaN}', "not JSON", "byte 6", id="NaN"),
        pytest.param(b'{"id":"u","data":[1]}', "not an object", "", id="data is a list"),
        pytest.param(b'{"id":"u","d":' + b"[" * 40, "too deeply", "byte 45", id="deep"),
        pytest.param(b'{"id":"u"]', "not JSON", "", id="wrong bracket"),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1, EXPORT_PIECE])
def test_refusal_says_what_and_where(
    data: bytes, says: str, position: str, piece_bytes: int
) -> None:
    with pytest.raises(InputError) as caught:
        read(data, piece_bytes=piece_bytes)

    assert says in caught.value.message
    assert position in str(caught.value.position)
    assert caught.value.remedy


def test_key_text_inside_a_value_is_no_duplicate() -> None:
    (user,) = read(b'{"id":"u","note":"\\"id\\": \\":"}')

    assert {"note": '"id": ":'} == user["extra"]


def test_value_and_user_limits() -> None:
    value = b'{"id":"u","v":"%s"}'
    many = b'{"id":"u","v":[' + b'"x",' * (EXPORT_MAX_USER // 4) + b"1]}"

    assert 1 == len(read(value % (b"x" * EXPORT_MAX_VALUE)))
    assert "value is too long" in outcome(value % (b"x" * (EXPORT_MAX_VALUE + 1)))
    assert "user is too large" in outcome(many)


def test_element_limit_counts_values_and_not_marks_in_texts() -> None:
    text = b'{"id":"u","v":"' + b",{[" * EXPORT_MAX_ELEMENTS + b'"}'

    assert 1 == len(read(text))
    for value in (b"{}", b"[]", b"1"):
        many = b'{"id":"u","v":[' + value + (b"," + value) * EXPORT_MAX_ELEMENTS + b"]}"
        assert "too many values" in outcome(many)


@pytest.mark.parametrize(
    ("start", "limit"),
    [(b'{"id":"', EXPORT_MAX_VALUE), (b'{"id":', EXPORT_MAX_USER), (b"[", 32), (b"{", 32)],
    ids=["string", "number", "nested arrays", "nested objects"],
)
def test_endless_input_is_refused_after_the_limit(start: bytes, limit: int) -> None:
    reader = JsonExportReader()
    filler = {b"[": b"[", b"{": b'{"a":'}.get(start, b"1")
    filler *= EXPORT_PIECE // len(filler)
    reader.feed(start)
    given = 0
    refused = False
    while not refused and given < 4 * EXPORT_MAX_USER:
        given += len(filler)
        try:
            reader.feed(filler)
        except InputError:
            refused = True

    assert refused
    assert given <= limit + 3 * EXPORT_PIECE


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(
    form=st.sampled_from(sorted(FORMS)),
    at=st.integers(0, 600),
    replacement=st.binary(max_size=2),
    piece_bytes=st.integers(1, 40),
)
def test_damage_gives_the_same_outcome_for_every_cut(
    form: str, at: int, replacement: bytes, piece_bytes: int
) -> None:
    data = FORMS[form]([documented("u1"), documented(2)])
    data = data[:at] + replacement + data[at + 1 :]
    whole, cut = outcome(data), outcome(data, piece_bytes=piece_bytes)

    assert whole == cut or (isinstance(whole, str) and isinstance(cut, str))


def test_every_truncation_is_refused_or_ends_after_a_whole_line() -> None:
    for name, form in FORMS.items():
        data = form([documented("u1"), documented("u2")]).rstrip()
        for end in range(len(data)):
            found = outcome(data[:end])
            whole_line = (
                name in ("lines", "CRLF and blank lines") and data[:end].rstrip()[-1:] == b"}"
            )
            assert isinstance(found, str) or whole_line, (name, end)
