"""Pull and push as a user meets them: what comes out, what is refused, what a second run does."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from klaviyo_account import WIDE, Account, account, user, write_users
from transfer_servers import Peer, serving

import pipeline
from pipeline.cli.app import run
from pipeline.errors import (
    ConfigurationError,
    GuardError,
    InputError,
    RemoteError,
    TryLaterError,
)
from pipeline.settings import ExportSettings

ITEM = {"id": "1", "url": "https://a/?recommendation_id=r", "title": "t", "image_link": "https://a"}
PUSH = ["push", "--recommendations", "in.jsonl"]
HOSTILE = [
    "<script>alert(1)</script>", "javascript:alert(1)", 'a"b\\c', "{{ 7*7 }}{% x %}", "=cmd()",
    "a\r\nBcc: b@x.cz", "\u202etxt", "\u2028", "\x00", "\U0001f600",
]  # fmt: skip


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Account]:
    with account(tmp_path) as opened:
        opened.behave(**WIDE, job_seconds=0.01)
        yield opened


def seeded(external_id: str | None = None, **properties: Any) -> dict[str, Any]:
    return {"attributes": {"external_id": external_id, "properties": properties}}


def environment(opened: Account) -> dict[str, str]:
    return {
        "BATCHPUB_KLAVIYO_URL": opened.ready.base_url,
        "BATCHPUB_KLAVIYO_KEY": opened.ready.klaviyo_key,
        "BATCHPUB_STATE_DIR": str(opened.folder / "state"),
    }


def batchpub(
    opened: Account, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "deliver", "klaviyo", *arguments],
        env={**os.environ, **environment(opened), **variables},
        cwd=opened.folder,
        capture_output=True,
        text=True,
        check=False,
    )


# Pull


def test_what_the_vendor_wrote_comes_out_as_parse_writes_it(opened: Account) -> None:
    opened.seed(
        [
            seeded("default", **{"mail-1": [ITEM]}),
            seeded("u1", **{"mail-1": [ITEM, ITEM], "mail-2": [ITEM], "size": "XL", "tags": ["a"]}),
            seeded("u2", city="Brno", likes=[]),
            {"attributes": {"external_id": "u3", "properties": None}},
        ]
    )
    table = opened.folder / "r.parquet"
    done = opened.pull(opened.output, table)

    kinds = [
        (one["auth_user_id"], [block["recommendation_type"] for block in one["recommendations"]])
        for one in opened.users()
    ]
    assert [("default", ["mail-1"]), ("u1", ["mail-1", "mail-2"])] == kinds
    assert [ITEM, ITEM] == opened.users()[1]["recommendations"][0]["results"]
    assert 4 == pq.read_table(table).num_rows
    assert (4, 2, 1, 2) == (
        done.profiles, done.without_recommendations, done.null_properties, done.export.users,
    )  # fmt: skip
    assert done.export.has_default


def test_the_id_can_be_a_property_and_the_default_set_stays_where_it_is(opened: Account) -> None:
    opened.seed(
        [
            seeded("default", **{"mail-1": [ITEM]}),
            seeded("shop-7", customer_id="00123", **{"mail-1": [ITEM]}),
            seeded("shop-8", customer_id=9007199254740993, **{"mail-1": [ITEM]}),
            seeded("shop-9", customer_id=1.5, **{"mail-1": [ITEM]}),
            seeded("shop-10", **{"mail-1": [ITEM]}),
        ]
    )
    done = opened.pull(id_property="customer_id")

    assert ["default", "00123", "9007199254740993"] == [o["auth_user_id"] for o in opened.users()]
    assert 2 == done.without_id


def test_named_types_are_taken_as_they_are_and_nothing_else(opened: Account) -> None:
    opened.seed([seeded("u1", a=[], b=[{"sku": 1}], c=[ITEM], d="text")])
    done = opened.pull(recommendation_type=("a", "b", "d", "missing"))

    blocks = opened.users()[0]["recommendations"]
    assert [("a", []), ("b", [{"sku": 1}])] == [
        (one["recommendation_type"], one["results"]) for one in blocks
    ]
    assert 1 == done.unusable_properties


def test_a_list_a_segment_or_a_time_narrow_what_is_read(opened: Account) -> None:
    old = {"external_id": "old", "updated": "2020-01-01T00:00:00+00:00"}
    opened.seed(
        [
            seeded("u1", m=[ITEM]) | {"lists": ["L1"]},
            seeded("u2", m=[ITEM]) | {"segments": ["S1"]},
            {"attributes": old | {"properties": {"m": [ITEM]}}},
        ]
    )
    narrowed: list[tuple[dict[str, Any], list[str]]] = [
        ({"list_id": "L1"}, ["u1"]),
        ({"segment_id": "S1"}, ["u2"]),
        ({"updated_after": "2026-01-01"}, ["u1", "u2"]),
        ({"updated_after": "2019-01-01T00:00:00+01:00"}, ["u1", "u2", "old"]),
    ]
    for options, expected in narrowed:
        opened.pull(**options)
        assert expected == [one["auth_user_id"] for one in opened.users()]


def test_coverage_shows_whether_the_integration_works(opened: Account) -> None:
    opened.seed([seeded("u1", m=[ITEM]), seeded("u2", city="Brno"), seeded("u9", m=[ITEM])])
    uploaded = opened.folder / "list.jsonl"
    uploaded.write_text("".join(f'{{"auth_user_id":"u{n}"}}\n' for n in (1, 2, 3)))

    done = opened.pull(export=ExportSettings(uploaded=uploaded))
    assert (1, 2, 1) == (
        done.export.covered_users, done.export.missing_users, done.export.unexpected_users,
    )  # fmt: skip
    with pytest.raises(GuardError, match="too few of the users"):
        opened.pull(export=ExportSettings(uploaded=uploaded, min_coverage="50%"))


@pytest.mark.parametrize(
    ("profiles", "message"),
    [
        ([], "no profiles were found"),
        ([seeded("u1", city="Brno")], "none of 1 profiles holds recommendations"),
        ([seeded(None, customer_id="u1", m=[ITEM])], "none of these an id in its external_id"),
    ],
    ids=["empty", "bare", "nameless"],
)
def test_nothing_to_take_is_refused_with_the_step_that_is_missing(
    opened: Account, profiles: list[dict[str, Any]], message: str
) -> None:
    for one in profiles:
        one["attributes"].setdefault("email", "a@x.cz")
    opened.seed(profiles)
    opened.output.write_text("old")

    with pytest.raises(GuardError, match=message):
        opened.pull()
    assert "old" == opened.output.read_text()
    assert [opened.output] == list(opened.folder.iterdir())


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_goes_through_both_ways_as_it_is(opened: Account, hostile: str) -> None:
    given = user(f"u{hostile}", f"mail{hostile}", title=hostile)
    path = write_users(opened.folder / "in.jsonl", [given])
    opened.push(path)
    opened.pull(recommendation_type=(f"mail{hostile}",))

    assert [given] == opened.users()
    assert 1 == len(opened.output.read_bytes().splitlines())


def break_off(opened: Account, **options: Any) -> None:
    """A pull that gets 2 pages of 4 and no further."""
    opened.plan({"kind": "status", "status": 503, "skip": 2, "times": None})
    with pytest.raises(TryLaterError):
        opened.pull(max_attempts=2, **options)
    opened.plan()
    opened.forget_requests()


def pages_asked(opened: Account) -> int:
    return sum("/api/" in one["path"] for one in opened.requests())


def test_a_pull_that_broke_off_goes_on_where_it_was(opened: Account) -> None:
    opened.seed({"count": 399, "leave_out": 0})
    break_off(opened)
    done = opened.pull()

    assert (400, 200, 2) == (done.profiles, done.resumed_profiles, pages_asked(opened))
    assert ["default", *(f"u{n}" for n in range(1, 400))] == [
        one["auth_user_id"] for one in opened.users()
    ]
    assert [opened.output] == list(opened.folder.iterdir())


@pytest.mark.parametrize(
    "changes",
    [{"start_over": True}, {"resume_within": 0.000001}, {"id_property": "customer_id"},
     {"updated_after": "2020-01-01"}, {"recommendation_type": ("mail-recommender-1",)}],
    ids=["start over", "too long ago", "other id", "other profiles", "other types"],
)  # fmt: skip
def test_a_pull_of_something_else_begins_anew(opened: Account, changes: dict[str, Any]) -> None:
    opened.seed({"count": 399, "leave_out": 0})
    break_off(opened)
    done = opened.pull(**changes)

    assert (400, 0, 4) == (done.profiles, done.resumed_profiles, pages_asked(opened))


def test_a_place_that_is_no_longer_known_names_the_way_out(opened: Account) -> None:
    opened.seed({"count": 399})
    break_off(opened)
    opened.plan({"kind": "status", "status": 400})

    with pytest.raises(RemoteError, match="--start-over"):
        opened.pull()


def test_what_a_guard_refused_is_read_again(opened: Account) -> None:
    opened.seed({"count": 50})
    with pytest.raises(GuardError):
        opened.pull(export=ExportSettings(min_users=1_000))
    opened.forget_requests()
    opened.pull()

    assert 1 == pages_asked(opened)


def test_a_pull_that_got_nothing_leaves_nothing(opened: Account) -> None:
    opened.plan({"kind": "status", "status": 403})
    with pytest.raises(RemoteError):
        opened.pull()

    assert [] == list(opened.folder.iterdir())


def test_two_pulls_into_one_file_do_not_mix(opened: Account) -> None:
    import fcntl

    folder = opened.folder / ".r.jsonl.pull"
    folder.mkdir()
    with (folder / "lines.jsonl").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TryLaterError, match="another run"):
            opened.pull()


def test_pages_that_lead_elsewhere_or_in_a_circle_end_the_pull(opened: Account) -> None:
    def page(following: str) -> Any:
        def script(peer: Peer) -> None:
            peer.read_head()
            peer.answer(200, json.dumps({"data": [], "links": {"next": following}}).encode())

        return script

    circle = "/api/profiles?page%5Bcursor%5D=x"
    with serving(page(circle)) as server, pytest.raises(RemoteError, match="circle"):
        opened.pull(klaviyo_url=server.url)
    with serving(page(f"{opened.ready.base_url}/api/profiles")) as server:
        opened.forget_requests()
        with pytest.raises(RemoteError, match="another place"):
            opened.pull(klaviyo_url=server.url)
    assert 0 == pages_asked(opened)


@pytest.mark.parametrize(
    "body", [b"[]", b'{"data":{}}', b'{"data":[1]}', b'{"data":[],"links":{"next":1}}']
)
def test_an_answer_that_is_no_page_is_refused(opened: Account, body: bytes) -> None:
    opened.plan({"kind": "html", "body": body.decode()})

    with pytest.raises(RemoteError, match="something else than a page"):
        opened.pull()


# Push


def test_a_push_is_what_a_pull_reads(opened: Account) -> None:
    users = [user("default"), *(user(f"u{n}", "mail-1", "mail-2") for n in range(1, 30))]
    path = write_users(opened.folder / "in.jsonl", users)
    done = opened.push(path, include_default=True)
    opened.pull()

    assert users == opened.users()
    assert (30, 30, "sent", None) == (
        done.profiles, done.imported, done.default_set, done.error,
    )  # fmt: skip
    assert {"mail-1": 30, "mail-2": 29} == done.properties


def test_parquet_and_json_lines_push_the_same_profiles(opened: Account) -> None:
    opened.seed({"count": 60, "leave_out": 7})
    table = opened.folder / "r.parquet"
    opened.pull(opened.output, table)
    rehearsals = []
    for path in (opened.output, table):
        done = pipeline.deliver_klaviyo_push(path, dry_run=True)
        rehearsals.append((done.users, done.profiles, done.bytes, done.jobs, done.items))

    assert rehearsals[0] == rehearsals[1]
    assert (53, 52) == rehearsals[0][:2]


def test_the_default_set_stays_apart_unless_asked_for(opened: Account) -> None:
    path = write_users(opened.folder / "in.jsonl", [user("default"), user("u1")])
    done = opened.push(path)

    assert "left out" == done.default_set
    assert {"u1"} == opened.held().keys()


def test_contacts_name_profiles_by_e_mail(opened: Account) -> None:
    contacts = opened.folder / "contacts.csv"
    contacts.write_text("customer_id,email\nu1,a@x.cz\nu2,\nu4,d@\u0159.cz\n")
    rejects = opened.folder / "rejects.jsonl"
    path = write_users(opened.folder / "in.jsonl", [user(f"u{n}") for n in (1, 2, 3, 4)])
    done = opened.push(path, contacts=contacts, rejects=rejects)

    assert {"a@x.cz"} == opened.held().keys()
    assert None is opened.held()["a@x.cz"].get("external_id")
    assert (2, 1, 1, 2, 1) == (
        done.profiles, done.imported, done.failed, done.without_contact, done.unusable_contacts,
    )  # fmt: skip
    reject = json.loads(rejects.read_text())
    assert {
        "auth_user_id": "u4",
        "code": "invalid",
        "title": "Invalid input.",
        "field": "email",
    } == reject


def test_refused_profiles_are_no_success(opened: Account) -> None:
    opened.behave(reject=["u1", "u3"])
    rejects = opened.folder / "rejects.jsonl"
    path = write_users(opened.folder / "in.jsonl", [user(f"u{n}") for n in (1, 2, 3)])
    done = opened.push(path, rejects=rejects)

    assert (3, 1, 2, 0, 5) == (
        done.profiles, done.imported, done.failed, done.unknown, done.exit_code,
    )  # fmt: skip
    assert ["u1", "u3"] == [
        json.loads(line)["auth_user_id"] for line in rejects.read_text().splitlines()
    ]


def test_more_than_a_page_of_refusals_is_read_to_its_end(opened: Account) -> None:
    opened.behave(reject=[f"u{n}" for n in range(250)])
    rejects = opened.folder / "rejects.jsonl"
    path = write_users(opened.folder / "in.jsonl", [user(f"u{n}") for n in range(260)])
    done = opened.push(path, rejects=rejects)

    assert (250, 250) == (done.failed, len(rejects.read_text().splitlines()))


def test_a_dry_run_sends_nothing_and_needs_no_key(opened: Account) -> None:
    write_users(opened.folder / "in.jsonl", [user(f"u{n}") for n in range(5)])
    done = batchpub(opened, *PUSH, "--dry-run", "--json", BATCHPUB_KLAVIYO_KEY="")

    summary = json.loads(done.stdout)
    assert (0, True, 5) == (done.returncode, summary["dry_run"], summary["profiles"])
    assert (1, 0) == (summary["jobs"], summary["imported"])
    assert 0 == pages_asked(opened)


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", InputError, "empty"),
        (json.dumps(user("u1")).encode() + b'\n{"auth_user_id": "u2", "reco', InputError, "early"),
        (b"customer_id,email\n1,a@x.cz\n", InputError, "neither XML nor JSON"),
        (b"PAR1 and no table", InputError, "damaged"),
        (b'{"auth_user_id":"u1","updated_at":null,"recommendations":[]}\n', GuardError, "nothing"),
    ],
    ids=["empty", "cut", "another file", "damaged", "no recommendations"],
)
def test_nothing_is_sent_of_a_file_that_is_not_whole(
    opened: Account, content: bytes, kind: type[Exception], message: str
) -> None:
    path = opened.folder / "in.jsonl"
    path.write_bytes(content)

    with pytest.raises(kind, match=message):
        opened.push(path)
    assert 0 == pages_asked(opened)


def test_a_push_that_broke_off_posts_only_what_was_not_posted(opened: Account) -> None:
    path = write_users(opened.folder / "in.jsonl", [user(f"u{n}", items=9) for n in range(700)])
    opened.plan({"kind": "status", "status": 503, "skip": 2, "times": None})
    with pytest.raises(TryLaterError):
        opened.push(path, max_job_bytes=200_000, max_attempts=1)
    opened.plan()
    posted = len(opened.jobs())
    done = opened.push(path, max_job_bytes=200_000)

    assert 0 < posted == done.resumed_jobs < done.jobs
    assert (700, done.jobs) == (done.imported, len(opened.jobs()))


def test_the_same_file_pushed_again_is_pushed_again(opened: Account) -> None:
    path = write_users(opened.folder / "in.jsonl", [user("u1")])
    opened.push(path)
    done = opened.push(path)

    assert (0, 2) == (done.resumed_jobs, len(opened.jobs()))


# The command line


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "message"),
    [
        (["pull", "-o", "r.jsonl"], {"BATCHPUB_KLAVIYO_KEY": ""}, 2, "there is no Klaviyo key"),
        (["pull", "-o", "r.jsonl"], {"BATCHPUB_KLAVIYO_KEY": "pk_wr0ng"}, 5, "credentials"),
        (["pull", "-o", "r.txt"], {}, 2, "unknown kind of output"),
        (["pull", "-o", "no/r.jsonl"], {}, 2, "does not exist"),
        (["pull", "-o", "r.jsonl", "--list-id", "L9"], {}, 5, "No such list"),
        (["pull", "-o", "r.jsonl", "--list-id", "L", "--segment-id", "S"], {}, 2, "exclude"),
        (["pull", "-o", "r.jsonl", "--list-id", "../x"], {}, 2, "not an id"),
        (["pull", "-o", "r.jsonl", "--updated-after", "soon"], {}, 2, "not a time"),
        (["pull", "-o", "r.jsonl", "--revision", "new"], {}, 2, "not a revision"),
        (["pull", "-o", "r.jsonl", "--revision", "2999-01-01"], {}, 5, "future"),
        (["pull", "-o", "r.jsonl", "--klaviyo-url", "http://a.klaviyo.com"], {}, 2, "plain http"),
        (["pull", "-o", "r.jsonl"], {}, 4, "no profiles were found"),
        (["push", "--recommendations", "missing.jsonl"], {}, 3, "No such file"),
        ([*PUSH, "--contacts", "c.csv", "--email-column", "email"], {}, 2, "no column 'email'"),
        ([*PUSH, "--rejects", "in.jsonl"], {}, 2, "would overwrite"),
        ([*PUSH, "--max-job-bytes", "1GB"], {}, 2, "out of range"),
        (["sync"], {}, 2, "unknown command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_ends_in_one_line_and_its_code(
    opened: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    variables: dict[str, str],
    code: int,
    message: str,
) -> None:
    write_users(opened.folder / "in.jsonl", [user("u1")])
    (opened.folder / "c.csv").write_text("id,mail\nu1,a@x.cz\n")
    monkeypatch.chdir(opened.folder)
    for name, value in (environment(opened) | variables).items():
        monkeypatch.setenv(name, value)

    found = run(["deliver", "klaviyo", *arguments])
    said = capsys.readouterr()
    assert code == found, said.err
    assert 1 == len(said.err.splitlines())
    assert message in said.err
    assert "" == said.out
    assert "pk_" not in said.err


def test_a_push_with_refusals_reports_and_exits_5(opened: Account) -> None:
    opened.behave(reject=["u1"])
    write_users(opened.folder / "in.jsonl", [user("u1"), user("u2")])
    done = batchpub(opened, *PUSH, "--poll-wait", "10ms")

    assert 5 == done.returncode
    assert ["refused", "1"] == done.stderr.splitlines()[2].split()
    assert done.stderr.splitlines()[-1].startswith("batchpub: error: ")
    assert all(len(line) <= 80 for line in done.stderr.splitlines()[:-1])


QUOTED = "bad jan.novak@x.cz secret-user pk_sandbox"


@pytest.mark.parametrize(
    "body",
    [QUOTED, json.dumps({"errors": [{"title": "Invalid input.", "detail": QUOTED}]})],
    ids=["text", "an error object"],
)
def test_no_log_holds_key_ids_or_addresses(
    opened: Account, caplog: pytest.LogCaptureFixture, body: str
) -> None:
    caplog.set_level(logging.DEBUG)
    contacts = opened.folder / "contacts.csv"
    contacts.write_text("id,email\nsecret-user,jan.novak@x.cz\n")
    path = write_users(opened.folder / "in.jsonl", [user("secret-user")])
    opened.plan(
        {"kind": "status", "status": 503, "times": 2},
        {"kind": "status", "status": 400, "body": body},
    )
    with pytest.raises(RemoteError) as caught:
        opened.push(path, contacts=contacts)

    assert caplog.records
    for text in (caplog.text, str(caught.value), repr(caught.value.as_dict())):
        assert not any(word in text for word in ("secret-user", "jan.novak", "pk_sandbox"))


def test_a_wrong_keyword_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ConfigurationError, match="key"):
        pipeline.deliver_klaviyo_push("missing.jsonl")
    with pytest.raises(ConfigurationError, match="--poll-wait"):
        pipeline.deliver_klaviyo_push("missing.jsonl", key="k", poll_wait="soon")
