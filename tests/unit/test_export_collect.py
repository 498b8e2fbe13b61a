"""Collection: sinks, guards, summary, and that nothing is published unless everything holds."""

from __future__ import annotations

import csv
import gzip
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from pipeline.errors import (
    BatchpubError,
    ConfigurationError,
    GuardError,
    InputError,
    MachineError,
    Terminated,
)
from pipeline.export.collect import Collection, collect_file
from pipeline.export.id_store import IdStore
from pipeline.export.rows import COLUMNS, recommendation_id
from pipeline.export.table import read_export
from pipeline.records import Progress
from pipeline.settings import ExportSettings

GOLDEN = Path(__file__).parents[1] / "golden"
ONE_LINE = GOLDEN / "export_one_line.xml"
ALL = ("out.jsonl", "out.parquet", "out.csv", "out.sqlite")
ANY = ExportSettings()


def user(user_id: str, *items: str, updated_at: str = "2024-08-28T10:00:00") -> str:
    results = "".join(f"<result>{item}</result>" for item in items)
    return (
        f"<user><auth_user_id>{user_id}</auth_user_id><data><_metadata><updated_at>{updated_at}"
        "</updated_at></_metadata><recommendations><recommendation><recommendation_type>m1"
        f"</recommendation_type><results>{results}</results></recommendation></recommendations>"
        "</data></user>"
    )


def export(tmp_path: Path, *users: str) -> Path:
    path = tmp_path / "export.xml"
    path.write_text(f"<users>{''.join(users)}</users>", encoding="utf-8")
    return path


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def table(path: Path) -> list[tuple[Any, ...]]:
    """The rows of a table output, read by a library that did not write it."""
    if path.suffix == ".parquet":
        return pl.read_parquet(path).rows()
    database = sqlite3.connect(path)
    try:
        return database.execute("SELECT * FROM items").fetchall()
    finally:
        database.close()


def test_all_sinks_hold_the_same_users(tmp_path: Path) -> None:
    outputs = [tmp_path / name for name in ALL]
    summary = collect_file(ONE_LINE, outputs, ANY)

    assert (GOLDEN / "export_one_line.jsonl").read_bytes() == outputs[0].read_bytes()
    rows = table(outputs[1])
    assert 3 == len(rows)
    assert ("u123", 1, "mail-recommender-2") + (None,) * 6 + ("2024-08-28T10:00:00", None) == rows[
        1
    ]
    assert "0f5ad8a4-5d4c-4c0e-9a53-6a2e4f0d1c11" == rows[0][8]
    assert rows == table(outputs[3])
    with outputs[2].open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    assert list(COLUMNS) == lines[0]
    assert [["" if v is None else str(v) for v in row] for row in rows] == lines[1:]
    assert tuple(map(str, outputs)) == summary.outputs
    assert sorted(ALL) == names_in(tmp_path)


def test_summary_counts_what_the_export_held(tmp_path: Path) -> None:
    good = "<id>1</id><url>https://s/1?a=b&amp;recommendation_id=r</url>"
    path = export(
        tmp_path,
        user("default", good, good.replace(">1<", ">2<")),
        user(
            "u1", "<id>1</id><url>javascript:x?recommendation_id=1</url>", updated_at="2024-08-27"
        ),
        user("u1", "<id>1</id><url>HTTP://s/1#?recommendation_id=r</url>", "<id>3</id>"),
        user("u2", updated_at="2024-08-28T13:00:00+02:00"),
        "<user><auth_user_id>u3</auth_user_id></user>",
        "<note/>",
    )
    summary = collect_file(path, [tmp_path / "o.jsonl"], ANY)

    assert (5, 1, 2) == (summary.users, summary.repeated_users, summary.users_without_results)
    assert ({"m1": 4}, 5, 3) == (summary.blocks, summary.items, summary.distinct_products)
    assert (2, 2) == (summary.urls_not_http, summary.urls_without_recommendation_id)
    assert "2024-08-27" == summary.updated_at_oldest
    assert "2024-08-28T13:00:00+02:00" == summary.updated_at_newest
    assert summary.has_default
    assert 1 == summary.ignored_elements
    assert path.stat().st_size == summary.bytes


def test_item_that_is_not_plain_keeps_everything_in_extra(tmp_path: Path) -> None:
    inner = "<id>1</id><url>a</url><url>b</url><price cur='EUR'>9</price>"
    path = export(tmp_path, user("u", inner).replace("<data>", "<vip>1</vip><data>"))
    collect_file(path, [tmp_path / "o.parquet"], ANY)
    (row,) = table(tmp_path / "o.parquet")

    assert ("1", "a", None, None) == row[4:8]
    assert {
        "url": ["a", "b"],
        "price": {"@cur": "EUR", "#text": "9"},
        "#user": {"vip": "1"},
    } == orjson.loads(row[10])


def test_formulas_are_neutralised_on_request_only(tmp_path: Path) -> None:
    path = export(tmp_path, user("u", '<title>=1+1</title><id>-a</id><url>x\r\n"y</url>'))
    collect_file(path, [tmp_path / "a.csv"], ANY)
    collect_file(path, [tmp_path / "b.csv"], ExportSettings(csv_safe_formulas=True))
    found = []
    for name in ("a.csv", "b.csv"):
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            found.append(list(csv.reader(file))[1][4:7])

    assert [["-a", 'x\n"y', "=1+1"], ["'-a", 'x\n"y', "'=1+1"]] == found


@pytest.mark.parametrize(
    ("url", "mark"),
    [
        ("https://s/?recommendation_id=a%20b+c&x=1", "a b c"),
        ("https://s/?x=1&recommendation_id=a#f", "a"),
        ("https://s/?no_recommendation_id=a", None),
        ("https://s/#?recommendation_id=a", None),
    ],
)
def test_recommendation_id_is_the_query_parameter(url: str, mark: str | None) -> None:
    assert mark == recommendation_id(url)


BAD_INPUTS = {
    "empty": b"",
    "blank": b"\n \n",
    "HTML": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "rubbish": bytes(range(128, 256)) * 40,
    "ZIP": b"PK\x03\x04rest",
    "truncated": ONE_LINE.read_bytes()[:-12],
    "truncated gzip": gzip.compress(ONE_LINE.read_bytes())[:-9],
    "damaged gzip": gzip.compress(ONE_LINE.read_bytes())[:-6] + b"xxxxxx",
    "garbage after gzip": gzip.compress(ONE_LINE.read_bytes()) + b"garbage",
    "gzip in gzip": gzip.compress(gzip.compress(ONE_LINE.read_bytes())),
    "words": b"error: not ready",
    "JSON cut": b'[{"id":"u"}',
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_input_is_one_refusal_and_leaves_the_former_files(case: str, tmp_path: Path) -> None:
    path = tmp_path / "export.xml"
    path.write_bytes(BAD_INPUTS[case])
    folder = tmp_path / "out"
    folder.mkdir()
    outputs = [folder / name for name in ALL]
    for output in outputs:
        output.write_bytes(b"former")
    with pytest.raises(InputError) as caught:
        collect_file(path, outputs, ANY)

    assert str(path) == caught.value.source
    assert caught.value.remedy
    assert [b"former"] * 4 == [output.read_bytes() for output in outputs]
    assert sorted(ALL) == names_in(folder)


def test_gzip_of_several_members_is_read(tmp_path: Path) -> None:
    data = ONE_LINE.read_bytes()
    path = tmp_path / "export.xml.gz"
    path.write_bytes(gzip.compress(data[:100]) + gzip.compress(b"") + gzip.compress(data[100:]))

    assert 2 == collect_file(path, [tmp_path / "o.jsonl"], ANY).users


def test_gzip_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.xml.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"<users>")
        for _ in range(70):
            file.write(b"<!-- -->" * 2**17)
    with pytest.raises(InputError, match="expands beyond reason"):
        collect_file(path, [tmp_path / "o.jsonl"], ANY)

    assert not (tmp_path / "o.jsonl").exists()


@pytest.mark.parametrize("name", ["missing.xml", "."])
def test_unreadable_input_is_an_input_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        collect_file(tmp_path / name, [tmp_path / "o.jsonl"], ANY)


@pytest.mark.parametrize(
    "names",
    [[], ["o.txt"], ["o"], ["o.jsonl", "./o.jsonl"], ["no/o.jsonl"], ["export.jsonl"]],
    ids=["none", "unknown", "no suffix", "twice", "no folder", "the input"],
)
def test_outputs_that_cannot_be_are_refused(names: list[str], tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    path.write_bytes(b'{"id":"u"}')
    with pytest.raises(ConfigurationError) as caught:
        collect_file(path, [tmp_path / name for name in names], ANY)

    assert ".jsonl .parquet .csv .sqlite".replace(" ", ", ") in str(caught.value) or names not in (
        ["o.txt"],
        ["o"],
    )
    assert ["export.jsonl"] == names_in(tmp_path)


GUARDS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "no users": ({}, ()),
    "few users": ({"min_users": 3}, (user("u1"), user("u2"))),
    "no default": ({"require_default": True}, (user("u1"),)),
    "too old": ({"max_age": "24h"}, (user("u1"),)),
    "no time": ({"max_age": "24h"}, (user("u1", updated_at="soon"),)),
}


@pytest.mark.parametrize("case", GUARDS)
def test_guard_refuses_and_leaves_the_former_file(case: str, tmp_path: Path) -> None:
    options, users = GUARDS[case]
    output = tmp_path / "o.jsonl"
    output.write_bytes(b"former")
    with pytest.raises(GuardError) as caught:
        collect_file(export(tmp_path, *users), [output], ExportSettings(**options))

    assert caught.value.remedy
    assert b"former" == output.read_bytes()


def test_age_is_measured_from_the_newest_user_in_utc(tmp_path: Path) -> None:
    now = datetime(2024, 8, 29, 9, 59, tzinfo=UTC)
    settings = ExportSettings(max_age="24h", require_default=True)
    with Collection([tmp_path / "o.jsonl"], settings, source="s", now=now) as collection:
        collection.feed(ONE_LINE.read_bytes())

        assert 2 == collection.close().users


@pytest.mark.parametrize("text", ["jsonl", "csv"])
def test_coverage_of_the_uploaded_list(text: str, tmp_path: Path) -> None:
    ids = ["u1", "u2", 'q"ž', "u1"]
    listed = tmp_path / f"list.{text}"
    if text == "jsonl":
        listed.write_bytes(b"".join(orjson.dumps({"auth_user_id": i}) + b"\n" for i in ids))
    else:
        listed.write_text("".join('"' + i.replace('"', '""') + '"\n' for i in ids), "utf-8")
    path = export(tmp_path, user("u1"), user("default"), user("stranger"))
    missing = tmp_path / "missing.jsonl"
    settings = ExportSettings(uploaded=listed, missing_to=missing)
    summary = collect_file(path, [tmp_path / "o.jsonl"], settings)

    assert (3, 1, 2, 1) == (
        summary.uploaded_users,
        summary.covered_users,
        summary.missing_users,
        summary.unexpected_users,
    )
    found = [orjson.loads(line)["auth_user_id"] for line in missing.read_bytes().splitlines()]
    assert sorted(['q"ž', "u2"]) == sorted(found)
    with pytest.raises(GuardError) as caught:
        collect_file(
            path, [tmp_path / "p.jsonl"], ExportSettings(uploaded=listed, min_coverage="50%")
        )
    assert "33.33%" in str(caught.value.actual)
    assert not (tmp_path / "p.jsonl").exists()


@pytest.mark.parametrize("content", [b'{"auth_user_id":1}\n', b"{", b'"a","b"\n', b'"a', b"\xff\n"])
def test_file_that_is_no_list_is_refused(content: bytes, tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_bytes(content)
    with pytest.raises(InputError) as caught:
        collect_file(
            export(tmp_path, user("u1")), [tmp_path / "o.jsonl"], ExportSettings(uploaded=listed)
        )

    assert str(listed) == caught.value.source


@pytest.mark.parametrize(
    "options",
    [{"min_users": 0}, {"min_coverage": "90%"}, {"max_age": "soon"}, {"missing_to": Path("x")}],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ExportSettings(**options)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Terminated, RuntimeError])
@pytest.mark.parametrize("fed", [0, 300])
def test_leaving_without_close_discards_everything(
    kind: type[BaseException], fed: int, tmp_path: Path
) -> None:
    def run() -> None:
        with Collection([tmp_path / name for name in ALL], ANY, source="s") as collection:
            collection.feed(ONE_LINE.read_bytes()[:fed])
            raise kind

    with pytest.raises(kind):
        run()

    assert [] == names_in(tmp_path)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size`."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv", ".sqlite"])
def test_full_disk_is_a_machine_error_and_nothing_appears(suffix: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    many = (user(f"u{n * 7919 % 10007}", f"<id>{n * 104729 % 99991}</id>") for n in range(3000))
    path = export(tmp_path, *many)
    with largest_file(8192), pytest.raises(MachineError):
        collect_file(path, [folder / f"o{suffix}"], ANY)

    assert [] == names_in(folder)


def test_progress_tells_bytes_and_users(tmp_path: Path) -> None:
    seen: list[Progress] = []
    collect_file(ONE_LINE, [tmp_path / "o.jsonl"], ANY, on_progress=seen.append)

    size = ONE_LINE.stat().st_size
    assert Progress(stage="parse", done=size, total=size, users=2) == seen[-1]


def test_every_cut_of_the_stream_gives_the_same_files(tmp_path: Path) -> None:
    data = ONE_LINE.read_bytes()
    for size in (1, 2, 3, 100, len(data)):
        with Collection([tmp_path / "o.jsonl"], ANY, source="s") as collection:
            for start in range(0, len(data), size):
                collection.feed(data[start : start + size])
            collection.close()

        assert (GOLDEN / "export_one_line.jsonl").read_bytes() == (
            tmp_path / "o.jsonl"
        ).read_bytes()


def test_ids_are_counted_exactly_beyond_the_memory_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.export.id_store._HELD_BYTES", 100)
    store = IdStore(tmp_path)
    for number in range(2000):
        store.add(f"u\n{number % 700}")
    assert 700 == store.count_distinct()
    assert 2000 == store.count
    store.close()


def test_jsonl_way_imports_no_table_library(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from pipeline.export.collect import collect_file\n"
        "from pipeline.settings import ExportSettings\n"
        "collect_file('-', [Path(sys.argv[1])], ExportSettings())\n"
        "print([name for name in ('polars', 'pyarrow', 'sqlite3') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "o.jsonl")]
    with ONE_LINE.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, check=True, text=True)

    assert "[]" == done.stdout.strip()
    assert (GOLDEN / "export_one_line.jsonl").read_bytes() == (tmp_path / "o.jsonl").read_bytes()


@pytest.mark.parametrize(
    "data",
    [
        f"<users>{user('customer-4711')}<user>",
        "<users><user><auth_user_id>customer-4711</auth_user_id><customer-4711></user>",
        '{"id":"customer-4711","data":customer-4711}',
        "<customer-4711/>",
    ],
)
def test_no_error_shows_an_id_or_a_value(data: str, tmp_path: Path) -> None:
    path = tmp_path / "export"
    path.write_text(data, encoding="utf-8")
    with pytest.raises(BatchpubError) as caught:
        collect_file(path, [tmp_path / "o.jsonl"], ANY)

    assert "4711" not in str(caught.value)


def test_read_export_gives_the_rows_of_the_parquet_output(tmp_path: Path) -> None:
    collect_file(ONE_LINE, [tmp_path / "o.parquet"], ANY)
    with read_export(ONE_LINE) as reader:
        found: Any = pl.from_arrow(reader.read_all())

    assert table(tmp_path / "o.parquet") == found.rows()


def test_read_export_raises_what_collecting_would(tmp_path: Path) -> None:
    for case, data in BAD_INPUTS.items():
        path = tmp_path / case
        path.write_bytes(data)
        with read_export(path) as reader, pytest.raises(InputError):
            reader.read_all()
