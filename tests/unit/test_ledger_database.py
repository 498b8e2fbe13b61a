"""What may lie at the ledger's place, and what is done to it: nothing that loses memory."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import BatchpubError, ConfigurationError, MachineError, TryLaterError
from pipeline.ledger import database
from pipeline.ledger.database import APPLICATION_ID, MIGRATIONS, migrate, open_database
from pipeline.ledger.fetches import FetchMemory
from pipeline.ledger.ledger import Ledger, default_state_dir, read_history
from pipeline.records import ExportSummary

GOLDEN = Path(__file__).parents[1] / "golden" / "ledger_version_1.sql"
NOBODY = 65_534


def write(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def refused(folder: Path) -> BatchpubError:
    """The error of opening the ledger; the file must be the same afterwards."""
    path = folder / "ledger.sqlite3"
    before = path.read_bytes()
    with pytest.raises(BatchpubError) as caught, Ledger(folder):
        pass
    assert before == path.read_bytes()
    assert str(path) == caught.value.source
    return caught.value


def test_a_new_ledger_and_its_folder_are_the_owner_s_alone(tmp_path: Path) -> None:
    with Ledger(tmp_path / "a" / "state") as ledger:
        mode = (ledger.folder.stat().st_mode & 0o777, ledger.path.stat().st_mode & 0o777)
        assert (0o700, 0o600) == mode
        assert () == ledger.history(None, limit=10)


def test_a_file_without_content_is_a_new_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").touch()

    with Ledger(tmp_path) as ledger:
        assert () == ledger.history(None, limit=10)


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(content)

    error = refused(tmp_path)
    assert isinstance(error, MachineError)
    assert "damaged" in error.message


def test_a_damaged_page_is_noticed_on_opening(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger, ledger.hold("1-2", "t") as held:
        for number in range(300):
            held.begin(outcome="confirmed", **values(users=number))
    path = tmp_path / "ledger.sqlite3"
    content = bytearray(path.read_bytes())
    content[5 * 4096 : 5 * 4096 + 200] = b"\x5a" * 200
    path.write_bytes(content)

    assert isinstance(refused(tmp_path), MachineError)


def test_another_program_s_database_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "ledger.sqlite3", "CREATE TABLE runs (x)")

    error = refused(tmp_path)
    assert isinstance(error, ConfigurationError)
    assert "another program" in error.message


def test_a_ledger_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        path = ledger.path
    write(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")

    error = refused(tmp_path)
    assert isinstance(error, ConfigurationError)
    assert (f"version {len(MIGRATIONS)}", f"version {len(MIGRATIONS) + 1}") == (
        error.limit,
        error.actual,
    )


def test_a_ledger_of_the_first_version_is_brought_to_the_present_one(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        connection.executescript(GOLDEN.read_text())

    with Ledger(tmp_path) as ledger:
        (run,) = ledger.history("1234-5678", limit=10)
    assert ("confirmed", 1656, ("first:1656",)) == (run.outcome, run.users, run.confirmed_by)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        assert (len(MIGRATIONS),) == connection.execute("PRAGMA user_version").fetchone()


def test_a_ledger_of_the_first_version_takes_fetches_once_it_is_brought_up(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        connection.executescript(GOLDEN.read_text())
    output = tmp_path / "r.jsonl"
    output.touch()
    export = ExportSummary(
        source="https://export.example/x",
        format="xml",
        bytes=1,
        users=2,
        repeated_users=0,
        users_without_results=0,
        blocks={"mail": 2},
        items=3,
        has_default=True,
        updated_at_oldest=None,
        updated_at_newest="2026-11-23T05:30:00",
        outputs=("r.jsonl",),
        duration_s=0.5,
    )
    with Ledger(tmp_path) as ledger:
        memory = FetchMemory(ledger, [output], address="https://export.example/x", wanted=[1])
        assert memory.recall() is None
        memory.remember({"If-None-Match": '"v1"'}, export)
    with Ledger(tmp_path) as ledger:
        memory = FetchMemory(ledger, [output], address="https://export.example/x", wanted=[1])
        found = memory.recall()
        assert found is not None
        assert ({"If-None-Match": '"v1"'}, replace(export, source="")) == (
            found.condition,
            found.export,
        )
        assert 1 == len(ledger.history(None, limit=10))
        memory.remember({}, export)
        assert memory.recall() is None


def test_migrations_run_all_or_none_and_keep_what_is_there(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger, ledger.hold("1-2", "t") as held:
        held.begin(outcome="confirmed", **values())
    more = (*MIGRATIONS, "ALTER TABLE runs ADD COLUMN later TEXT; CREATE TABLE other (x)")
    with closing(open_database(tmp_path / "ledger.sqlite3", create=False)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, (*more, "ALTER TABLE missing ADD COLUMN x"))
        assert len(MIGRATIONS) == connection.execute("PRAGMA user_version").fetchone()[0]
        assert 1 == connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'runs'"
                                       ).fetchone()[0]  # fmt: skip
        migrate(connection, more)
        migrate(connection, more)
        assert [(7, None)] == connection.execute("SELECT users, later FROM runs").fetchall()
        assert APPLICATION_ID == connection.execute("PRAGMA application_id").fetchone()[0]
    assert isinstance(refused(tmp_path), ConfigurationError)


def test_a_ledger_that_another_process_writes_to_for_long_is_try_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_S", 0.01)
    with Ledger(tmp_path) as ledger, closing(sqlite3.connect(ledger.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TryLaterError, match="in use"), ledger.hold("1-2", "t"):
            pass


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder this user may look into and not write to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o555)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            if is_root:
                os.seteuid(0)
            Path(name).chmod(0o755)


def test_a_state_directory_that_cannot_be_written_is_named(read_only: Path) -> None:
    with pytest.raises(MachineError, match="Permission denied") as caught, Ledger(read_only):
        pass
    assert "permissions" in (caught.value.remedy or "")
    with pytest.raises(MachineError, match="state directory"), Ledger(read_only / "state"):
        pass


def test_a_file_in_place_of_the_folder_is_a_wrong_option(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    with pytest.raises(ConfigurationError, match="not a folder"), Ledger(tmp_path / "state"):
        pass


def test_history_makes_no_ledger(tmp_path: Path) -> None:
    assert () == read_history(tmp_path / "state", None, limit=10).runs
    assert [] == list(tmp_path.iterdir())


def test_the_default_place_is_the_user_s_folder_for_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert tmp_path / "batchpub" == default_state_dir()
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path / ".local" / "state" / "batchpub" == default_state_dir()


def values(*, users: int = 7) -> dict[str, object]:
    return {
        "started_at": "2026-11-24T03:00:00.000000+00:00",
        "users": users,
        "bytes": 140,
        "sha256": f"{users:064}",
        "made_at": "2026-11-24T02:00:00.000000+00:00",
    }
