"""`upload --dry-run`: the verdict and the figures of the real run, and nothing done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from command_line import Ended, Run
from upload_nights import Night, night

import pipeline
from pipeline import flows
from pipeline.errors import (
    BatchpubError,
    ConfigurationError,
    GuardError,
    InputError,
    TryLaterError,
)
from pipeline.ledger.ledger import Ledger
from pipeline.limits import MAX_LIST
from pipeline.records import UploadPlan, UploadRun, UploadSummary
from pipeline.settings import Secret, UploadSettings
from pipeline.userlist.receipt import encode_receipt, make_receipt, receipt_path

USERS = [f"u{number}" for number in range(100)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Night]:
    with night(tmp_path) as here:
        yield here


def dry(stage: Night, path: Path, **changes: Any) -> UploadSummary | BatchpubError:
    return stage.upload(path, dry_run=True, **changes)


def planned(stage: Night, path: Path, **changes: Any) -> tuple[UploadSummary, UploadPlan]:
    done = dry(stage, path, **changes)
    assert isinstance(done, UploadSummary), done
    assert done.plan is not None
    return done, done.plan


def requests(stage: Night) -> list[Any]:
    found: list[Any] = json.loads(stage._ask("/_sandbox/requests"))["requests"]
    return [one for one in found if "batching" in one["path"]]


def test_it_tells_what_the_real_run_then_does(stage: Night) -> None:
    assert isinstance(stage.upload(stage.write(USERS), min_users=1), UploadSummary)
    path = stage.write([*USERS[5:], "new"])
    done, plan = planned(stage, path)
    before = len(requests(stage))
    real = stage.upload(path)

    assert isinstance(real, UploadSummary)
    same = ["list_path", "tracker_id", "target", "users", "bytes", "sha256", "old_users"]
    same += ["added", "removed", "kept", "confirmed_by"]
    assert [getattr(real, name) for name in same] == [getattr(done, name) for name in same]
    assert (100, 1, 5, 95) == (done.old_users, done.added, done.removed, done.kept)
    assert ("dry-run", None, 0, "") == (done.outcome, done.status, done.attempts, done.server_said)
    assert (True, True) == (plan.would_send, plan.has_private_key)
    assert before + 1 == len(requests(stage))
    assert requests(stage)[-1]["body_bytes"] == plan.body_bytes


def test_nothing_is_sent_and_no_run_remembered(stage: Night) -> None:
    path = stage.write(USERS)
    assert isinstance(dry(stage, path), GuardError)
    done, _ = planned(stage, path, confirm=("first:100",))

    assert ("first:100",) == done.confirmed_by
    assert [] == requests(stage)
    assert stage.stored() is None
    assert [] == stage.outcomes()
    assert () == stage.memory().possible
    # A dry run is no memory either: the real one still needs its words.
    assert isinstance(stage.upload(path), GuardError)


@pytest.mark.parametrize(
    ("ids", "changes"),
    [
        ([], {}),
        (USERS[:60], {}),
        ([f"u{number}" for number in range(400)], {}),
        ([f"other{number}" for number in range(100)], {}),
        (USERS, {"max_age": "1h"}),
        ([*USERS, "new"], {"max_bytes": 100}),
        ([*USERS, "new"], {"min_users": 102}),
    ],
)
def test_a_refusal_is_that_of_the_real_run_word_for_word(
    ids: list[str], changes: dict[str, Any], stage: Night
) -> None:
    assert isinstance(stage.upload(stage.write(USERS), min_users=1), UploadSummary)
    path = stage.write(ids)
    told = dry(stage, path, **changes)
    known = stage.outcomes()
    real = stage.upload(path, **changes)

    assert isinstance(real, GuardError)
    assert isinstance(told, GuardError)
    # The hours of an age go on.
    assert [real.message, real.limit, real.remedy] == [told.message, told.limit, told.remedy]
    assert ["confirmed"] == known


def test_an_unchanged_list_would_not_be_sent(stage: Night) -> None:
    path = stage.write(USERS)
    assert isinstance(stage.upload(path, min_users=1), UploadSummary)
    done, plan = planned(stage, path)

    assert (False, "dry-run") == (plan.would_send, done.outcome)
    assert (0, 0, 100) == (done.added, done.removed, done.kept)


def test_a_list_that_is_not_its_receipt_s_is_found(stage: Night) -> None:
    path = stage.write(USERS)
    path.write_bytes(path.read_bytes().replace(b"u7", b"v7"))
    told = dry(stage, path, min_users=1, min_overlap="0%")

    assert isinstance(told, InputError)
    assert "sha256" in told.message


def test_settings_that_cannot_work_are_found(stage: Night) -> None:
    path = stage.write(USERS)
    wrong: list[dict[str, Any]] = [
        {"path_template": "no-slash"},
        {"ca_file": path, "base_url": "https://127.0.0.1:1"},
        {"part_content_type": "nonsense"},
        {"scheme_word": "two words"},
    ]
    told = [dry(stage, path, min_users=1, **changes) for changes in wrong]

    assert [ConfigurationError] * len(wrong) == [type(one) for one in told]


def test_the_key_may_be_missing_but_only_then(stage: Night) -> None:
    path = stage.write(USERS)
    settings = UploadSettings(**stage.settings(min_users=1, dry_run=True))
    done = flows.upload(path, None, settings, state_dir=stage.state)

    assert done.plan is not None
    assert not done.plan.has_private_key
    with pytest.raises(ConfigurationError, match="no private key"):
        pipeline.upload(
            path, private_key=None, state_dir=stage.state, **stage.settings(min_users=1)
        )
    with pytest.raises(ConfigurationError, match="empty"):
        flows.upload(path, Secret(""), settings, state_dir=stage.state)
    assert stage.stored() is None


def test_an_upload_under_way_is_told(stage: Night) -> None:
    path = stage.write(USERS)
    with Ledger(stage.state) as ledger, ledger.hold(stage.ready.tracker_id, stage.ready.base_url):
        assert isinstance(dry(stage, path, min_users=1), TryLaterError)


def test_a_dry_run_keeps_no_upload_out(stage: Night) -> None:
    path = stage.write(USERS)
    settings = UploadSettings(**stage.settings(min_users=1, dry_run=True))
    sent = []

    def upload_meanwhile(progress: object) -> None:
        sent.append(stage.upload(path, min_users=1))

    flows.upload(path, None, settings, state_dir=stage.state, on_progress=upload_meanwhile)

    assert isinstance(sent[0], UploadSummary)


def test_the_time_is_that_of_the_last_upload_when_it_was_of_like_size(stage: Night) -> None:
    path = stage.write(USERS)
    _, first = planned(stage, path, min_users=1, deadline=100)
    sent = stage.upload(path, min_users=1)
    again = stage.write([*USERS, "new"])
    _, known = planned(stage, again)
    _, larger = planned(stage, stage.write(str(n) for n in range(5000)), max_grow="9999%",
                        min_overlap="0%")  # fmt: skip

    assert isinstance(sent, UploadSummary)
    assert sent.transfer_s
    assert (None, None) == (first.last_mbit_s, first.estimated_s)
    assert first.body_bytes * 8 / 1e6 / 100 == pytest.approx(first.needed_mbit_s)
    assert sent.bytes * 8 / 1e6 / sent.transfer_s == pytest.approx(known.last_mbit_s)
    assert sent.transfer_s * known.body_bytes / sent.bytes == pytest.approx(known.estimated_s)
    assert (None, None) == (larger.last_mbit_s, larger.estimated_s)
    with Ledger(stage.state) as ledger:
        (run,) = ledger.history(None, limit=1)
    assert isinstance(run, UploadRun)
    assert sent.transfer_s == run.transfer_s


# -- the command --


def command(stage: Night, run: Run, path: Path, *options: str, key: bool = True) -> Ended:
    return run(
        *("upload", path, "--tracker-id", stage.ready.tracker_id, "--state-dir", stage.state),
        *("--base-url", stage.ready.base_url, *options),
        **({"BATCHPUB_PRIVATE_KEY": stage.ready.private_key} if key else {}),
    )


def test_the_command_says_it_in_80_columns(stage: Night, batchpub: Run) -> None:
    first = stage.write(USERS)
    assert isinstance(stage.upload(first, min_users=1), UploadSummary)
    path = stage.write([*USERS, "new"])
    done = command(stage, batchpub, path, "--dry-run", key=False)

    assert (0, "") == (done.code, done.out)
    assert f"Dry run: {path} would be sent: 101 users" == done.err.splitlines()[0]
    assert "100 users, now 1 added, 0 removed, 100 kept" in done.err
    assert "private key  MISSING, set BATCHPUB_PRIVATE_KEY" in done.err
    assert "Nothing was sent." == done.err.splitlines()[-1]
    # Addresses and file names are as long as they are.
    assert not [one for one in done.err.splitlines()[2:] if len(one) > 80]
    there = command(stage, batchpub, first, "--dry-run")
    assert "is there already, would not be sent" in there.err
    assert "private key  there" in there.err


def test_the_command_s_json_has_the_plan_and_refuses_with_4(stage: Night, batchpub: Run) -> None:
    path = stage.write(USERS)
    refused = command(stage, batchpub, path, "--dry-run", "--json")
    done = command(stage, batchpub, path, "--dry-run", "--json", "--min-users", "5")

    assert 4 == refused.code
    assert "--confirm first:100" in json.loads(refused.out)["error"]["remedy"]
    told = json.loads(done.out)
    assert (0, "dry-run", 100) == (done.code, told["outcome"], told["users"])
    assert set(asdict(planned(stage, path, min_users=5)[1])) == told["plan"].keys()


def test_without_dry_run_a_missing_key_is_exit_2(stage: Night, batchpub: Run) -> None:
    assert 2 == command(stage, batchpub, stage.write(USERS), key=False).code


# -- guards that came with it --


def test_a_list_of_another_tracker_is_refused_by_its_receipt(stage: Night, batchpub: Run) -> None:
    extract = stage.folder / "extract.csv"
    extract.write_text("customer_id,last_active\n" + "".join(f"{u},2026-11-01\n" for u in USERS))
    made = stage.folder / "made.jsonl"
    prepare = ("prepare", extract, "-o", made, "--as-of", "2026-11-20")
    made_for = batchpub(*prepare, BATCHPUB_TRACKER_ID="7777-1")
    assert 0 == made_for.code
    assert "for tracker  7777-1" in made_for.err
    refused = command(stage, batchpub, made, "--min-users", "1", "--dry-run")
    assert 0 == batchpub(*prepare, "--tracker-id", stage.ready.tracker_id).code
    taken = command(stage, batchpub, made, "--min-users", "1", "--dry-run")
    wrong = batchpub(*prepare, "--tracker-id", "../x")

    assert (4, 0, 2) == (refused.code, taken.code, wrong.code)
    assert "made for another tracker" in refused.err
    assert "7777-1" in refused.err


def test_a_list_over_the_vendor_s_limit_needs_max_bytes(stage: Night, batchpub: Run) -> None:
    """Its receipt is enough to see it: no 300 MB are read, let alone sent."""
    path = stage.write(USERS)
    receipt = make_receipt(path)
    receipt_path(path).write_bytes(encode_receipt(replace(receipt, bytes=MAX_LIST + 1)))
    refused = command(stage, batchpub, path, "--min-users", "1")
    allowed = command(stage, batchpub, path, "--min-users", "1", "--max-bytes", "400MB")

    assert 4 == refused.code
    assert "over the size limit (limit 299,998,976 bytes, actual 299,998,977)" in refused.err
    assert "set --max-bytes" in refused.err
    assert 3 == allowed.code, "the guard lets it pass; the size is not the receipt's"
