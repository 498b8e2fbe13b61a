"""Contacts as they are read: who is one, who is none and why."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.deliver.contact_book import ContactBook, read_contacts
from pipeline.errors import ConfigurationError, InputError


def read(path: Path, **columns: str) -> tuple[ContactBook, list[tuple[int, str]]]:
    rejects: list[tuple[int, str]] = []
    book = read_contacts(
        path,
        id_column=columns.get("id_column"),
        email_column=columns.get("email_column"),
        on_reject=lambda _, some: rejects.extend((one.row, one.reason) for one in some),
    )
    return book, sorted(rejects)


def write(folder: Path, text: str) -> Path:
    path = folder / "c.csv"
    path.write_text(text)
    return path


def test_contacts_are_found_by_the_exact_id(tmp_path: Path) -> None:
    book, rejects = read(write(tmp_path, "user_id,email\n007,a@example.com\n7,b@example.com\n"))

    assert [(2, "a@example.com")] == [one[1:] for one in book.find("007")]
    assert [] == book.find("07")
    assert (2, []) == (len(book), rejects)


def test_several_contacts_may_have_one_id_in_the_order_of_the_file(tmp_path: Path) -> None:
    book, _ = read(write(tmp_path, "id,email\nu,a@x.cz\nv,b@x.cz\nu,c@x.cz\nu,d@x.cz\n"))

    assert ["a@x.cz", "c@x.cz", "d@x.cz"] == [one.email for one in book.find("u")]


def test_rows_that_are_no_contact_are_rejected_with_their_reason(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "id,email\n"
        ",a@x.cz\n"
        "default,b@x.cz\n"
        "u1,\n"
        "u2,nobody\n"
        'u3,"c@x.cz\nBcc: d@x.cz"\n'
        "u4,e@x.cz\n"
        "u5, E@X.cz \n"
        "u6,e@x.cz,more\n",
    )
    book, rejects = read(path)

    expected = [
        (2, "empty id"),
        (3, "reserved id"),
        (4, "no e-mail address"),
        (5, "not one e-mail address"),
        (6, "not one e-mail address"),
        (8, "address given again"),
        (9, "wrong field count"),
    ]
    assert expected == rejects
    assert ["e@x.cz"] == [one.email for one in book.find("u4")]


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "who,id,mail,email\nu1,x,a@x.cz,b@x.cz\n")
    book, _ = read(path, id_column="who", email_column="mail")

    assert ["a@x.cz"] == [one.email for one in book.find("u1")]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("id,email,mail", "several columns could hold the e-mail address"),
        ("id,phone", "no column with the e-mail address; the columns are id, phone"),
        ("name,email", "no column with user ids"),
    ],
)
def test_a_column_that_cannot_be_told_is_an_error(
    tmp_path: Path, header: str, expected: str
) -> None:
    values = ",".join("x" for _ in header.split(","))

    with pytest.raises(ConfigurationError, match=expected):
        read(write(tmp_path, f"{header}\n{values}\n"))


def test_parquet_and_jsonl_are_read_too(tmp_path: Path) -> None:
    table = pa.table({"customer_id": pa.array([7, 8]), "email": ["a@x.cz", None]})
    pq.write_table(table, tmp_path / "c.parquet")
    (tmp_path / "c.jsonl").write_text('{"customer_id":7,"email":"a@x.cz"}\n{"customer_id":8}\n')

    for name in ("c.parquet", "c.jsonl"):
        book, rejects = read(tmp_path / name)
        assert ["a@x.cz"] == [one.email for one in book.find("7")]
        assert ["no e-mail address"] == [reason for _, reason in rejects]


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "c.csv")


def test_one_column_may_hold_both_id_and_address(tmp_path: Path) -> None:
    path = write(tmp_path, "E-Mail,name\na@x.cz,A\n")
    book, _ = read(path, id_column="E-Mail")

    assert ["a@x.cz"] == [one.email for one in book.find("a@x.cz")]


def test_words_for_no_value_are_no_id(tmp_path: Path) -> None:
    _, rejects = read(write(tmp_path, "id,email\nNULL,a@x.cz\n"))

    assert [(2, "null word as id")] == rejects
