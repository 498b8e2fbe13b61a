"""The committed samples are what their README and script promise."""

from __future__ import annotations

import csv
import gzip
import re
import subprocess
import sys
import zlib
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lxml import etree

SAMPLES = Path(__file__).parents[2] / "sample_data"
BROKEN = SAMPLES / "broken"
WINDOW = ("2026-05-23T00:00:00Z", "2026-11-23T00:00:00Z")


def read_customers() -> list[dict[str, str]]:
    with (SAMPLES / "customers.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def read_suppressed() -> set[str]:
    with (SAMPLES / "suppressed.csv").open(encoding="utf-8", newline="") as file:
        return {row["customer_id"] for row in csv.DictReader(file, strict=True)}


def latest_by_id(rows: list[dict[str, str]]) -> dict[str, str]:
    latest: dict[str, str] = {}
    for row in rows:
        if row["customer_id"]:
            known = latest.get(row["customer_id"], "")
            latest[row["customer_id"]] = max(known, row["last_active"])
    return latest


def active_ids() -> set[str]:
    start, end = WINDOW
    return {user_id for user_id, at in latest_by_id(read_customers()).items() if start <= at <= end}


def test_the_script_makes_the_committed_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SAMPLES / "make_samples.py", tmp_path], check=True)
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    by_hand = {Path("README.md")}
    kept = {path.relative_to(SAMPLES) for path in SAMPLES.rglob("*") if path.is_file()}
    kept = {path for path in kept if path.suffix not in {".py", ".pyc"}}

    assert kept == made | by_hand
    same_pyarrow = pq.read_metadata(SAMPLES / "customers.parquet").created_by.endswith(
        pa.__version__
    )
    for path in sorted(made):
        if path.suffix == ".parquet" and not same_pyarrow:
            continue  # another pyarrow may lay out the same rows differently
        assert (SAMPLES / path).read_bytes() == (tmp_path / path).read_bytes(), path


def test_the_folder_stays_small() -> None:
    files = [path for path in SAMPLES.rglob("*") if path.is_file()]

    assert sum(path.stat().st_size for path in files if path.suffix != ".pyc") < 1_500_000


def test_csv_and_parquet_hold_the_same_rows_in_the_same_order() -> None:
    table = pq.read_table(SAMPLES / "customers.parquet", page_checksum_verification=True)
    assert pa.string() == table.schema.field("customer_id").type
    assert pa.timestamp("us", tz="UTC") == table.schema.field("last_active").type

    from_parquet = [
        (user_id, at and at.astimezone(UTC))
        for user_id, at in zip(
            table["customer_id"].to_pylist(), table["last_active"].to_pylist(), strict=True
        )
    ]
    from_csv = [
        (
            row["customer_id"],
            datetime.fromisoformat(row["last_active"]) if row["last_active"] else None,
        )
        for row in read_customers()
    ]

    assert from_csv == from_parquet


def test_readme_counts_are_true() -> None:
    rows = read_customers()
    text = (SAMPLES / "README.md").read_text(encoding="utf-8").replace(",", "")
    suppressed, active, known = read_suppressed(), active_ids(), set(latest_by_id(rows))
    export = etree.parse(SAMPLES / "export.xml")

    assert f"{len(rows)} rows for {len(known)} users {len(active)} of them active" in text
    assert f"{len(suppressed)} unsubscribed or erased ids" in text
    assert f"{len(suppressed - known)} of them never in the extract" in text
    assert f"leaves {len(active - suppressed)} users" in text
    assert f"{len(export.findall('user')) - 1} of the users" in text


@pytest.mark.parametrize(
    "user_id",
    [
        "00123",
        "123",
        "123.0",
        "1e5",
        "9007199254740993",
        "Dvořák, Jan",
        'pan "Pepa"',
        "jana novak",
        "jana  novak",
        "žofie",
        "用户-88",
        "ABC-1",
        "abc-1",
    ],
)
def test_a_hard_id_is_in_the_extract_and_active(user_id: str) -> None:
    assert user_id in active_ids()


def test_customers_hold_the_ugliness_of_real_dumps() -> None:
    rows = read_customers()
    raw = (SAMPLES / "customers.csv").read_bytes()
    notes = "".join(row["note"] for row in rows)
    times = defaultdict(set)
    for row in rows:
        times[row["customer_id"]].add(row["last_active"])
    latest = latest_by_id(rows)

    assert 30 == sum(row["customer_id"] == "" for row in rows)
    assert b'\n"",guest' in raw  # a blank id in quotes
    assert b"\n,guest" in raw  # and without
    assert any(not row["last_active"] and latest.get(row["customer_id"]) for row in rows)
    assert "" in latest.values()  # a user who never was active
    assert min(at for at in latest.values() if at) < "2025"
    assert 500 < sum(len(of_user) > 1 for user_id, of_user in times.items() if user_id)
    assert {",", '"', "\n", "„"} <= set(notes)
    assert "\r\n" in notes
    assert b'""Dvo' in raw
    assert all(row["email"].endswith("@example.com") for row in rows)
    for name in ("Žofie", "Ľubica", "Łukasz", "Jürgen"):
        assert any(name == row["first_name"] for row in rows)


def test_the_bounds_of_the_window_have_users_of_their_own() -> None:
    latest = latest_by_id(read_customers())

    assert WINDOW[0] == latest["edge-window-start"]
    assert "2026-05-22T23:59:59Z" == latest["edge-before-window"]
    assert WINDOW[1] == latest["edge-as-of"]


def test_suppression_hits_active_users_and_strangers() -> None:
    suppressed = read_suppressed()

    assert {"00123", "Dvořák, Jan", "žofie"} <= suppressed & active_ids()
    assert suppressed - set(latest_by_id(read_customers()))
    assert "123" not in suppressed


def test_export_has_the_shape_of_the_reference() -> None:
    raw = (SAMPLES / "export.xml").read_bytes()
    root = etree.fromstring(raw)
    lines = raw.decode().splitlines()
    users = root.findall("user")
    ids = [user.findtext("auth_user_id") for user in users]
    types = {element.text for element in root.iter("recommendation_type")}

    assert "<?xml version='1.0' encoding='UTF-8'?>" == lines[0]
    assert ["<users>", "</users>"] == [lines[1], lines[-1]]
    assert len(users) == len(lines) - 3 == len(set(ids))
    assert "default" == ids[-1]
    assert set(ids[:-1]) <= set(latest_by_id(read_customers()))
    assert {"mail-recommender-1", "mail-recommender-2", "mail-last-seen"} == types
    assert 1 == sum(len(results) == 0 for results in root.iter("results"))
    assert all(user.findtext("data/_metadata/updated_at") for user in users)
    assert 0 < len(list(root.iter("price"))) < len(list(root.iter("result")))
    assert len(list(root.iter("price"))) == len(list(root.iter("availability")))
    for block in root.iter("recommendation"):
        urls = [result.findtext("url") for result in block.iter("result")]
        assert len({url.partition("recommendation_id=")[2] for url in urls if url}) <= 1


def test_pretty_export_has_the_shape_of_the_quickstart() -> None:
    raw = (SAMPLES / "export-pretty.xml").read_bytes()
    users = etree.fromstring(raw).findall("user")

    assert raw.startswith(b"<users>\n  <user>\n    <auth_user_id>")
    assert "default" == users[-1].findtext("auth_user_id")
    assert b"_metadata" not in raw


def test_every_broken_input_has_its_line_in_the_readme() -> None:
    text = (BROKEN / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([^`]+)` \| .+ \| ([2-8]) \|$", text, re.MULTILINE)
    present = {path.name for path in BROKEN.iterdir()} - {"README.md"}

    assert present == {name for name, _ in listed}
    assert len(listed) == len(present)


def broken_rows(name: str) -> list[list[str]]:
    with (BROKEN / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_broken_csv_files_are_broken_as_named() -> None:
    assert b"" == (BROKEN / "empty.csv").read_bytes()
    assert 1 == len(broken_rows("header-only.csv"))
    assert "klient" == broken_rows("no-id-column.csv")[0][0]
    assert 2 == broken_rows("duplicate-header.csv")[0].count("customer_id")
    widths = [len(row) for row in broken_rows("ragged.csv")]
    assert {4: 11, 8: 9} == {n: width for n, width in enumerate(widths) if width != 10}
    assert 6 == len(broken_rows("open-quote.csv"))  # the quote swallowed the rest
    assert 1 == (BROKEN / "open-quote.csv").read_bytes().count(b'"') % 2
    with pytest.raises(UnicodeDecodeError):
        (BROKEN / "bad-utf8.csv").read_bytes().splitlines()[5].decode()
    assert b"\0" in (BROKEN / "binary.csv").read_bytes()
    with pytest.raises(EOFError), gzip.open(BROKEN / "truncated.csv.gz") as file:
        file.read()


def test_broken_parquet_files_are_broken_as_named() -> None:
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(BROKEN / "customers-cut.parquet")
    path = BROKEN / "corrupt-page.parquet"

    assert 200 == pq.read_table(path).num_rows  # nobody notices without the checksums
    with pytest.raises(OSError, match=r"[Cc][Rr][Cc]|checksum"):
        pq.read_table(path, page_checksum_verification=True)


@pytest.mark.parametrize(
    "name", ["truncated.xml", "trailing-garbage.xml", "bad-utf8.xml", "page.html"]
)
def test_broken_xml_is_not_well_formed(name: str) -> None:
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring((BROKEN / name).read_bytes())


def test_broken_xml_that_is_well_formed_is_broken_as_named() -> None:
    assert "items" == etree.parse(BROKEN / "wrong-root.xml").getroot().tag
    users = etree.parse(BROKEN / "missing-id.xml").findall("user")
    assert [True, False, True] == [user.find("auth_user_id") is not None for user in users]
    assert b"<!DOCTYPE users [" in (BROKEN / "doctype.xml").read_bytes()


def test_stored_gzip_is_a_gzip_file_before_the_cut() -> None:
    start = (BROKEN / "truncated.csv.gz").read_bytes()

    assert zlib.decompressobj(wbits=31).decompress(start).startswith(b"customer_id,email,")
