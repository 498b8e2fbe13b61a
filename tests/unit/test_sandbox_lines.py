"""Which user lists the sandbox takes for valid, and what it says of the others."""

import pytest

from pipeline.errors import InputError
from pipeline.sandbox.lines import ListReader, iter_ids


def read(data: bytes) -> tuple[str, int]:
    reader = ListReader()
    reader.feed(data)
    reader.close()
    return reader.format, reader.users


def ids(data: bytes) -> list[str]:
    return [one for batch in iter_ids([data], read(data)[0]) for one in batch]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "list_format", "expected"),
    [
        (b'{"auth_user_id":"u1"}\n{"auth_user_id":"u2"}\n', "jsonl", ["u1", "u2"]),
        (b'{"auth_user_id": "u1"}\n{"auth_user_id": "u2"}', "jsonl", ["u1", "u2"]),
        (b'{"user_id":"u1"}\n{"auth_user_id":"u2"}\n', "jsonl", ["u1", "u2"]),
        (b'{"auth_user_id":"u1"}\r\n{"auth_user_id":"u2"}\r\n', "jsonl", ["u1", "u2"]),
        (b'{"auth_user_id":"a\\"\\n\\u00e9"}\n', "jsonl", ['a"\né']),
        (b'{"x":[1],"auth_user_id":"u1","user_id":7}\n', "jsonl", ["u1"]),
        ('{"auth_user_id":"žluťoučký 🐎"}\n'.encode(), "jsonl", ["žluťoučký 🐎"]),
        (b'"u1"\n"u2"\n', "csv", ["u1", "u2"]),
        (b'"u1"\r\n"u,2"', "csv", ["u1", "u,2"]),
        (b'"a""b"\n" c "\n', "csv", ['a"b', " c "]),
        (b"u1\nu 2\n007\n", "csv", ["u1", "u 2", "007"]),
        (b"u1\r\nu2\r\n", "csv", ["u1", "u2"]),
        (b"auth_user_id\nu1\n", "csv", ["auth_user_id", "u1"]),
        (b'"u1"\nu2\n', "csv", ["u1", "u2"]),
        (b"", "jsonl", []),
    ],
)
def test_valid_lists_are_told_apart_by_content(
    data: bytes, list_format: str, expected: list[str]
) -> None:
    assert (list_format, len(expected)) == read(data)
    assert expected == ids(data)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'{"auth_user_id":"u1"}\nnonsense\n', 2),
        (b'{"auth_user_id":"u1"}\n\n{"auth_user_id":"u2"}\n', 2),
        (b'{"auth_user_id":"u1"}\n{"auth_user_id":""}\n', 2),
        (b'{"auth_user_id":"u1"}\n{"auth_user_id":"u', 2),
        (b'{"auth_user_id":7}\n', 1),
        (b'{"auth_user_id":null}\n', 1),
        (b'{"id":"u1"}\n', 1),
        (b'{"auth_user_id":"u1"} {"auth_user_id":"u2"}\n', 1),
        (b'{"auth_user_id":"a\tb"}\n', 1),
        (b'{"auth_user_id":"\xff"}\n', 1),
        (b'{"auth_user_id":"\\ud800"}\n', 1),
        (b'{"auth_user_id":"u1"}\n"u2"\n', 2),
        (b'{"auth_user_id":"u1","auth_user_id":"u2"\n', 1),
        (b'{"auth_user_id":"' + b"a" * 70_000 + b'"}\n', 1),
        (b'"u1"\n""\n', 2),
        (b'"u1"\n"u2\n', 2),
        (b'"u1"\n"u2"x\n', 2),
        (b'"u1","x"\n', 1),
        (b"u1\nu2,x\n", 2),
        (b"u1\n\nu2\n", 2),
        (b"u1\n u2\n", 2),
        (b"u1\nu\xff2\n", 2),
        (b"u1\nu\x002\n", 2),
        (b'u1\nu"2\n', 2),
        (b"u1\ru2\ru3\n", 1),
        (b"\xef\xbb\xbfu1\n", 1),
        ('{"auth_user_id":"u1"}\n'.encode("utf-16"), 1),
        (b'[{"auth_user_id":"u1"}]', 1),
        (b"\n", 1),
    ],
)
def test_an_invalid_line_is_named_by_its_number_only(data: bytes, line: int) -> None:
    with pytest.raises(InputError) as caught:
        read(data)

    assert f"line {line}" == caught.value.position
    assert f"line {line} of the list is not valid" in caught.value.message
    assert "u2" not in str(caught.value)


def test_a_line_that_never_ends_is_not_gathered() -> None:
    reader = ListReader()
    reader.feed(b"a" * 60_000)

    with pytest.raises(InputError, match="longer than 65536"):
        reader.feed(b"a" * 10_000)
