"""Uploads that end by SIGKILL or on a full disk, and what the next one makes of it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from upload_nights import Night, night, sha

from pipeline.errors import MachineError
from pipeline.ledger.ledger import HeldTracker, Ledger

USERS = [f"u{number}" for number in range(200)]
# Comparing costs the import of polars in every process; the figures alone are under test here.
COUNTS_ONLY: dict[str, Any] = {"min_overlap": "0%"}


def settle(stage: Night, path: Path) -> None:
    """The same command again: now the list is there, and everybody says so."""
    again = stage.upload_apart(path, **COUNTS_ONLY)
    assert 0 == again["code"], again
    stored, last = stage.stored(), stage.memory().last
    assert path.read_bytes() == stored
    assert last is not None
    assert (sha(path.read_bytes()), ()) == (last.sha256, stage.memory().unsure)


def kill_and_repeat(folder: Path, shares: list[float]) -> list[str]:
    """Kill an upload at each of these shares of its way; gives what was found there."""
    found = []
    with night(folder) as stage:
        first = stage.upload_apart(
            stage.write(USERS), confirm=[f"first:{len(USERS)}"], **COUNTS_ONLY
        )
        assert 0 == first["code"]
        for number, share in enumerate(shares):
            path = stage.write([*USERS, f"new{number}"])
            killed = stage.upload_apart(
                path, kill_at=int(share * first["events"]) + 1, **COUNTS_ONLY
            )
            # The way is not always equally long: the last lines may not be reached.
            assert killed.get("signal") == 9 or share > 0.8
            stage.check_that_memory_covers_the_remote_list()
            found.append(stage.outcomes()[-1])
            stored = stage.stored()
            assert stored is not None
            if sha(stored) == sha(path.read_bytes()):
                assert found[-1] in ("uncertain", "confirmed")
            settle(stage, path)
    return found


def test_wherever_an_upload_is_killed_memory_covers_the_remote_list(tmp_path: Path) -> None:
    found = kill_and_repeat(tmp_path, [number / 16 for number in range(16)])

    assert {"confirmed", "uncertain"} <= set(found)


@pytest.mark.slow
def test_however_often_an_upload_is_killed_memory_covers_the_remote_list(tmp_path: Path) -> None:
    draw = random.Random(6)
    found = kill_and_repeat(tmp_path, [draw.random() for _ in range(200)])

    assert {"confirmed", "uncertain", "failed"} <= set(found)


def test_a_first_upload_that_is_killed_is_no_permission_for_the_next(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        path = stage.write(USERS)
        events = stage.upload_apart(path, confirm=["first:200"])["events"]
    other = tmp_path / "other"
    other.mkdir()
    with night(other) as stage:
        path = stage.write(USERS)
        for share in (0.4, 0.7):
            stage.upload_apart(path, confirm=["first:200"], kill_at=int(share * events))
            stage.check_that_memory_covers_the_remote_list()
            another = stage.upload_apart(stage.write(USERS[:190], minutes=2))
            assert 4 == another["code"]
            assert "first:190" in another["outcome"]


def test_a_full_disk_ends_before_anything_is_sent_or_is_remembered_as_uncertain(
    tmp_path: Path,
) -> None:
    """The disk is full a page later each time; an open ledger keeps its index from growing."""
    codes, sent = [], 0
    with night(tmp_path) as stage:
        before = stage.write(USERS)
        assert 0 == stage.upload_apart(before, confirm=["first:200"], **COUNTS_ONLY)["code"]
        for pages in range(8):
            path = stage.write([*USERS, f"new{pages}"])
            with Ledger(stage.state) as open_ledger:
                open_ledger.history(None, limit=1)
                answer = stage.upload_apart(path, file_bytes=pages * 4_200, **COUNTS_ONLY)
            stored = stage.stored()
            codes.append(answer["code"])
            if stored == path.read_bytes():
                sent += 1
                assert answer["code"] == 0 or "is stored" in answer["outcome"]
            else:
                assert before.read_bytes() == stored
                assert 8 == answer["code"], answer
            stage.check_that_memory_covers_the_remote_list()
            settle(stage, path)
            before = path
    assert {0, 8} == set(codes)
    assert sent > codes.count(0)


def test_a_disk_that_is_full_from_the_start_is_this_machine_s_trouble(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        answer = stage.upload_apart(stage.write(USERS), file_bytes=100, confirm=["first:200"])

        assert 8 == answer["code"], answer
        assert stage.stored() is None


def test_a_ledger_that_fails_after_the_upload_says_that_the_list_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = HeldTracker.update

    def full(self: HeldTracker, run: int, **values: object) -> None:
        if values.get("outcome") == "confirmed":
            raise MachineError("cannot use the ledger: disk full", remedy="free disk space")
        update(self, run, **values)

    with night(tmp_path) as stage:
        path = stage.write(USERS)
        monkeypatch.setattr(HeldTracker, "update", full)
        error = stage.upload(path, confirm=("first:200",))
        monkeypatch.undo()

        assert isinstance(error, MachineError)
        assert "is stored" in error.message
        assert path.read_bytes() == stage.stored()
        assert ["uncertain"] == [run.outcome for run in stage.memory().possible]
        stage.check_that_memory_covers_the_remote_list()
