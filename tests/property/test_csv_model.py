"""CSV as a strict reader in plain Python sees it: the same good rows, the same refused ones."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pipeline.errors import InputError
from pipeline.extract import csv_file
from pipeline.extract.batch import Wanted
from pipeline.extract.csv_file import read_csv
from pipeline.extract.places import resolve_places

Good = list[tuple[int, str]]
Bad = list[tuple[int, str]]


@dataclass
class Record:
    raw: bytes = b""
    fields: list[bytes] = field(default_factory=lambda: [b""])
    bad: bool = False
    open: bool = False


def records(data: bytes, delimiter: bytes, quote: bytes) -> list[Record]:
    """One byte after another; a field that goes on behind its closing quote spoils its record."""
    found, state, at = [Record()], "start", 0
    while at < len(data):
        one, record = data[at : at + 1], found[-1]
        width = 2 if data[at : at + 2] == b"\r\n" and state != "quoted" else 1
        record.raw += data[at : at + width]
        if state == "quoted":
            if one != quote:
                record.fields[-1] += one
            elif data[at + 1 : at + 2] == quote:
                record.fields[-1] += quote
                record.raw += quote
                width = 2
            else:
                state = "closed"
        elif one in (b"\r", b"\n"):
            found.append(Record())
            state = "start"
        elif one == delimiter:
            record.fields.append(b"")
            state = "start"
        elif one == quote and state == "start":
            state = "quoted"
        else:
            record.bad |= one == quote or state == "closed"
            record.fields[-1] += one
            state = "closed" if state == "closed" else "plain"
        at += width
    if not found[-1].raw:
        found.pop()
    elif state == "quoted":
        found[-1].bad = found[-1].open = True
    return found


def model(data: bytes, delimiter: bytes, quote: bytes) -> tuple[Good, Bad] | str:
    """Ids and refused rows of a file with the columns id and x, or why it is refused whole."""
    good: Good = []
    bad: Bad = []
    row = 1
    everything = records(data, delimiter, quote)
    for record in everything[1:]:
        if record.bad:
            if re.search(rb'\\"[^"%s\r\n]' % re.escape(delimiter), record.raw):
                return "backslash"
            for line in re.split(rb"\r\n|\n|\r", re.sub(rb"(\r\n|\n|\r)\Z", b"", record.raw)):
                row += 1
                bad += [(row, "unbalanced quote")] if line else []
            continue
        row += 1
        if not record.raw.strip(b"\r\n"):
            continue
        if len(record.fields) != 2:
            bad.append((row, "wrong field count"))
            continue
        try:
            good.append((row, record.fields[0].decode()))
        except UnicodeDecodeError:
            bad.append((row, "invalid UTF-8"))
    if everything[-1].open:
        return "left open"
    return (good, bad) if data[-1:] in (b"\n", b"\r") else "has no end"


def read(path: Path, delimiter: str) -> tuple[Good, Bad]:
    wanted = Wanted(id_column="id", active="no", delimiter=delimiter)
    good: Good = []
    bad: Bad = []
    for batch in read_csv(resolve_places([path])[0], wanted):
        numbers = range(batch.first_row, batch.first_row + len(batch.ids))
        rows = numbers if batch.rows is None else batch.rows.to_pylist()
        good += zip(rows, batch.ids.to_pylist(), strict=True)
        bad += sorted((one.row, one.reason) for one in batch.rejects)
    return good, bad


@st.composite
def written(draw: st.DrawFn) -> tuple[bytes, str]:
    """What Python's csv writes in some dialect, and then what accidents make of it."""
    delimiter = draw(st.sampled_from(",;\t|"))
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter=delimiter,
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n", "\r", "\r\r\n", "\n\n"])),
    )
    value = st.text(st.sampled_from('ab0 ,;"\\\n\r\té'), max_size=6)
    rows = draw(st.lists(st.lists(value, min_size=1, max_size=3) | st.tuples(value, value)))
    writer.writerow(["id", "x"])
    for row in rows:
        writer.writerow(row)
    data = bytearray(text.getvalue().encode())
    start = data.index(b"x", 2) + 1
    accidents = st.sampled_from(
        [b'"', b"\xff", b"\n", b"\r", b"\xc3", b",", b'"a', b'\\"', b"\n\n"]
    )
    for accident in draw(st.lists(accidents, max_size=4)):
        if len(data) > start + 2:
            at = draw(st.integers(start + 2, len(data)))
            data[at:at] = accident
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + bytes(data), delimiter


@settings(max_examples=400)
@given(written(), st.sampled_from([256, 400, 4096]))
def test_any_file_reads_as_the_model_reads_it(
    tmp_path_factory: pytest.TempPathFactory, file: tuple[bytes, str], block: int
) -> None:
    data, delimiter = file
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_bytes(data)
    wanted = model(data.removeprefix(b"\xef\xbb\xbf"), delimiter.encode(), b'"')
    longest = max(len(one.raw) for one in records(data, delimiter.encode(), b'"'))
    found: object
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "BLOCK", block)
        try:
            found = read(path, delimiter)
        except InputError as error:
            found = error.message

    if longest >= block - 2 and "too long" in str(found):
        return
    if isinstance(wanted, str):
        assert wanted in str(found)
    else:
        assert wanted == found
