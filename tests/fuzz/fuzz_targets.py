"""What must hold for any bytes at all: typed errors, and no difference between the ways to read.

Each target takes the input of a fuzzer and raises when a promise is broken. `run_fuzzer.py` gives
them to atheris; `test_fuzz_corpus.py` replays what is kept, without it.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.errors import InputError
from pipeline.export.json_reader import JsonExportReader
from pipeline.export.quick_reader import QuickXmlReader
from pipeline.export.rows import iter_rows
from pipeline.export.tally import Counts
from pipeline.export.worker import answer
from pipeline.export.workers import EncodedUsers, ParallelXmlReader, WorkerProcesses
from pipeline.export.xml_reader import XmlExportReader
from pipeline.sandbox.multipart import FormParser, PartBegin, PartEnd, boundary_of

CORPUS: Final = Path(__file__).parent / "corpus"

_POSITION: Final = re.compile(r"line [1-9]\d*, column [1-9]\d*, byte \d+")


def _pieces(data: bytes) -> Iterator[bytes]:
    """`data` in pieces that depend on nothing but itself."""
    seed = zlib.crc32(data)
    position = 0
    while position < len(data):
        seed = (seed * 1103515245 + 12345) % 2**31
        size = 1 + (seed >> 16) % 40
        yield data[position : position + size]
        position += size


class _InlineWorkers(WorkerProcesses):
    """The answers of two processes, without the processes."""

    def __init__(self) -> None:
        super().__init__(2)
        self._answers: list[tuple[bytes, bytes]] = []

    def send(self, chunk: bytes) -> None:
        self._answers.append(answer(chunk, set()))

    def receive(self, turn: int) -> tuple[bytes, bytes]:
        return self._answers[turn]


def _flat(found: list[Any]) -> list[Any]:
    users: list[Any] = []
    for one in found:
        if isinstance(one, EncodedUsers):
            users += one.decode()
        else:
            users += one if isinstance(one, list) else [one]
    return users


def _outcome(reader: Any, data: Iterator[bytes] | list[bytes]) -> Any:
    """The records, or the refusal as a whole."""
    users: list[Any] = []
    refused: InputError | None = None
    try:
        for piece in data:
            users += _flat(reader.feed(piece))
        users += _flat(reader.close())
    except InputError as error:
        refused = error
    if refused is None:
        return users
    assert _POSITION.fullmatch(str(refused.position)), refused.position
    assert refused.remedy
    return refused.as_dict()


def _check_usable(users: list[Any]) -> None:
    """What follows the reader must be able to take what it gave."""
    for user in users:
        assert orjson.loads(orjson.dumps(user)) == user
        assert user["auth_user_id"].strip()
    Counts().add(users)
    assert sum(1 for _ in iter_rows(users)) >= len(users)


def check_xml(data: bytes) -> None:
    """The quick reader equals the reference; how the bytes are cut decides nothing."""
    found = _outcome(XmlExportReader(), [data])
    for reader in (XmlExportReader(), QuickXmlReader(), ParallelXmlReader(_InlineWorkers())):
        assert found == _outcome(reader, _pieces(data)), reader
    # The words of expat depend on where its own pieces end; the verdict must not.
    for reader in (
        XmlExportReader(piece_bytes=16),
        QuickXmlReader(piece_bytes=100),
        ParallelXmlReader(_InlineWorkers(), piece_bytes=50),
    ):
        other = _outcome(reader, [data])
        assert found == other or (isinstance(found, dict) and isinstance(other, dict)), reader
    if isinstance(found, list):
        _check_usable(found)


def check_json(data: bytes) -> None:
    """How the bytes are cut decides nothing; what is taken is JSON to the standard library."""
    found = _outcome(JsonExportReader(), [data])
    assert found == _outcome(JsonExportReader(), _pieces(data))
    small = _outcome(JsonExportReader(piece_bytes=7), _pieces(data))
    assert found == small or (isinstance(found, dict) and isinstance(small, dict))
    if isinstance(found, list):
        _check_usable(found)
        assert len(found) == _count_records(data.decode("utf-8-sig"))


def _count_records(text: str) -> int:
    blanks = " \t\r\n"
    values = []
    position = len(text) - len(text.lstrip(blanks))
    while position < len(text):
        value, position = json.JSONDecoder().raw_decode(text, position)
        values.append(value)
        position = len(text) - len(text[position:].lstrip(blanks))
    if len(values) == 1 and isinstance(values[0], list):
        return len(values[0])
    if len(values) == 1 and isinstance(values[0].get("users"), list) and "id" not in values[0]:
        return len(values[0]["users"])
    return len(values)


def check_multipart(data: bytes) -> None:
    """The first line is the Content-Type, the rest the body; its cuts decide nothing."""
    header, _, body = data.partition(b"\n")
    try:
        boundary = boundary_of(header.decode("latin-1"))
    except InputError:
        return
    assert _events(boundary, [body]) == _events(boundary, _pieces(body))
    assert _events(boundary, [body]) == _events(boundary, (bytes([byte]) for byte in body))


def _events(boundary: bytes, pieces: Iterator[bytes] | list[bytes]) -> list[Any]:
    parser = FormParser(boundary)
    found: list[Any] = []
    try:
        for piece in pieces:
            for event in parser.feed(piece):
                if isinstance(event, PartBegin | PartEnd):
                    found.append(event)
                elif found and isinstance(found[-1], bytes):
                    found[-1] += event
                else:
                    found.append(event)
        parser.close()
    except InputError:
        # What came before it depends on the cuts, and is thrown away by the server.
        return ["refused"]
    return found


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "xml": check_xml,
    "json": check_json,
    "multipart": check_multipart,
}
