"""CSV is read strictly: every row is used, or named with its reason; a cut file is refused."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import pipeline
from pipeline.errors import BatchpubError, ConfigurationError, InputError
from pipeline.extract import csv_file
from pipeline.extract.batch import Wanted
from pipeline.extract.csv_file import read_csv
from pipeline.extract.places import resolve_places


def read(
    folder: Path, data: bytes, **options: object
) -> tuple[list[tuple[int, str | None]], list[tuple[int, str]]]:
    """Ids with their row numbers, and rejects with theirs."""
    path = folder / "x.csv"
    path.write_bytes(data)
    wanted = Wanted(**{"id_column": "id", "active": "no", **options})  # type: ignore[arg-type]
    ids: list[tuple[int, str | None]] = []
    rejects: list[tuple[int, str]] = []
    for batch in read_csv(resolve_places([path])[0], wanted):
        rows = (
            batch.rows.to_pylist()
            if batch.rows is not None
            else range(batch.first_row, batch.first_row + len(batch.ids))
        )
        ids += zip(rows, batch.ids.to_pylist(), strict=True)
        rejects += [(reject.row, reject.reason) for reject in batch.rejects]
    return ids, rejects


def test_ragged_rows_are_named_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    data = b'id,x\na,1\nb\nc,2,3\nd,4\n"e,\n5",5\nf\n'

    ids, rejects = read(tmp_path, data)

    assert ids == [(2, "a"), (5, "d"), (6, "e,\n5")]
    assert rejects == [(3, "wrong field count"), (4, "wrong field count"), (7, "wrong field count")]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.text('ab ,"\n0', max_size=5), st.integers(1, 4)), max_size=60),
    st.sampled_from([64, 200, 4096]),
)
def test_row_numbers_and_values_equal_those_of_pythons_reader(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]], block: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "x"])
    for value, width in rows:
        writer.writerow([value, "y", "z", "w"][:width])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "BLOCK", block)
        ids, rejects = read(tmp_path_factory.mktemp("csv"), text.getvalue().encode())

    numbered = list(enumerate(csv.reader(io.StringIO(text.getvalue(), newline="")), start=1))[1:]
    assert [(n, row[0]) for n, row in numbered if len(row) == 2] == ids
    assert [(n, "wrong field count") for n, row in numbered if len(row) != 2] == rejects


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"\xef\xbb\xbfid,x\na,1\n", ["a"]),
        (b'"id","x"\n"a","1"\n', ["a"]),
        (b"id,x\r\na,1\r\nb,2\r\n", ["a", "b"]),
        (b"id,x\ra,1\r", ["a"]),
        (b"id,x\n\na,1\n\n", ["a"]),
        (b"id,x\n", []),
        (b'id,x\n"",1\n00123,1\n', ["", "00123"]),
        (b'x,"i\nd",id\n1,2,a\n', ["a"]),
        (gzip.compress(b"id,x\na,1\n", mtime=0), ["a"]),
        (gzip.compress(b"id,x\na,1\n", mtime=0) + gzip.compress(b"b,1\n", mtime=0), ["a", "b"]),
    ],
)
def test_dialects_that_are_whole(tmp_path: Path, data: bytes, wanted: list[str]) -> None:
    ids, rejects = read(tmp_path, data)

    assert wanted == [value for _, value in ids]
    assert rejects == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"id,x\na,1", "the last line has no end"),
        (b'id,x\na,"1\nb,2\n', "a quote is left open"),
        (b"id,id\na,1\n", "same name"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not text"),
        (b"<html><body>Sign in</body></html>\n", "HTML or XML"),
        (b"id,x\n" + b'a,"' + b"z" * 5_000_000 + b'"\n', "too long"),
        (b"\xe9d,x\na,1\n", "header is not UTF-8"),
        (gzip.compress(b"id,x\na,1\n" * 99, mtime=0)[:-9], "cut or damaged"),
        (b"y" * 5_000_000, "no line break"),
    ],
)
def test_files_that_cannot_be_trusted_are_refused(
    tmp_path: Path, data: bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, data)


def test_a_bad_byte_refuses_its_row_only(tmp_path: Path) -> None:
    ids, rejects = read(tmp_path, b"id,x\na,1\n\xff,2\nb,\xff\n")

    assert ids == [(2, "a"), (4, "b")]
    assert rejects == [(3, "invalid UTF-8")]


@pytest.mark.parametrize(
    ("data", "wanted", "refused"),
    [
        (b'id,x\n"ab"cd,1\nb,2\n', [(3, "b")], [2]),
        (b'id,x\na,5"\nb,2\n', [(3, "b")], [2]),
        (b'id,x\na,"Joe "Boss" Doe"\nb,2\n', [(3, "b")], [2]),
        (b'id,x\n1,"Bob\n2,Al\n3,"Eve"\n4,x\n', [(5, "4")], [2, 3, 4]),
        (b'id,x\n"a"b,"c\nvictim,d\ne"\nf,1\n', [(5, "f")], [2, 3, 4]),
        (b'id,x\n"a"b,1\n\n"c",2\n"d" ,2\n', [(4, "c")], [2, 5]),
        (b'id,x\n"a\\",b"\nb,2\n', [(3, "b")], [2]),
    ],
    ids=["early end", "lone", "not doubled", "left open", "text behind", "blank line", "backslash"],
)
def test_an_unbalanced_quote_refuses_its_lines_and_no_other(
    tmp_path: Path, data: bytes, wanted: list[tuple[int, str]], refused: list[int]
) -> None:
    ids, rejects = read(tmp_path, data)

    assert wanted == ids
    assert [(row, "unbalanced quote") for row in refused] == rejects


def test_quotes_escaped_with_backslashes_refuse_the_file_at_their_row(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 3: quotes are escaped with backslashes"):
        read(tmp_path, b'id,x\na,1\nb,"say \\"hi\\""\nc,1\n')


def test_a_ragged_row_of_bad_bytes_is_one_refused_row(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ids, rejects = read(tmp_path, b"id,x\na,1\n\xff,2,3\nb,2\n\xff\n", keep_values=True)

    assert ids == [(2, "a"), (4, "b")]
    assert rejects == [(3, "wrong field count"), (5, "wrong field count")]
    assert capfd.readouterr().err == ""


def test_blank_lines_are_no_rows_but_count(tmp_path: Path) -> None:
    ids, rejects = read(tmp_path, b'\r\nid,x\n\n\na,1\n"b\n\n",1\n\nc\n\n')

    assert ids == [(5, "a"), (6, "b\n\n")]
    assert rejects == [(8, "wrong field count")]


def test_a_blank_line_of_a_single_column_is_an_empty_id_unless_it_ends_the_file(
    tmp_path: Path,
) -> None:
    assert read(tmp_path, b"id\na\n\nb\n\n\n")[0] == [(2, "a"), (3, ""), (4, "b")]
    assert read(tmp_path, b"id\r\na\r\n\r\n")[0] == [(2, "a")]


@pytest.mark.parametrize("value", [b"z" * 5_000_000, b'"' + b"z" * 5_000_000 + b'"'])
def test_a_row_that_is_too_long_is_named(tmp_path: Path, value: bytes) -> None:
    with pytest.raises(InputError, match=r"row 3: one row is too long.*limit 4,194,304 bytes"):
        read(tmp_path, b"id,x\na,1\nb," + value + b"\nc,1\n")


def test_an_open_quote_is_named_by_its_row(tmp_path: Path) -> None:
    data = b'id,x\na,1\nb,"2\nc,3\n'
    with pytest.raises(InputError, match="row 3: a quote is left open"):
        read(tmp_path, data)

    ids, rejects = read(tmp_path, data, allow_truncated=True)
    assert ids == [(2, "a")]
    assert rejects == [(3, "unbalanced quote"), (4, "unbalanced quote")]


def test_no_more_than_a_few_blocks_are_read_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", 4096)
    path = tmp_path / "x.csv"
    path.write_bytes(b"id,x\n" + b"a,1\n" * 500_000)
    batches = read_csv(resolve_places([path])[0], Wanted(id_column="id", active="no"))
    for _ in range(40):
        batch = next(batches)

    assert 52 * 4096 > batch.bytes_read
    batches.close()  # type: ignore[attr-defined]


def test_other_dialects_by_option(tmp_path: Path) -> None:
    assert read(tmp_path, b"a;1\n", delimiter=";", columns=("id", "x"))[0] == [(1, "a")]
    assert read(tmp_path, b'id\tx\n"a\t1\n', delimiter="\t", quote="")[0] == [(2, '"a')]
    assert read(tmp_path, "id,x\nž,1\n".encode("cp1250"), encoding="cp1250")[0] == [(2, "ž")]
    assert read(tmp_path, "id,x\nž,1\n".encode("utf-16"), encoding="utf-16")[0] == [(2, "ž")]
    assert read(tmp_path, b"id,x\na,1", allow_truncated=True)[0] == [(2, "a")]


def test_a_missing_column_lists_those_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the columns are klient, x"):
        read(tmp_path, b"klient,x\na,1\n", id_column=None)
    with pytest.raises(ConfigurationError, match="several columns could hold the user id"):
        read(tmp_path, b"user_id,id\na,1\n", id_column=None)


def test_every_cut_of_a_small_file_is_refused_or_ends_at_a_row(tmp_path: Path) -> None:
    data = b'id,x\n"a",1\nb,"2"\nc,"3,\n4"\n'
    whole_rows = {data.index(b"\n", at) + 1 for at in (0, 5)} | {
        data.index(b"c,"), data.index(b"b,"), len(data),
    }  # fmt: skip
    for cut in range(len(data)):
        try:
            _, rejects = read(tmp_path, data[:cut])
        except BatchpubError:
            continue
        assert cut in whole_rows or rejects, cut


@pytest.mark.parametrize(
    "line", ["anna@example.com,Anna", "u10437,2026-11-20", "10437,x", "anna@example.com"]
)
def test_the_first_row_of_a_file_without_a_header_is_not_shown(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigurationError, match="looks like data") as caught:
        read(tmp_path, f"{line}\n".encode(), id_column=None)

    assert "10437" not in str(caught.value)
    assert "anna" not in str(caught.value).lower()


@pytest.mark.parametrize(("delimiter", "said"), [(";", "';'"), ("|", "'|'"), ("\t", r"$'\t'")])
def test_a_header_of_one_column_names_the_delimiter_to_say(
    tmp_path: Path, delimiter: str, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, f"user_id{delimiter}seen\na{delimiter}b\n".encode(), id_column=None)

    assert f"--delimiter {said}" in str(caught.value)


def test_a_stray_zero_byte_is_a_rejected_row_and_not_the_end_of_the_file(tmp_path: Path) -> None:
    extract, rejects = tmp_path / "x.csv", tmp_path / "rejects.csv"
    rows = b"".join(b"u%d,2026-11-01,x\n" % number for number in range(9))
    extract.write_bytes(b"id,last_active,note\n" + rows + b"a\0b,2026-11-01,x\nu9,2026-11-01,\0\n")
    made = pipeline.prepare(
        extract, tmp_path / "u.jsonl", as_of="2026-11-23", max_rejects="50%", rejects=rejects
    )

    assert (10, {"control character in id": 1}) == (made.users, made.rejects)
    assert f"{extract},11,control character in id" in rejects.read_text()
