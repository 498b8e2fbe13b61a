"""What a line of a list may be: the proof vouches for nothing that the line rules would not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.userlist.lines import FormatName, find_shape, format_of, read_line
from pipeline.userlist.list_file import ListFile
from pipeline.userlist.receipt import make_receipt

GOOD = [
    ('{"auth_user_id":"u1"}\n', "u1"),
    ('{"auth_user_id":"u1"}\r\n', "u1"),
    (' { "auth_user_id" : "u1" } \n', "u1"),
    ('{"user_id":"u1"}\n', "u1"),
    ('{"auth_user_id":12345678901234567890}\n', "12345678901234567890"),
    ('{"auth_user_id":"a\\"b\\u00e9","shop":{"auth_user_id":1}}\n', 'a"bé'),
    ('{"auth_user_id":"a\u2028b"}\n', "a\u2028b"),
    ('{"auth_user_id":" u1"}\n', " u1"),
]
BAD = [
    ("nonsense\n", "not JSON"),
    ('["u1"]\n', "not a JSON object"),
    ("{}\n", "no auth_user_id"),
    ('{"auth_user_id":null}\n', "neither text nor"),
    ('{"auth_user_id":true}\n', "neither text nor"),
    ('{"auth_user_id":1.5}\n', "neither text nor"),
    ('{"auth_user_id":123456789012345678901}\n', "neither text nor"),
    ('{"auth_user_id":"\\ud800"}\n', "not JSON"),
    ('{"auth_user_id":"a","x":1,"auth_user_id":"b"}\n', "given twice"),
    ('{"auth_user_id":""}\n', "empty"),
    ('{"auth_user_id":"\u00a0\u200b "}\n', "empty"),
    ("\n", "blank line"),
    ("\r\n", "blank line"),
    ('{"auth_user_id":"u1"}', "no end"),
    ('{"auth_user_id":"' + "x" * 70_000 + '"}\n', "longer than"),
]
GOOD_CSV = [
    ("u1\n", "u1"),
    ('"u1"\r\n', "u1"),
    ('"a""b,c"\n', 'a"b,c'),
    ("user_id\n", "user_id"),
    (" u1\n", " u1"),
]
BAD_CSV = [
    ("u1,u2\n", "more than one column"),
    ('u"1\n', "a quote inside"),
    ('"u1\n', "not one quoted value"),
    ('"u1"x"\n', "not one quoted value"),
    ('"\n', "not one quoted value"),
    ('""\n', "empty"),
    ("\u2003\n", "empty"),
    ("u\r1\n", "carriage return"),
    ("u\x001\n", "zero byte"),
    ("u1", "no end"),
]


@pytest.mark.parametrize(
    ("kind", "text", "user_id"),
    [("jsonl", *one) for one in GOOD] + [("csv", *one) for one in GOOD_CSV],
)
def test_a_good_line_gives_its_id_exactly(kind: FormatName, text: str, user_id: str) -> None:
    assert (user_id, None) == read_line(text.encode(), kind, first=False)[:2]


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [("jsonl", *one) for one in BAD] + [("csv", *one) for one in BAD_CSV],
)
def test_a_bad_line_is_named_and_never_vouched_for(
    kind: FormatName, text: str, problem: str
) -> None:
    found = read_line(text.encode(), kind, first=False).problem
    good = '{"auth_user_id":"u2"}\n' if kind == "jsonl" else "u2\n"

    assert found is not None
    assert problem in found
    assert find_shape((good + text).encode(), kind, lines=2) is None
    assert find_shape(text.encode(), kind, lines=1) is None


def test_bytes_that_are_not_utf8_are_found_in_both_formats() -> None:
    json_line, csv_line = b'{"auth_user_id":"u\xff1"}\n', b"u\xff1\n"

    assert "not UTF-8" == read_line(json_line, "jsonl", first=False).problem
    assert "not UTF-8" == read_line(csv_line, "csv", first=False).problem
    assert find_shape(json_line, "jsonl", lines=1) is None
    assert find_shape(csv_line, "csv", lines=1) is None


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        (b'{"auth_user_id":"u1"}\n{"auth_user_id":"a b"}\n', "jsonl"),
        ('{"user_id": "é1"}\r\n{"user_id": "a,b"}\r\n'.encode(), "jsonl"),
        (b'"u1"\n"a,b c"\n', "csv"),
        (b"u1\r\nu2\r\n", "csv"),
    ],
    ids=["json", "spaced json with CRLF", "quoted csv", "bare csv with CRLF"],
)
def test_lines_written_alike_are_vouched_for_at_once(block: bytes, kind: FormatName) -> None:
    assert find_shape(block, kind, lines=2) is not None


@pytest.mark.parametrize(
    "block",
    [
        b'"u1"\nu2"\n',
        b'"u1"\n""\n"u3"\n',
        b'"u1"\n" "\n',
        '"u1"\n"\u00a0"\n'.encode(),
        b'"u1"\nu2\n"u"3"\n',
    ],
    ids=["half a quote", "empty", "a space", "a no-break space", "as many quotes elsewhere"],
)
def test_a_block_with_one_line_that_asks_for_a_look_is_not_vouched_for(block: bytes) -> None:
    assert find_shape(block, "csv", lines=block.count(b"\n")) is None


def test_the_format_is_told_by_the_first_character() -> None:
    assert "jsonl" == format_of(b'\xef\xbb\xbf\n {"auth_user_id"')
    assert "csv" == format_of(b"u1\n")
    assert "csv" == format_of(b"")


@pytest.mark.parametrize("block_bytes", [1, 2, 7, 64, 1 << 20])
def test_blocks_are_whole_lines_whatever_is_read_at_once(tmp_path: Path, block_bytes: int) -> None:
    path = tmp_path / "users.csv"
    data = b"u1\nuser-2\r\n\nu4\ncut"
    path.write_bytes(data)
    file = ListFile(path, block_bytes=block_bytes)
    blocks = list(file.blocks())

    assert data == b"".join(block.data for block in blocks)
    assert (len(data), 5) == (file.bytes, file.lines)
    lines = [line for block in blocks for line in block.iter_lines()]
    assert [(1, b"u1\n"), (2, b"user-2\r\n"), (3, b"\n"), (4, b"u4\n"), (5, b"cut")] == lines


def test_a_line_without_end_takes_no_memory_and_is_still_too_long(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(b"u1\n" + b"x" * 1_000_000 + b"\nu3\n")
    blocks = list(ListFile(path, block_bytes=50_000).blocks())

    assert 200_000 > max(len(block.data) for block in blocks)
    with pytest.raises(InputError, match="longer than") as raised:
        make_receipt(path)
    assert "line 2" == raised.value.position


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"PAR1....", "Parquet"),
        (b"\xff\xfeu\x00", "UTF-16"),
        (b'[{"auth_user_id":"u1"}]', "JSON array"),
        (b"\xef\xbb\xbfu1\n", "byte order mark"),
        (b"customer_id\nu1\n", "header"),
        (b'"auth_user_id"\n"u1"\n', "header"),
        (b"x", "no end"),
    ],
)
def test_a_receipt_is_not_made_of_what_is_no_list(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "users"
    path.write_bytes(data)

    with pytest.raises(InputError, match=what):
        make_receipt(path)
