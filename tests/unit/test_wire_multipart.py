"""Multipart framing: exact bytes, exact length, never beyond the envelope."""

from __future__ import annotations

import io

import pytest
from python_multipart import FormParser
from werkzeug.formparser import parse_form_data

from pipeline.errors import ConfigurationError
from pipeline.limits import ENVELOPE
from pipeline.wire.multipart import Framing, frame_file, shorten_file_name


def frame(**changes: str | int) -> Framing:
    values: dict[str, str | int] = {
        "boundary": "sk13jk8sd823j9",
        "part_name": "file",
        "file_name": "users.jsonl",
        "part_content_type": "application/octet-stream",
        "file_bytes": 5,
    }
    return frame_file(**(values | changes))  # type: ignore[arg-type]


def test_the_framing_is_these_bytes() -> None:
    framing = frame()

    assert (
        b"--sk13jk8sd823j9\r\n"
        b'Content-Disposition: form-data; name="file"; filename="users.jsonl"\r\n'
        b"Content-Type: application/octet-stream\r\n"
        b"\r\n"
    ) == framing.prologue
    assert b"\r\n--sk13jk8sd823j9--\r\n" == framing.epilogue
    assert "multipart/form-data; boundary=sk13jk8sd823j9" == framing.content_type
    assert len(framing.prologue) + 5 + len(framing.epilogue) == framing.content_length


NAMES = [
    pytest.param("users.jsonl", "users.jsonl", id="plain"),
    pytest.param('a"b.csv', "a%22b.csv", id="quote"),
    pytest.param("a\r\nX-Evil: 1.csv", "a%0D%0AX-Evil: 1.csv", id="header injection"),
    pytest.param("používatelia ✓.csv", "používatelia ✓.csv", id="beyond ASCII"),
    pytest.param("100%22.csv", "100%22.csv", id="percent stays, as in browsers"),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_foreign_parsers_read_the_file_and_its_name(name: str, expected: str) -> None:
    framing = frame(file_name=name)
    body = framing.prologue + b"hello" + framing.epilogue
    _, _, files = parse_form_data(
        {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": framing.content_type,
            "CONTENT_LENGTH": str(framing.content_length),
            "wsgi.input": io.BytesIO(body),
        }
    )
    found: list[tuple[bytes | None, bytes | None, bytes]] = []

    def on_file(file: object) -> None:
        found.append((file.field_name, file.file_name, file.file_object.getvalue()))  # type: ignore[attr-defined]

    parser = FormParser(
        "multipart/form-data", None, on_file, boundary=framing.content_type.partition("=")[2]
    )
    parser.write(body)
    parser.finalize()

    assert framing.content_length == len(body)
    assert ["file"] == list(files)
    assert expected.replace("%22", '"') == (files["file"].filename or "").replace("%22", '"')
    content = files["file"].read()
    files["file"].close()
    assert b"hello" == content
    assert [(b"file", expected.encode(), b"hello")] == found


@pytest.mark.parametrize("boundary", ["", "a" * 71, "a b", "a\r\nb", 'a"b', "a;b", "é"])
def test_a_malformed_boundary_is_refused(boundary: str) -> None:
    with pytest.raises(ConfigurationError):
        frame(boundary=boundary)


@pytest.mark.parametrize("value", ["", "text", "text/", "a/b\r\nX: y", "a/b; é", "a b/c"])
def test_a_malformed_part_content_type_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError):
        frame(part_content_type=value)


def test_a_name_beyond_the_envelope_is_refused_with_both_numbers() -> None:
    with pytest.raises(ConfigurationError) as caught:
        frame(file_name="x" * 900)

    framing = len(frame().prologue) + len(frame().epilogue) - len("users.jsonl") + 900
    assert (ENVELOPE, framing) == (caught.value.limit, caught.value.actual)


@pytest.mark.parametrize("name", ["n" * 255, "\n" * 255, "✓" * 85, '"' * 251 + ".csv", "." * 255])
def test_every_name_a_disk_can_hold_fits_the_envelope_once_shortened(name: str) -> None:
    framing = frame(
        boundary="b" * 70, file_name=shorten_file_name(name), part_content_type="a/" + "b" * 100
    )

    assert ENVELOPE >= len(framing.prologue) + len(framing.epilogue)


def test_a_shortened_name_keeps_its_suffix() -> None:
    assert "n" * 507 + ".json" == shorten_file_name("n" * 600 + ".json")
    assert "users.jsonl" == shorten_file_name("users.jsonl")
