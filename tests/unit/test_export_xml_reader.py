"""The XML reader: shapes it takes, input it refuses, and what refusing may cost."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from pipeline.errors import InputError, Terminated
from pipeline.export import xml_reader
from pipeline.export.xml_assembler import UserAssembler
from pipeline.export.xml_reader import XmlExportReader
from pipeline.limits import EXPORT_MAX_ELEMENTS, EXPORT_MAX_USER, EXPORT_MAX_VALUE, EXPORT_PIECE
from pipeline.records import UserRecommendations

GOLDEN = Path(__file__).parents[1] / "golden"
USER = b"<user><auth_user_id>u1</auth_user_id></user>"
OPEN_USER = b"<users><user><auth_user_id>u1</auth_user_id>"


def read(data: bytes, *, piece_bytes: int = EXPORT_PIECE) -> list[UserRecommendations]:
    reader = XmlExportReader(source="export.xml", piece_bytes=piece_bytes)
    return reader.feed(data) + reader.close()


def refusal(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read(data)
    return caught.value


def bytes_until_refusal(start: bytes, filler: bytes) -> int:
    """How much of an endless stream is taken before it is refused."""
    reader = XmlExportReader()
    reader.feed(start)
    given = 0
    while given < 4 * EXPORT_MAX_USER:
        given += len(filler)
        try:
            reader.feed(filler)
        except InputError:
            return given
    raise AssertionError("never refused")


def one_result(inner: str) -> dict[str, object]:
    """The record of one result with this content."""
    data = (
        "<users><user><auth_user_id>u1</auth_user_id><data><recommendations><recommendation>"
        f"<results><result>{inner}</result></results>"
        "</recommendation></recommendations></data></user></users>"
    )
    return read(data.encode())[0]["recommendations"][0]["results"][0]


@pytest.mark.parametrize("name", ["one_line", "pretty"])
def test_documented_samples_equal_their_golden_records(name: str) -> None:
    lines = (GOLDEN / f"export_{name}.jsonl").read_bytes().splitlines()

    assert [orjson.loads(line) for line in lines] == read(
        (GOLDEN / f"export_{name}.xml").read_bytes()
    )


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-2", "windows-1250"],
)
def test_encodings_give_the_same_text(encoding: str) -> None:
    declared = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}
    text = f"<?xml version='1.0' encoding='{declared.get(encoding, encoding)}'?>"
    text += "<users><user><auth_user_id>Žluťoučký</auth_user_id></user></users>"

    assert "Žluťoučký" == read(text.encode(encoding))[0]["auth_user_id"]
    assert "Žluťoučký" == read(text.encode(encoding), piece_bytes=4)[0]["auth_user_id"]


@pytest.mark.parametrize(
    "encoding",
    ["iso-8859-1", "ISO-8859-15", "windows-1252", "cp1252", "latin1", "utf8", "UTF_8", "utf16"],
)
def test_declared_spellings_of_an_encoding_give_the_same_text(encoding: str) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?>\n"
    text += "<users><user><auth_user_id>née Ø</auth_user_id></user></users>"

    assert "née Ø" == read(text.encode(encoding.replace("windows-", "cp")))[0]["auth_user_id"]
    assert "née Ø" == read(text.encode(encoding), piece_bytes=4)[0]["auth_user_id"]


def test_whitespace_cdata_references_comments_and_instructions_in_a_value() -> None:
    item = one_result("<id> a\n </id><title>x<![CDATA[<&]]>&#65;&amp;<!-- c --><?p i?>é</title>")

    assert {"id": " a\n ", "title": "x<&A&é"} == item


def test_elements_come_in_any_order_and_blocks_of_one_type_stay_apart() -> None:
    block = (
        "<recommendation><results/><recommendation_type>m</recommendation_type></recommendation>"
    )
    users = read(
        "<users xmlns='urn:export'><user><data><recommendations>"
        f"{block}{block}</recommendations><_metadata><updated_at>t</updated_at></_metadata></data>"
        "<auth_user_id>u1</auth_user_id></user></users>".encode()
    )

    blocks = [{"recommendation_type": "m", "results": []}] * 2
    assert [{"auth_user_id": "u1", "updated_at": "t", "recommendations": blocks}] == users


def test_user_without_recommendations_and_user_twice_are_kept() -> None:
    empty: UserRecommendations = {"auth_user_id": "u1", "updated_at": None, "recommendations": []}

    assert [empty, empty] == read(b"<users>" + USER + b"\n" + USER + b"</users>")


def test_unknown_parts_are_kept_under_their_own_name() -> None:
    item = one_result(
        "<price cur='EUR'>1</price><tag>a</tag><tag>b</tag><url lang='cs'>u</url>"
        "<size><w>1</w> <h unit='cm'/></size>stray<id>1</id><id>2</id>"
    )

    assert {
        "price": {"@cur": "EUR", "#text": "1"},
        "tag": ["a", "b"],
        "url@lang": "cs",
        "url": "u",
        "size": {"w": "1", "h": {"@unit": "cm"}},
        "#text": "stray",
        "id": ["1", "2"],
    } == item


def test_unknown_parts_outside_results_are_kept_in_extra_at_their_path() -> None:
    (user,) = read(
        b"<users><user k='1'><auth_user_id>u</auth_user_id><seg>a</seg><data><x>1</x>"
        b"<_metadata><v>2</v><updated_at>t</updated_at><updated_at>t2</updated_at></_metadata>"
        b"<recommendations><n>3</n><recommendation><algo>q</algo><results c='4'/>"
        b"</recommendation></recommendations></data></user></users>"
    )

    assert {
        "@k": "1",
        "seg": "a",
        "data": {
            "x": "1",
            "_metadata": {"v": "2", "updated_at": "t2"},
            "recommendations": {"n": "3"},
        },
    } == user["extra"]
    assert {"algo": "q", "results": {"@c": "4"}} == user["recommendations"][0]["extra"]


def test_elements_beside_the_users_are_counted() -> None:
    reader = XmlExportReader()
    users = reader.feed(b"<users><meta><user>x</user></meta>" + USER + b"</users>")

    assert 1 == len(users + reader.close())
    assert 1 == reader.ignored_elements


@pytest.mark.parametrize(
    ("data", "says", "position"),
    [
        pytest.param(b"", "empty", "line 1, column 1, byte 0", id="empty"),
        pytest.param(b" \n", "no element found", "line 2, column 1, byte 2", id="blank"),
        pytest.param(b"\x00\x01\xfe rubbish", "not well-formed", "byte 0", id="binary"),
        pytest.param(b"<!DOCTYPE html><html>", "HTML page", "byte", id="HTML with doctype"),
        pytest.param(b"<html><body>", "HTML page", "byte 0", id="HTML without doctype"),
        pytest.param(b"\n<HTML>", "HTML page", "line 2, column 1, byte 1", id="HTML in capitals"),
        pytest.param(b"<!DOCTYPE users SYSTEM 'x'><users/>", "DOCTYPE", "byte", id="doctype"),
        pytest.param(b"<feed/>", "root element", "byte 0", id="wrong root"),
        pytest.param(b"<users/>x", "junk", "line 1, column 9, byte 8", id="trailing garbage"),
        pytest.param(b"<users/><users/>", "junk", "byte 8", id="two exports"),
        pytest.param(b"<users>" + USER, "no element found", "byte 51", id="truncated"),
        pytest.param(b"<users>\n <user></user></users>", "no auth_user_id", "line 2", id="no id"),
        pytest.param(b"<users><user><auth_user_id/></user>", "no auth_user_id", "", id="empty id"),
        pytest.param(OPEN_USER + b"<auth_user_id/>", "two elements", "", id="two ids"),
        pytest.param(b"<users><user><auth_user_id>a<b/>", "holds an element", "", id="id tree"),
        pytest.param(b"<users>sorry, error 500</users>", "text between", "", id="loose text"),
        pytest.param(b"<users>&foo;</users>", "undefined entity", "byte 7", id="entity"),
        pytest.param(b"<users>&#xD800;</users>", "invalid character", "byte 7", id="surrogate"),
        pytest.param(b"<users>\xff</users>", "invalid token", "byte 7", id="not UTF-8"),
        pytest.param(b"<users>\x01</users>", "invalid token", "byte 7", id="control character"),
        pytest.param(
            b"<?xml version='1.0' encoding='shift_jis'?><users/>", "encoding", "", id="multi-byte"
        ),
        pytest.param(
            b"<?xml version='1.0' encoding='nonsense'?><users/>", "encoding", "", id="unknown code"
        ),
        pytest.param(
            b"<?xml version='1.0' encoding='utf-16'?><users/>", "encoding", "", id="wrong encoding"
        ),
        pytest.param(
            b"\xef\xbb\xbf<?xml version='1.0' encoding='iso-8859-2'?><users/>",
            "not in the encoding that it declares",
            "byte 3",
            id="mark of UTF-8, other declaration",
        ),
        pytest.param(
            "<?xml version='1.0' encoding='utf8'?><users/>".encode("utf-16"),
            "not in the encoding that it declares",
            "byte 2",
            id="UTF-16 that declares UTF-8",
        ),
        pytest.param(
            b"<?xml version='1.0' encoding='utf8'?>\n<users>\xff</users>",
            "invalid token",
            "line 2, column 8, byte 45",
            id="bad byte after a respelled encoding",
        ),
        pytest.param(b"<?xml version='2.0'?><users/>", "version", "byte 0", id="other version"),
        pytest.param(
            b"<?xml version='1.0' encoding='windows-1252'?><users>\x81</users>",
            "invalid token",
            "",
            id="undefined byte of a code page",
        ),
        pytest.param(
            "<users>\n<a>".encode("utf-16-le") + b"\x3d\xd8a\x00",
            "half a character",
            "line 2, column 4, byte 22",
            id="half a pair in UTF-16",
        ),
        pytest.param(
            "<users/>".encode("utf-16-le") + b"\x20", "half a character", "byte 16", id="odd UTF-16"
        ),
        pytest.param(OPEN_USER + b"<a>" * 31, "too deeply", "byte", id="deep"),
        pytest.param(b"<users>" + b"<a>" * 32, "too deeply", "byte", id="deep beside users"),
    ],
)
def test_refusal_says_what_where_and_what_to_do(data: bytes, says: str, position: str) -> None:
    error = refusal(data)

    assert says in error.message
    assert position in str(error.position)
    assert str(error.position).startswith("line ")
    assert "export.xml" == error.source
    assert error.remedy


def test_depth_of_exactly_the_limit_is_read() -> None:
    inner = b"<a>" * 30 + b"</a>" * 30

    assert 1 == len(read(OPEN_USER + inner + b"</user></users>"))


@pytest.mark.parametrize("character", ["a", "é", "😀"], ids=["ASCII", "two bytes", "four bytes"])
def test_value_limit_counts_utf8_bytes(character: str) -> None:
    fitting = character.encode() * (EXPORT_MAX_VALUE // len(character.encode()))
    start = OPEN_USER + b"<data><_metadata><updated_at>"
    end = b"</updated_at></_metadata></data></user></users>"

    assert 1 == len(read(start + fitting + end))
    assert "value is too long" in refusal(start + fitting + character.encode() + end).message


def test_user_limit_holds_for_a_user_of_many_small_parts() -> None:
    part = b"<a>" + b"x" * 9_993 + b"</a>"
    whole = OPEN_USER + part * (EXPORT_MAX_USER // len(part) - 1)

    assert 1 == len(read(whole + b"</user></users>"))
    assert "user is too large" in refusal(whole + part * 2 + b"</user></users>").message


def test_element_limit_holds_for_a_user_of_tiny_elements() -> None:
    whole = OPEN_USER + b"<a/>" * (EXPORT_MAX_ELEMENTS - 10) + b"</user>"

    assert 2 == len(read(whole + whole.removeprefix(b"<users>") + b"</users>"))
    for tiny in (b"<a b='' c=''/>", b"<a><b/></a>"):
        given = bytes_until_refusal(OPEN_USER, tiny * (EXPORT_PIECE // len(tiny)))
        assert given <= len(tiny) * EXPORT_MAX_ELEMENTS + 2 * EXPORT_PIECE
    last = OPEN_USER + b"<a/>" * EXPORT_MAX_ELEMENTS + b"</user></users>"
    assert "too many elements" in refusal(last).message


@pytest.mark.parametrize(
    "token",
    [b"<!--", b"<a x='", b"<?p ", b"<", b"</", b"&"],
    ids=["comment", "attribute", "instruction", "name", "end tag", "entity"],
)
@pytest.mark.parametrize("start", [b"", OPEN_USER], ids=["prolog", "user"])
def test_endless_token_is_refused_after_the_limit_and_not_later(start: bytes, token: bytes) -> None:
    given = bytes_until_refusal(start + token, b"x" * EXPORT_PIECE)

    assert given <= EXPORT_MAX_VALUE + 2 * EXPORT_PIECE


def test_endless_value_is_refused_after_the_limit_and_not_later() -> None:
    given = bytes_until_refusal(OPEN_USER + b"<a>", b"&amp;" * (EXPORT_PIECE // 5))

    assert given <= 5 * EXPORT_MAX_VALUE + 2 * EXPORT_PIECE


def test_endless_element_beside_the_users_is_refused_at_the_user_limit() -> None:
    part = b"<a>" + b" " * 1017 + b"</a>"
    given = bytes_until_refusal(b"<users><meta>", part * (EXPORT_PIECE // len(part)))

    assert given <= EXPORT_MAX_USER + 2 * EXPORT_PIECE


def test_tiny_feeds_give_the_parser_no_more_calls_than_large_ones() -> None:
    calls = 0

    class Counting(XmlExportReader):
        def _give(self, data: bytes, *, final: bool = False) -> None:
            nonlocal calls
            calls += 1
            super()._give(data, final=final)

    reader = Counting()
    for byte in OPEN_USER + b"<!--" + b"x" * 200_000 + b"--></user></users>":
        reader.feed(bytes([byte]))
    reader.close()

    assert calls <= 7


def test_no_declaration_of_a_bomb_is_expanded() -> None:
    given = 0

    class Counting(XmlExportReader):
        def _give(self, data: bytes, *, final: bool = False) -> None:
            nonlocal given
            given += len(data)
            super()._give(data, final=final)

    head = b"<!DOCTYPE users [<!ENTITY a0 'aaaaaaaaaa'>"
    bomb = head + b"".join(
        b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 9)
    )
    reader = Counting()
    with pytest.raises(InputError, match="DOCTYPE"):
        reader.feed(bomb + b"]><users>&a8;</users>" + b" " * EXPORT_PIECE)

    assert given <= len(head)


def test_many_distinct_names_are_refused() -> None:
    names = b"".join(b"<n%d/>" % number for number in range(5_000))

    assert "different names" in refusal(OPEN_USER + names + b"</user></users>").message


def test_refused_reader_raises_the_same_error_again() -> None:
    reader = XmlExportReader()
    with pytest.raises(InputError) as first:
        reader.feed(b"<feed>" + b" " * EXPORT_PIECE)
    with pytest.raises(InputError) as second:
        reader.feed(USER)

    assert first.value is second.value


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, Terminated])
def test_interrupt_inside_a_callback_comes_through(
    interrupt: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: UserAssembler) -> None:
        raise interrupt

    monkeypatch.setattr(UserAssembler, "_end_user", stop)
    with pytest.raises(interrupt):
        read(b"<users>" + USER + b"<broken")


def test_every_library_error_is_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec that expat's unknown-encoding hook cannot use raises LookupError or ValueError."""
    monkeypatch.setattr(xml_reader, "_ENCODINGS", re.compile(".*"))
    for code in ("idna", "hex", "utf-7", "punycode", "nonsense", "euc_jp"):
        text = f"<?xml version='1.0' encoding='{code}'?><users/>"

        assert "encoding" in refusal(text.encode()).message
