"""The sandbox's form parser on what real clients send, whole and byte by byte."""

import pytest

from pipeline.errors import InputError
from pipeline.sandbox.multipart import (
    FormParser,
    PartBegin,
    PartEnd,
    boundary_of,
    header_parameters,
)

CONTENT = b'{"auth_user_id":"u1"}\n'


def parts(body: bytes, boundary: str, *, step: int) -> list[tuple[str | None, bytes]]:
    parser = FormParser(boundary.encode())
    found: list[tuple[str | None, bytes]] = []
    name: str | None = None
    data = b""
    for at in range(0, len(body), step):
        for event in parser.feed(body[at : at + step]):
            if isinstance(event, PartBegin):
                name, data = event.name, b""
            elif isinstance(event, PartEnd):
                found.append((name, data))
            else:
                data += event
    parser.close()
    return found


def body(boundary: str, *headers: str, content: bytes = CONTENT) -> bytes:
    block = "".join(f"{header}\r\n" for header in headers)
    opening = f"--{boundary}\r\n{block}\r\n".encode()
    return opening + content + f"\r\n--{boundary}--\r\n".encode()


CURL = "------------------------f9f1b0d6a0a4d1c2"
CLIENTS = {
    "curl": body(
        CURL,
        'Content-Disposition: form-data; name="file"; filename="users.jsonl"',
        "Content-Type: application/octet-stream",
    ),
    "aiohttp": body(
        CURL,
        "Content-Type: application/octet-stream",
        'Content-Disposition: form-data; name="file"; filename="users.jsonl"',
    ),
    "faraday": body(
        CURL,
        'Content-Disposition: form-data; name="file"; filename="users.jsonl"',
        "Content-Length: 22",
        "Content-Type: application/json",
        "Content-Transfer-Encoding: binary",
    ),
    "no part content type": body(CURL, "Content-Disposition: form-data; name=file"),
    "any case, any order": body(
        CURL, "content-DISPOSITION:form-data;filename=a.jsonl;NAME = file;filename*=UTF-8''a%20b"
    ),
    "quoted specials": body(
        CURL, r'Content-Disposition: form-data; filename="a;\" name=x.jsonl"; name="file"'
    ),
    "preamble and epilogue": b"to be ignored\r\n"
    + body(CURL, 'Content-Disposition: form-data; name="file"')
    + b"to be ignored\r\n--x\r\n",
    "padding after the boundary": body(CURL + " \t", 'Content-Disposition: form-data; name="file"')[
        : -len(b" \t--\r\n")
    ]
    + b"--",
}


@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize("client", CLIENTS)
def test_every_clients_form_is_read(client: str, step: int) -> None:
    assert [("file", CONTENT)] == parts(CLIENTS[client], CURL, step=step)


@pytest.mark.parametrize("step", [1, 10_000])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"\r\n--",
        b"a\r\n--" + CURL[:-1].encode(),
        b"\r\r\n-\r\n--",
        CURL.encode() + b"--\n--" + CURL.encode(),
        bytes(range(256)) * 3,
    ],
    ids=["empty", "line end", "dashes", "almost", "near misses", "no CR before", "binary"],
)
def test_content_that_looks_like_a_boundary_is_kept(content: bytes, step: int) -> None:
    sent = body(CURL, 'Content-Disposition: form-data; name="file"', content=content)

    assert [("file", content)] == parts(sent, CURL, step=step)


@pytest.mark.parametrize("cut", range(len(CLIENTS["curl"]) - 4))
def test_a_body_cut_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(InputError, match="boundary"):
        parts(CLIENTS["curl"][:cut], CURL, step=10_000)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (body(CURL, "Content-Disposition: attachment; name=file"), "not form-data"),
        (body(CURL, "no colon"), "'Name: value'"),
        (
            body(
                CURL,
                'Content-Disposition: form-data; name="file"',
                "Content-Transfer-Encoding: base64",
            ),
            "encoded for transfer",
        ),
        (body(CURL, "X-Long: " + "a" * 20_000), "too long"),
        (b"x" * 70_000, "no boundary"),
        (f"--{CURL}junk\r\n\r\n".encode(), "not followed by CRLF"),
    ],
    ids=["attachment", "no colon", "base64", "long", "no boundary", "junk"],
)
def test_a_form_that_is_none_is_refused(sent: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parts(sent, CURL, step=10_000)


@pytest.mark.parametrize("step", [1, 10_000])
def test_a_part_without_headers_has_no_name(step: int) -> None:
    assert [(None, CONTENT)] == parts(body(CURL), CURL, step=step)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; charset=utf-8; BOUNDARY="a b:c"', b"a b:c"),
        ("multipart/form-data;boundary=" + "-" * 70, b"-" * 70),
    ],
)
def test_boundary_is_read_bare_and_quoted(header: str, expected: bytes) -> None:
    assert expected == boundary_of(header)


@pytest.mark.parametrize(
    "header",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "a" * 71,
        'multipart/form-data; boundary="a "',
        "multipart/form-data; boundary=é",
    ],
)
def test_a_boundary_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(InputError, match="boundary"):
        boundary_of(header)


def test_the_first_of_two_parameters_of_one_name_counts() -> None:
    assert {"name": "file"} == header_parameters('form-data; name="file"; name=other')
