"""Runs, kept lists and locks of the ledger."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import pytest

from pipeline.errors import InputError, TryLaterError
from pipeline.ledger.ledger import HeldTracker, Ledger

SERVICE = "https://service.example"


def values(content: bytes = b"list") -> dict[str, object]:
    return {
        "started_at": "2026-11-24T03:00:00.000000+00:00",
        "users": len(content),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "made_at": "2026-11-24T02:00:00.000000+00:00",
    }


def keep(held: HeldTracker, folder: Path, content: bytes, outcome: str) -> str:
    source = folder / "source"
    source.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    held.begin(outcome=outcome, **values(content))
    held.keep(source, sha256)
    return sha256


def outcomes(folder: Path) -> list[str]:
    with Ledger(folder) as ledger:
        return [run.outcome for run in reversed(ledger.history(None, limit=100))]


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger, ledger.hold("1-2", SERVICE) as held:
        number = held.begin(outcome="preparing", confirmed_by=("age:1", "grow:1:9"), **values())
        held.update(number, outcome="confirmed", attempts=3, ended_at="then", kept=4)
        (run,) = held.sent()

    assert number == run.run
    assert ("1-2", SERVICE, "confirmed", 3, "then", 4) == (
        *(run.tracker_id, run.target, run.outcome),
        *(run.attempts, run.ended_at, run.kept),
    )
    assert ("age:1", "grow:1:9") == run.confirmed_by


def test_runs_left_unfinished_are_settled_by_the_next_holder(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        with ledger.hold("1-2", SERVICE) as held:
            held.begin(outcome="preparing", **values())
            held.begin(outcome="sending", **values())
        with ledger.hold("another", SERVICE):
            pass
        assert ["preparing", "sending"] == outcomes(tmp_path)
        with ledger.hold("1-2", SERVICE) as held:
            assert ["uncertain"] == [run.outcome for run in held.sent()]
    assert ["failed", "uncertain"] == outcomes(tmp_path)


def test_trackers_and_services_do_not_see_each_other_s_lists(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        with ledger.hold("1-2", SERVICE) as held:
            held.begin(outcome="confirmed", **values())
        for tracker, service in (("3-4", SERVICE), ("1-2", "https://other.example")):
            with ledger.hold(tracker, service) as held:
                assert () == held.sent()
        assert 1 == len(ledger.history("1-2", limit=9))
        assert 0 == len(ledger.history("3-4", limit=9))


def test_a_held_tracker_is_try_later_for_others_and_free_for_other_trackers(
    tmp_path: Path,
) -> None:
    with Ledger(tmp_path) as one, Ledger(tmp_path) as other, one.hold("1-2", SERVICE):
        with pytest.raises(TryLaterError, match="another upload"), other.hold("1-2", SERVICE):
            pass
        with other.hold("3-4", SERVICE):
            pass
    with Ledger(tmp_path) as ledger, ledger.hold("1-2", SERVICE):
        pass


def test_the_last_five_lists_of_each_tracker_are_kept(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Ledger(state) as ledger:
        with ledger.hold("other", SERVICE) as held:
            others = keep(held, tmp_path, b"other", "confirmed")
        with ledger.hold("1-2", SERVICE) as held:
            kept = [keep(held, tmp_path, b"%d" % n, "confirmed") for n in range(7)]
            kept.append(keep(held, tmp_path, b"6", "uncertain"))
            refused = keep(held, tmp_path, b"refused", "refused")
            held.prune()

            assert {others, *kept[2:7]} == {one.name for one in (state / "artifacts").iterdir()}
            assert held.kept(refused) is None


def test_the_last_confirmed_list_is_kept_however_many_are_uncertain(tmp_path: Path) -> None:
    with Ledger(tmp_path / "state") as ledger, ledger.hold("1-2", SERVICE) as held:
        confirmed = keep(held, tmp_path, b"confirmed", "confirmed")
        for number in range(9):
            keep(held, tmp_path, b"%d" % number, "uncertain")
        held.prune()

        assert held.kept(confirmed) is not None
        assert 6 == len(list((tmp_path / "state" / "artifacts").iterdir()))


def test_a_kept_list_is_a_copy_of_its_own_for_the_owner_only(tmp_path: Path) -> None:
    with Ledger(tmp_path / "state") as ledger, ledger.hold("1-2", SERVICE) as held:
        sha256 = keep(held, tmp_path, b"first", "confirmed")
        with (tmp_path / "source").open("r+b") as file:
            file.write(b"other")
        found = held.kept(sha256)

        assert found is not None
        assert b"first" == found.read_bytes()
        assert 0o600 == found.stat().st_mode & 0o777


def test_a_list_that_went_away_leaves_nothing_half_kept(tmp_path: Path) -> None:
    with Ledger(tmp_path / "state") as ledger, ledger.hold("1-2", SERVICE) as held:
        with pytest.raises(InputError, match="no such list"):
            held.keep(tmp_path / "missing", "0" * 64)
        assert [] == list((tmp_path / "state" / "artifacts").iterdir())


def test_nothing_is_logged_about_the_content(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        Ledger(tmp_path / "state") as ledger,
        ledger.hold("1-2", SERVICE) as held,
    ):
        keep(held, tmp_path, b"u-secret", "confirmed")
    assert "u-secret" not in caplog.text
