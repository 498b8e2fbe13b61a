"""Pulls and pushes that meet 429s, storms of 503 and kill -9: nothing lost, nothing doubled."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from klaviyo_account import WIDE, Account, account, user, write_users

KILLED = {"signal": 9}


def left(account: Account) -> list[Path]:
    """What a run leaves; of an output that was being written, a kill leaves a hidden piece."""
    return [one for one in account.folder.iterdir() if one.suffix != ".tmp"]


def storm(account: Account) -> None:
    account.plan(
        {"kind": "status", "status": 429, "retry_after_s": 0, "times": None, "share": 0.03},
        {"kind": "status", "status": 503, "times": 40, "share": 0.2},
        {"kind": "reset", "times": 20, "share": 0.02},
        {"kind": "lost", "answer_bytes": 5_000, "times": 20, "share": 0.02},
        {"kind": "html", "times": 10, "share": 0.02},
    )


def pull_through_everything(account: Account, profiles: int, kills: int) -> None:
    """Kill at random lines again and again; the last run ends on its own."""
    account.seed({"count": profiles, "types": 1, "items": 2, "null": 7})
    account.behave(**WIDE)
    storm(account)
    draw = random.Random(profiles)
    for _ in range(kills):
        # A page is some 250 lines, the outputs come after all of them.
        kill_at = draw.randrange(1, profiles // 100 * 250 // kills)
        assert KILLED == account.apart("pull", account.output, kill_at=kill_at, max_attempts=30)
        assert not account.output.exists()
    account.forget_requests()
    done = account.apart("pull", account.output, max_attempts=30)

    assert 0 == done["code"]
    assert 0 < done["summary"]["resumed_profiles"]
    assert profiles + 1 == done["summary"]["profiles"]
    with_items = [n for n in range(1, profiles + 1) if n % 10 and n % 7]
    expected = ["default", *(f"u{n}" for n in with_items)]
    assert expected == [one["auth_user_id"] for one in account.users()]
    held = account.held()
    for one in account.users():
        block = one["recommendations"][0]
        properties = held[one["auth_user_id"]]["properties"]
        assert properties[block["recommendation_type"]] == block["results"]
    assert [account.output] == left(account)


def test_a_pull_of_5_000_survives_429s_a_503_storm_and_kill_9(tmp_path: Path) -> None:
    with account(tmp_path) as opened:
        pull_through_everything(opened, 5_000, kills=6)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_pull_of_50_000_survives_429s_a_503_storm_and_kill_9(tmp_path: Path) -> None:
    with account(tmp_path) as opened:
        pull_through_everything(opened, 50_000, kills=12)


def killed_pulls(account: Account, kills: int) -> None:
    account.seed({"count": 350, "types": 1, "items": 1, "leave_out": 0})
    account.behave(**WIDE)
    whole = account.apart("pull", account.output)
    expected = account.output.read_bytes()
    draw = random.Random(5)
    for kill_at in sorted(draw.sample(range(1, whole["events"]), kills)):
        account.output.unlink()
        assert KILLED == account.apart("pull", account.output, kill_at=kill_at), kill_at
        # The kill may have come when the output was there and the spool not yet gone.
        done = account.apart("pull", account.output)
        assert (0, 351) == (done["code"], done["summary"]["profiles"]), kill_at
        assert expected == account.output.read_bytes(), kill_at
        assert [account.output] == left(account), kill_at


def test_a_pull_killed_at_some_lines_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    with account(tmp_path) as opened:
        killed_pulls(opened, 8)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_pull_killed_at_many_lines_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    with account(tmp_path) as opened:
        killed_pulls(opened, 150)


def accounted(summary: dict[str, Any], profiles: int) -> None:
    assert profiles == summary["profiles"]
    assert profiles == summary["imported"] + summary["failed"] + summary["unknown"]


def killed_pushes(account: Account, kills: int) -> None:
    account.behave(**WIDE, job_seconds=0.01, reject=["u7", "u200"])
    path = write_users(account.folder / "in.jsonl", [user(f"u{n}", items=9) for n in range(1, 701)])
    rejects = account.folder / "rejects.jsonl"
    options: dict[str, Any] = {
        "max_job_bytes": 200_000,
        "poll_wait": 0.005,
        "rejects": str(rejects),
    }
    whole = account.apart("push", path, **options)
    jobs = whole["summary"]["jobs"]
    assert 3 < jobs
    draw = random.Random(5)
    for kill_at in sorted(draw.sample(range(1, whole["events"]), kills)):
        account.ask("/_sandbox/klaviyo/profiles", method="DELETE")
        account.behave(job_seconds=0.01, reject=["u7", "u200"])
        rejects.unlink()
        killed = account.apart("push", path, kill_at=kill_at, **options)
        assert KILLED == killed, kill_at
        finished_before = rejects.exists()
        done = account.apart("push", path, **options)

        accounted(done["summary"], 700)
        assert (698, 2, 0) == tuple(
            done["summary"][name] for name in ("imported", "failed", "unknown")
        ), kill_at
        assert {f"u{n}" for n in range(1, 701)} - {"u7", "u200"} == account.held().keys()
        assert 2 == len(rejects.read_bytes().splitlines())
        # Only the post that the kill left in doubt may be made again.
        most = jobs + 1 if not finished_before else 2 * jobs
        assert jobs <= len(account.jobs()) <= most, kill_at


def test_a_push_killed_at_some_lines_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with account(tmp_path) as opened:
        killed_pushes(opened, 6)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_push_killed_at_many_lines_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with account(tmp_path) as opened:
        killed_pushes(opened, 60)


def test_every_profile_is_accounted_for_in_a_storm(tmp_path: Path) -> None:
    with account(tmp_path) as opened:
        opened.behave(**WIDE, job_seconds=0.05, reject=["u3", "u50", "u399"])
        storm(opened)
        path = write_users(tmp_path / "in.jsonl", [user(f"u{n}", items=6) for n in range(1, 401)])
        done = opened.apart("push", path, max_job_bytes=200_000, poll_wait=0.01, max_attempts=30)

        accounted(done["summary"], 400)
        assert (397, 3, 0) == tuple(
            done["summary"][name] for name in ("imported", "failed", "unknown")
        )
        assert 397 == len(opened.held())


def test_a_cancelled_job_is_unknown_until_it_is_sent_again(tmp_path: Path) -> None:
    with account(tmp_path) as opened:
        opened.behave(**WIDE, job_seconds=0.01, cancel=1)
        path = write_users(tmp_path / "in.jsonl", [user(f"u{n}", items=9) for n in range(1, 201)])
        first = opened.apart("push", path, max_job_bytes=200_000, poll_wait=0.01)["summary"]

        accounted(first, 200)
        assert 0 < first["unknown"] < 200
        assert 7 == first["error"]["exit_code"]
        again = opened.apart("push", path, max_job_bytes=200_000, poll_wait=0.01)["summary"]
        assert (200, 0, None) == (again["imported"], again["unknown"], again["error"])
        assert first["jobs"] - 1 == again["resumed_jobs"]
        assert 200 == len(opened.held())
