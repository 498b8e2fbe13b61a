"""A push to SmartEmailing through everything that can go wrong: every contact is accounted for."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
from smartemailing_shop import Shop, shop

from pipeline.errors import BatchpubError, InputError, RemoteError, TryLaterError, UncertainError
from pipeline.records import Progress, SmartEmailingPushSummary

BAD = (0, 499, 500, 1_234, 2_000, 2_001, 2_002, 4_999)
# What each run meets on its calls, the first of which asks for the custom fields.
STORM: list[dict[str, Any]] = [
    {"kind": "status", "status": 429, "retry_after_s": 0, "times": 2},
    {"kind": "lost", "skip": 3, "times": 2},
    {"kind": "status", "status": 503, "skip": 10, "times": 5},
    {"kind": "reset", "skip": 20, "times": 2},
    {"kind": "html", "skip": 30, "times": 2},
    {"kind": "lost", "skip": 40, "answer_bytes": 40},
    {"kind": "status", "status": 502, "skip": 50, "commit": True},
    {"kind": "reset", "skip": 60, "times": None, "share": 0.1},
]


def check_sums(done: SmartEmailingPushSummary) -> None:
    assert done.sent == done.accepted + done.refused + done.unknown
    rejected = sum(done.rejected.values())
    assert done.contacts == done.without_recommendations + rejected + done.sent


def rows(path: Path) -> list[int]:
    with path.open() as file:
        return [int(row["row"]) for row in csv.DictReader(file)]


def test_a_push_of_5000_survives_a_storm_with_every_contact_accounted_for(tmp_path: Path) -> None:
    with shop(tmp_path, 5_000, bad=BAD) as made:
        made.plan(*STORM)
        done = made.push(rejects=tmp_path / "rejects.csv")
        made.check_that_all_arrived()

    check_sums(done)
    assert (5_000, 4_992, 8, 0) == (done.sent, done.accepted, done.refused, done.unknown)
    assert [number + 2 for number in BAD] == sorted(rows(tmp_path / "rejects.csv"))
    assert done.retries >= 14
    assert (None, 0) == (done.error, done.exit_code)
    assert not list((tmp_path / "state").rglob("*.jsonl")), "nothing is left to go on with"


BEFORE: dict[str, Any] = {"kind": "stall", "seconds": 600}
AFTER: dict[str, Any] = {"kind": "status", "status": 503, "commit": True, "retry_after_s": 600}


@pytest.mark.parametrize(
    ("skip", "fault"),
    [(1, BEFORE), (45, AFTER), (60, BEFORE), (60, AFTER)],
    ids=["first batch", "taken, not known", "third batch", "third batch taken, not known"],
)
def test_a_push_that_was_killed_goes_on_where_it_was(
    tmp_path: Path, fault: dict[str, Any], skip: int
) -> None:
    with shop(tmp_path, 2_000, bad=[n for n in BAD if n < 2_000]) as made:
        made.plan({"skip": skip, **fault})
        process = made.push_apart()
        made.wait_for_fault(fault["kind"])
        process.kill()
        process.communicate()
        settled = journal_lines(made) - 1
        made.plan()
        done = made.push()
        made.check_that_all_arrived()

    check_sums(done)
    assert (2_000, 1_996, 4, 0) == (done.sent, done.accepted, done.refused, done.unknown)
    assert 500 * settled == done.resumed
    assert (0 < settled < 4) == (skip > 1)


def kill_and_repeat(made: Shop, kills: int) -> None:
    """Kill pushes anywhere on their way; each is finished by the same command."""
    _, told = made.push_apart(kill_at=0).communicate()
    lines = int(told.splitlines()[-1])
    draw = random.Random(13)
    for kill_at in sorted(draw.sample(range(lines // 4, lines), kills)):
        made.forget()
        (made.folder / "rejects.csv").unlink(missing_ok=True)
        process = made.push_apart(kill_at=kill_at)
        process.communicate()
        assert -9 == process.returncode, kill_at
        process = made.push_apart()
        said, _ = process.communicate()
        done = json.loads(said)
        assert (0, 600) == (process.returncode, done["sent"]), (kill_at, done)
        assert (597, 3, 0) == (done["accepted"], done["refused"], done["unknown"]), kill_at
        made.check_that_all_arrived()
        assert [5, 302, 599] == sorted(rows(made.folder / "rejects.csv")), kill_at
        assert not list((made.folder / "state").rglob("*.jsonl")), kill_at
        assert done["resumed"] in (0, 500, 600), kill_at


@pytest.mark.parametrize(
    "kills", [4, pytest.param(60, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_wherever_a_push_is_killed_the_next_one_ends_it(tmp_path: Path, kills: int) -> None:
    with shop(tmp_path, 600, bad=[3, 300, 597]) as made:
        kill_and_repeat(made, kills)


def journal_lines(made: Shop) -> int:
    (journal,) = (made.folder / "state").rglob("*.jsonl")
    return len(journal.read_text().splitlines())


def test_a_push_whose_last_answer_never_comes_is_uncertain_and_then_settled(tmp_path: Path) -> None:
    with shop(tmp_path, 1_200) as made:
        made.plan({"kind": "lost", "skip": 3, "times": None})
        with pytest.raises(UncertainError, match="1,200 contacts 1,000 are accepted") as caught:
            made.push(max_attempts=2, rejects=tmp_path / "rejects.csv")
        assert "0 refused, 200 unknown" in str(caught.value)
        assert 200 == len(rows(tmp_path / "rejects.csv"))
        made.plan()
        done = made.push()
        made.check_that_all_arrived()

    check_sums(done)
    assert (1_200, 1_000, 0) == (done.accepted, done.resumed, done.unknown)


def test_a_push_without_a_service_is_for_later_and_goes_on(tmp_path: Path) -> None:
    with shop(tmp_path, 1_200) as made:
        made.plan({"kind": "status", "skip": 2, "times": None})
        with pytest.raises(TryLaterError, match="500 are accepted") as caught:
            made.push(max_attempts=2)
        assert "goes on where it broke off" in str(caught.value)
        made.plan()
        done = made.push()

    assert (1_200, 500) == (done.accepted, done.resumed)


def test_start_over_sends_everything_again(tmp_path: Path) -> None:
    with shop(tmp_path, 1_200) as made:
        made.plan({"kind": "status", "skip": 2, "times": None})
        with pytest.raises(TryLaterError):
            made.push(max_attempts=1)
        made.plan()
        done = made.push(start_over=True)

    assert (1_200, 0) == (done.accepted, done.resumed)


def test_other_recommendations_are_sent_whole(tmp_path: Path) -> None:
    with shop(tmp_path, 1_200) as made:
        made.plan({"kind": "status", "skip": 2, "times": None})
        with pytest.raises(TryLaterError):
            made.push(max_attempts=1)
        made.plan()
        text = (tmp_path / "r.jsonl").read_text()
        (tmp_path / "r.jsonl").write_text(text + "\n")
        done = made.push()

    assert (1_200, 0) == (done.accepted, done.resumed)


def test_recommendations_that_change_meanwhile_are_no_success(tmp_path: Path) -> None:
    with shop(tmp_path, 1_200) as made:

        def meanwhile(progress: Progress) -> None:
            if progress.stage == "read":  # the first reading; the second one sends
                lines = (tmp_path / "r.jsonl").read_text().splitlines(keepends=True)
                (tmp_path / "new").write_text("".join(lines[:700]))
                (tmp_path / "new").rename(tmp_path / "r.jsonl")

        with pytest.raises(InputError, match="changed while they were read") as caught:
            made.push(on_progress=meanwhile)

    assert "of 1,200 contacts 700 are accepted" in str(caught.value)


def test_bad_rows_cost_few_requests(tmp_path: Path) -> None:
    with shop(tmp_path, 1_500, bad=[7, 800]) as made:
        done = made.push()
        sizes = [one["body_bytes"] for one in made.imports()]

    assert (1_498, 2) == (done.accepted, done.refused)
    assert done.requests <= 1 + 3 + 2 * 2 * 9
    assert len(sizes) <= 1 + 2 * 9


def test_a_service_that_takes_nobody_ends_the_push_after_one_batch(tmp_path: Path) -> None:
    with shop(tmp_path, 1_200, bad=range(1_200)) as made:
        for _ in "first", "again":
            with pytest.raises(RemoteError, match="none of 40 contacts") as caught:
                made.push(batch_size=40, rejects=tmp_path / "rejects.csv")
        assert {} == made.held()

    assert "not a valid e-mail address" in str(caught.value)
    assert "of 1,200 contacts 0 are accepted, 40 refused, 0 unknown" in str(caught.value)
    assert 40 == len(rows(tmp_path / "rejects.csv"))


def test_one_bad_row_at_the_end_is_no_reason_to_stop(tmp_path: Path) -> None:
    with shop(tmp_path, 501, bad=[500]) as made:
        done = made.push()

    assert (500, 1, 0) == (done.accepted, done.refused, done.exit_code)


def test_more_rejects_than_allowed_end_with_an_error_after_all_others_are_in(
    tmp_path: Path,
) -> None:
    with shop(tmp_path, 200, bad=range(20)) as made:
        done = made.push(max_rejects="5%")
        made.check_that_all_arrived()

    assert done.error is not None
    assert ("InputError", 3) == (done.error["class"], done.exit_code)
    assert (180, 20) == (done.accepted, done.refused)


def test_unsubscribed_and_blacklisted_contacts_stay_as_they_are(tmp_path: Path) -> None:
    with shop(tmp_path, 3) as made:
        gone = [{"id": 9, "status": "unsubscribed"}]
        contact = {"emailaddress": "a1@example.com", "contactlists": gone, "blacklisted": 1}
        made.post("smartemailing", {"contacts": [contact]})
        before = made.held()
        made.push()
        after = made.held()

    for one in after.values():
        del one["customfields"]["2"]
    assert before == after


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "status", "status": 401, "body": '{"status":"error"}'}, "BATCHPUB_SMARTEMAILING"),
        ({"kind": "status", "status": 200, "body": '{"status":"error","message":"No."}'}, "No."),
        ({"kind": "status", "status": 200, "body": '{"status":"created"}'}, "without its contacts"),
        ({"kind": "status", "status": 200, "body": "[]"}, "without a status"),
        ({"kind": "redirect"}, "redirects"),
        ({"kind": "status", "status": 413}, "--batch-size"),
        ({"kind": "status", "status": 400, "body": '{"message":"a1@example.com"}'}, "malformed"),
    ],
)
def test_an_answer_that_is_no_success_ends_the_push_with_the_truth(
    tmp_path: Path, fault: dict[str, Any], expected: str
) -> None:
    with shop(tmp_path, 600) as made:
        made.plan({"skip": 2, **fault})
        with pytest.raises(BatchpubError) as caught:
            made.push(max_attempts=1)

    assert RemoteError is type(caught.value)
    assert expected in str(caught.value)
    assert "500 are accepted" in str(caught.value)
    assert "@example.com" not in str(caught.value)


def test_contacts_that_the_answer_does_not_name_are_unknown(tmp_path: Path) -> None:
    answer = {"status": "created", "contacts_map": [{"emailaddress": "A1@example.com"}]}
    with shop(tmp_path, 3) as made:
        made.plan({"kind": "status", "skip": 1, "status": 201, "body": json.dumps(answer)})
        done = made.push(rejects=tmp_path / "rejects.csv")
        assert [2, 4] == rows(tmp_path / "rejects.csv")
        again = made.push()

    check_sums(done)
    assert (1, 0, 2, 7) == (done.accepted, done.refused, done.unknown, done.exit_code)
    assert (3, 0, 0, 0) == (again.accepted, again.unknown, again.resumed, again.exit_code)


def test_addresses_in_a_spelling_of_the_service_s_own_are_accepted(tmp_path: Path) -> None:
    answer = {"status": "created", "contacts_map": [{"emailaddress": f"x{n}"} for n in range(3)]}
    with shop(tmp_path, 3) as made:
        made.plan({"kind": "status", "skip": 1, "status": 201, "body": json.dumps(answer)})
        done = made.push()

    assert (3, 0) == (done.accepted, done.unknown)


def test_two_pushes_into_one_field_do_not_run_at_once(tmp_path: Path) -> None:
    with shop(tmp_path, 600) as made:
        made.plan({"kind": "stall", "skip": 1, "seconds": 600})
        process = made.push_apart()
        made.wait_for_fault("stall")
        with pytest.raises(TryLaterError, match="another run"):
            made.push()
        process.kill()
        process.communicate()
