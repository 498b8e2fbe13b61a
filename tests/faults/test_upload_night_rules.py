"""Uploads against the sandbox, night after night: what is sent, refused, unchanged, remembered."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from upload_nights import Night, night, sha

import pipeline.submission
from pipeline.cli.history import history_lines
from pipeline.cli.summary import summary_lines
from pipeline.errors import (
    BatchpubError,
    ConfigurationError,
    GuardError,
    InputError,
    RemoteError,
    TryLaterError,
    UncertainError,
)
from pipeline.flows import history
from pipeline.ledger.ledger import Ledger
from pipeline.records import UploadSummary
from pipeline.settings import HistorySettings
from pipeline.userlist.receipt import encode_receipt, make_receipt, receipt_path

USERS = [f"u{number}" for number in range(100)]


def first_night(stage: Night) -> Path:
    path = stage.write(USERS)
    assert isinstance(stage.upload(path, confirm=("first:100",)), UploadSummary)
    return path


def refusal(answer: UploadSummary | BatchpubError) -> str:
    assert isinstance(answer, GuardError), answer
    return str(answer)


def test_without_memory_nothing_is_sent_unless_the_count_is_named(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        path = stage.write(USERS)

        assert "--confirm first:100" in refusal(stage.upload(path))
        assert "--state-dir" in refusal(stage.upload(path, confirm=("first:99",)))
        assert "too short" in refusal(stage.upload(path, min_users=101))
        assert stage.stored() is None
        sent = stage.upload(path, min_users=100)
        assert isinstance(sent, UploadSummary)
        assert ("uploaded", None, ("min-users:100",)) == (
            *(sent.outcome, sent.old_users),
            sent.confirmed_by,
        )
        assert path.read_bytes() == stage.stored()


def test_the_summary_tells_what_was_replaced(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        first_night(stage)
        sent = stage.upload(stage.write([*USERS[10:], "n1", "n2"]))

    assert isinstance(sent, UploadSummary)
    assert (100, 92, 2, 10, 90) == (
        *(sent.old_users, sent.users),
        *(sent.added, sent.removed, sent.kept),
    )
    assert "  before    100 users, now 2 added, 10 removed, 90 kept" in summary_lines(sent)


def test_an_unchanged_list_is_not_sent_until_it_is_due(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        path = first_night(stage)
        again = stage.upload(path)
        anew = stage.upload(stage.write(USERS))
        due = stage.upload(path, refresh_after="1ms")

        assert isinstance(again, UploadSummary)
        assert isinstance(anew, UploadSummary)
        assert isinstance(due, UploadSummary)
        assert ["unchanged", "unchanged", "uploaded"] == [
            again.outcome,
            anew.outcome,
            due.outcome,
        ]
        assert (None, 0) == (again.status, again.attempts)
        assert "nothing was sent" in summary_lines(again)[0]
        assert ["confirmed", "unchanged", "unchanged", "confirmed"] == stage.outcomes()


def test_another_shop_s_list_of_the_same_size_is_refused(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        path = first_night(stage)
        foreign = stage.write([f"other{number}" for number in range(100)])

        said = refusal(stage.upload(foreign))
        assert "of 100 users 0 are kept, 100 removed, 100 added" in said
        assert said.endswith("--confirm overlap:0")
        assert path.read_bytes() == stage.stored()
        sent = stage.upload(foreign, confirm=("overlap:0",))
        assert isinstance(sent, UploadSummary)
        assert ("overlap:0",) == sent.confirmed_by


def test_half_a_list_twice_is_still_half_a_list(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        first_night(stage)

        said = refusal(stage.upload(stage.write(USERS[:50] * 2)))
        assert "shrinks from 100 to 50 users, 50 lines are repeats" in said


def test_a_lost_or_changed_copy_of_the_last_list_is_no_permission(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        path = first_night(stage)
        kept = stage.state / "artifacts" / sha(path.read_bytes())
        new = stage.write([*USERS, "new"])

        kept.write_bytes(new.read_bytes())
        assert "no longer kept" in refusal(stage.upload(new))
        kept.unlink()
        assert "no longer kept" in refusal(stage.upload(new))
        assert isinstance(stage.upload(new, confirm=("overlap:0",)), UploadSummary)


def test_a_list_that_is_not_the_one_of_its_receipt_is_refused(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        first_night(stage)
        path = stage.write([*USERS, "new"])
        path.write_bytes(path.read_bytes().replace(b"new", b"old"))

        assert isinstance(stage.upload(path), InputError)
        assert ["confirmed"] == stage.outcomes()


def test_a_list_made_for_another_tracker_is_refused_whatever_is_confirmed(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        path = stage.write(USERS)
        receipt = replace(make_receipt(path), tracker_id="9-9")
        receipt_path(path).write_bytes(encode_receipt(receipt))

        assert "another tracker" in refusal(stage.upload(path, confirm=("first:100",)))
        assert stage.stored() is None


def test_a_list_without_a_receipt_is_as_old_as_its_file(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        path = stage.write(USERS)
        receipt_path(path).unlink()
        two_days_ago = (datetime.now(UTC) - timedelta(hours=50)).timestamp()
        os.utime(path, (two_days_ago, two_days_ago))

        said = refusal(stage.upload(path))
        assert said.endswith("--confirm first:100 --confirm age:50")


def test_a_receipt_that_does_not_say_when_is_refused(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        path = stage.write(USERS)
        receipt = replace(make_receipt(path), created_at="yesterday")
        receipt_path(path).write_bytes(encode_receipt(receipt))

        assert isinstance(stage.upload(path), InputError)


def test_after_an_uncertain_outcome_the_same_list_is_sent_again_or_a_newer_one(
    tmp_path: Path,
) -> None:
    with night(tmp_path) as stage:
        older = stage.write([*USERS, "older"])
        first_night(stage)
        path = stage.write(USERS[:60])
        stage.plan({"kind": "lost"})
        assert isinstance(stage.upload(path, confirm=("shrink:100:60",)), UncertainError)
        assert path.read_bytes() == stage.stored()
        assert "sent already" in refusal(stage.upload(older))
        # Either list may be there: each other one is measured against both.
        assert "shrink:100:55" in refusal(stage.upload(stage.write(USERS[:55], minutes=0)))
        again = stage.upload(path)
        assert isinstance(again, UploadSummary)
        assert ("uploaded", ("shrink:100:60",)) == (again.outcome, again.confirmed_by)
        assert ["uncertain", "refused", "refused", "confirmed"] == stage.outcomes()[1:]
        assert isinstance(stage.upload(stage.write(USERS[:58])), UploadSummary)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 401}, RemoteError),
        ({"kind": "redirect"}, RemoteError),
    ],
)
def test_a_failed_upload_changes_neither_side(
    tmp_path: Path, fault: dict[str, object], error: type[BatchpubError]
) -> None:
    with night(tmp_path) as stage:
        path = first_night(stage)
        stage.plan(fault)

        assert isinstance(stage.upload(stage.write([*USERS, "new"])), error)
        assert path.read_bytes() == stage.stored()
        assert ["confirmed", "failed"] == stage.outcomes()
        assert () == stage.memory().unsure


def test_a_service_in_trouble_may_have_stored_what_it_got_whole(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        first_night(stage)
        path = stage.write(USERS * 2)
        stage.plan({"kind": "status", "status": 503, "commit": True})

        assert isinstance(stage.upload(path), TryLaterError)
        assert path.read_bytes() == stage.stored()
        assert ["confirmed", "uncertain"] == stage.outcomes()
        assert "shrink:200:90" in refusal(stage.upload(stage.write(USERS[:90])))


def test_an_unusable_setting_is_found_before_anything_is_remembered(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        path = stage.write(USERS)

        wrong: list[dict[str, Any]] = [
            {"confirm": ("all",)},
            {"max_shrink": "120%"},
            {"base_url": "ftp://service.example"},
        ]
        for changes in wrong:
            assert isinstance(stage.upload(path, **changes), ConfigurationError)
        assert not stage.state.exists()


def test_a_clock_that_was_set_back_stops_the_next_list_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with night(tmp_path) as stage:
        first_night(stage)
        back = datetime.now(UTC) - timedelta(days=3)

        class SetBack(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
                return back

        monkeypatch.setattr(pipeline.submission, "datetime", SetBack)
        stage.made_at = back - timedelta(minutes=5)
        said = refusal(stage.upload(stage.write([*USERS, "new"])))
        assert "check the clock of this machine" in said
        assert said.endswith("--confirm age:0")
        sent = stage.upload(stage.write([*USERS, "new"]), confirm=("age:0",))
        assert isinstance(sent, UploadSummary)
        # From here on lists of the new time follow each other again, and memory is not shorter.
        assert isinstance(stage.upload(stage.write([*USERS, "new", "newer"])), UploadSummary)
        assert "shrink:102:70" in refusal(stage.upload(stage.write(USERS[:70])))


def hold(state: Path, tracker_id: str, target: str, held: object, done: object) -> None:
    with Ledger(state) as ledger, ledger.hold(tracker_id, target):
        held.set()  # type: ignore[attr-defined]
        done.wait(60)  # type: ignore[attr-defined]


def test_two_runs_at_once_the_second_is_try_later(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        path = first_night(stage)
        context = multiprocessing.get_context("spawn")
        held, done = context.Event(), context.Event()
        ready = stage.ready
        other = context.Process(
            target=hold, args=(stage.state, ready.tracker_id, ready.base_url, held, done)
        )
        other.start()
        assert held.wait(60)
        answer = stage.upload(stage.write([*USERS, "new"]))
        other.kill()  # the kernel frees the lock
        other.join()

        assert isinstance(answer, TryLaterError)
        assert path.read_bytes() == stage.stored()
        assert isinstance(stage.upload(stage.write([*USERS, "new"])), UploadSummary)


def test_history_tells_what_became_of_each_run(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        first_night(stage)
        stage.upload(stage.write([]))
        stage.upload(stage.write([*USERS, "new"]))
        done = history(HistorySettings(tracker_id=stage.ready.tracker_id), state_dir=stage.state)

    assert ["confirmed", "refused", "confirmed"] == [run.outcome for run in done.runs]
    text = "\n".join(history_lines(done))
    assert "101 users  +1 -0  confirmed" in text
    assert "0 users   -100  refused\n      the list holds no users" in text
    assert "with first:100" in text
    nobody = history(HistorySettings(tracker_id="9-9"), state_dir=stage.state)
    assert ["No uploads to tracker 9-9 are known in "] == [
        line.removesuffix(nobody.ledger) for line in history_lines(nobody)
    ]


def test_no_user_id_and_no_key_is_in_the_ledger(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        first_night(stage)
        stage.upload(stage.write(["secret-user"]))
        stage.plan({"kind": "status", "status": 401})
        stage.upload(stage.write([*USERS, "secret-user"]))
        content = b"".join(one.read_bytes() for one in stage.state.glob("ledger*"))

        assert b"u99" not in content
        assert b"secret-user" not in content
        assert stage.ready.private_key.encode() not in content


def test_an_upload_that_compares_nothing_imports_nothing_heavy(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        path = stage.write(USERS)
        code = (
            "import sys; from pathlib import Path; from pipeline import flows;"
            "from pipeline.settings import Secret, UploadSettings;"
            "settings = UploadSettings(tracker_id=sys.argv[2], base_url=sys.argv[3], min_users=1);"
            "flows.upload(Path(sys.argv[1]), Secret(sys.argv[4]), settings,"
            " state_dir=Path(sys.argv[5]));"
            "print(sorted({'polars', 'pyarrow', 'narwhals', 'cyclopts'} & set(sys.modules)))"
        )
        ready = stage.ready
        arguments = (path, ready.tracker_id, ready.base_url, ready.private_key, stage.state)
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=True,
        )

    assert "[]\n" == done.stdout
