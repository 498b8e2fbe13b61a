"""`deliver smartemailing` as people call it: check, ids, push, and their errors."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_client import fetch

import pipeline
from pipeline.cli.app import run
from pipeline.records import Progress, SandboxReady
from pipeline.sandbox.server import running
from pipeline.settings import SandboxSettings

FIELDS = [
    {"id": 1, "name": "customer_id", "type": "text"},
    {"id": 2, "name": "recommendations", "type": "textarea"},
    {"id": 3, "name": "size", "type": "select"},
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxReady]:
    with running(SandboxSettings()) as ready:
        yield ready


@pytest.fixture
def ready(sandbox: SandboxReady, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SandboxReady:
    """An empty account with three custom fields, its login in the environment."""
    fetch(f"{sandbox.base_url}/_sandbox/smartemailing", method="DELETE")
    seed(sandbox, customfields=FIELDS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHPUB_SMARTEMAILING_URL", f"{sandbox.base_url}/api/v3")
    monkeypatch.setenv("BATCHPUB_SMARTEMAILING_USER", sandbox.smartemailing_user)
    monkeypatch.setenv("BATCHPUB_SMARTEMAILING_KEY", sandbox.smartemailing_key)
    return sandbox


def seed(ready: SandboxReady, **content: Any) -> None:
    data = json.dumps(content).encode()
    where = f"{ready.base_url}/_sandbox/smartemailing"
    assert 200 == fetch(where, method="POST", data=data).status


def contact(address: str, user_id: str, **more: Any) -> dict[str, Any]:
    return {"emailaddress": address, "customfields": [{"id": 1, "value": user_id}], **more}


def held(ready: SandboxReady) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fetch(f"{ready.base_url}/_sandbox/smartemailing").body)
    return {address: one["customfields"] for address, one in found["contacts"].items()}


def recommend(folder: Path, *ids: str, items: int = 1, title: str = "T") -> None:
    """Write recommendations of the given users."""
    results = [
        {"id": f"p{n}", "url": f"https://x.cz/{n}", "title": title, "image_link": ""}
        for n in range(items)
    ]
    with (folder / "r.jsonl").open("w") as file:
        for user_id in ids:
            block = {"recommendation_type": "mail-1", "results": results}
            file.write(json.dumps({"auth_user_id": user_id, "recommendations": [block]}) + "\n")


def push(*more: str, field: str = "recommendations", contacts: str = "c.csv") -> int:
    words = ["--recommendations", "r.jsonl", "--contacts", contacts, "--field", field]
    return run(["deliver", "smartemailing", "push", *words, *more])


def test_check_names_the_account(ready: SandboxReady, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["deliver", "smartemailing", "check"])
    assert "The login is right: account 4711" in capsys.readouterr().err
    assert 0 == run(["deliver", "smartemailing", "check", "--json"])
    assert 4711 == json.loads(capsys.readouterr().out)["account_id"]


@pytest.mark.parametrize(
    ("name", "text", "code", "expected"),
    [
        ("KEY", "wrong", 5, "check --smartemailing-user and BATCHPUB_SMARTEMAILING_KEY"),
        ("KEY", "", 2, "set it, or BATCHPUB_SMARTEMAILING_KEY_FILE"),
        ("USER", "a:b", 2, "not a user name"),
        ("URL", "http://example.com/api/v3", 2, "plain http"),
        ("URL", "{base}/elsewhere", 5, "check --smartemailing-url"),
        ("URL", "http://127.0.0.1:9", 6, "cannot connect"),
    ],
)
def test_a_login_that_does_not_work_says_what_to_look_at(
    ready: SandboxReady,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
    code: int,
    expected: str,
) -> None:
    monkeypatch.setenv(f"BATCHPUB_SMARTEMAILING_{name}", text.format(base=ready.base_url))

    assert code == run(["deliver", "smartemailing", "check", "--max-attempts", "1"])
    told = capsys.readouterr().err
    assert 1 == len(told.splitlines())
    assert expected in told
    assert ready.smartemailing_key not in told


@pytest.mark.parametrize("field", ["1", "customer_id"])
def test_ids_are_written_for_the_other_commands(
    ready: SandboxReady, tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str
) -> None:
    many = [contact(f"a{n}@x.cz", f"u{n}") for n in range(1_100)]
    seed(ready, contacts=[*many, contact("b@x.cz", " "), contact("c@x.cz", "c", blacklisted=1)])
    words = ["deliver", "smartemailing", "ids", "--id-field", field, "--json"]

    assert 0 == run([*words, "-o", "c.csv"])
    done = json.loads(capsys.readouterr().out)
    left_out = {"blank": 1, "contact blacklisted": 1}
    assert (1_100, left_out) == (done["contacts"], done["left_out"])
    with (tmp_path / "c.csv").open() as file:
        found = list(csv.DictReader(file))
    assert {"auth_user_id": "u7", "email": "a7@x.cz", "contact_id": "8"} == found[7]
    assert 1_100 == len({row["email"] for row in found})
    assert 0 == run([*words, "-o", "c.jsonl"])
    lines = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()]
    assert found == [{name: str(one) for name, one in line.items()} for line in lines]


def test_ids_with_every_kind_of_character_come_back_from_the_file(
    ready: SandboxReady, tmp_path: Path
) -> None:
    ids = ['a"b', "a,b", "a\nb", "=1+1", "007", "ž\u202e", " x "]
    seed(ready, contacts=[contact(f"a{n}@x.cz", one) for n, one in enumerate(ids)])
    recommend(tmp_path, *ids)

    assert 0 == run(["deliver", "smartemailing", "ids", "--id-field", "1", "-o", "c.csv"])
    assert 0 == push()
    assert all("2" in one for one in held(ready).values())


def test_contacts_that_come_and_go_while_ids_are_read_cost_nobody_his_line(
    ready: SandboxReady, tmp_path: Path
) -> None:
    seed(ready, contacts=[contact(f"a{n}@x.cz", f"u{n}") for n in range(2_000)])
    read = 0

    def meanwhile(progress: Progress) -> None:
        nonlocal read
        read += 1
        if read == 600:
            seed(ready, remove=list(range(1, 400)))
        if read == 1_200:
            seed(ready, contacts=[contact(f"new{n}@x.cz", f"new{n}") for n in range(700)])
            seed(ready, remove=[1_201, *range(1_500, 1_510)])

    pipeline.deliver_smartemailing_ids(
        "c.csv",
        id_field="1",
        smartemailing_url=f"{ready.base_url}/api/v3",
        smartemailing_user=ready.smartemailing_user,
        key=ready.smartemailing_key,
        on_progress=meanwhile,
    )
    with (tmp_path / "c.csv").open() as file:
        ids = [row["auth_user_id"] for row in csv.DictReader(file)]

    assert len(ids) == len(set(ids))
    gone = {1_200, *range(1_499, 1_509)}
    assert {f"u{n}" for n in range(2_000) if n not in gone} <= set(ids)


@pytest.mark.parametrize(
    ("field", "output", "code", "expected"),
    [
        ("nope", "c.csv", 2, "no such custom field"),
        ("recommendations", "c.csv", 4, "no contact has a user id"),
        ("1", "c.txt", 2, "does not tell a format"),
        ("1", "no/c.csv", 2, "does not exist"),
    ],
)
def test_ids_that_cannot_be_had_leave_the_former_file(
    ready: SandboxReady,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    field: str,
    output: str,
    code: int,
    expected: str,
) -> None:
    (tmp_path / "c.csv").write_text("old")

    assert code == run(["deliver", "smartemailing", "ids", "--id-field", field, "-o", output])
    told = capsys.readouterr().err
    assert (1, True) == (len(told.splitlines()), expected in told)
    assert ["c.csv"] == [one.name for one in tmp_path.iterdir()]
    assert "old" == (tmp_path / "c.csv").read_text()


def test_a_push_writes_the_field_and_keeps_the_default_set_apart(
    ready: SandboxReady, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed(ready, contacts=[contact("a@x.cz", "u1"), contact("b@x.cz", "u2")])
    recommend(tmp_path, "u1", "default", "u9")
    (tmp_path / "c.csv").write_text(
        "user_id,email\nu1,a@x.cz\nu2,b@x.cz\ndefault,d@x.cz\n,e@x.cz\n"
    )

    assert 0 == push("--json", "--max-rejects", "2", "--rejects", "rejects.csv", "--reject-values")
    done = json.loads(capsys.readouterr().out)
    expected = {"contacts": 4, "sent": 1, "accepted": 1, "without_recommendations": 1}
    assert expected.items() <= done.items()
    assert {"empty id": 1, "reserved id": 1} == done["rejected"]
    assert (True, 1, 2) == (done["has_default"], done["users_without_contact"], done["users"])
    text = '{"mail-1":[{"id":"p0","url":"https://x.cz/0","title":"T","image_link":""}]}'
    assert {"a@x.cz": {"1": "u1", "2": text}, "b@x.cz": {"1": "u2"}} == held(ready)
    rejects = (tmp_path / "rejects.csv").read_text().splitlines()
    assert "c.csv,5,empty id,e@x.cz" in rejects


def test_of_a_user_who_comes_twice_the_first_counts(
    ready: SandboxReady, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recommend(tmp_path, "u1", "u2")
    first = (tmp_path / "r.jsonl").read_text()
    recommend(tmp_path, "u2", title="another")
    (tmp_path / "r.jsonl").write_text(first + (tmp_path / "r.jsonl").read_text())
    (tmp_path / "c.csv").write_text("user_id,email\nu1,a@x.cz\nu2,b@x.cz\nu2,c@x.cz\n")

    assert 0 == push("--json")
    done = json.loads(capsys.readouterr().out)
    assert (3, 3, 1) == (done["sent"], done["accepted"], done["repeated_users"])
    assert not any("another" in values["2"] for values in held(ready).values())


def test_a_value_that_is_too_long_is_cut_and_counted(
    ready: SandboxReady, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recommend(tmp_path, "u1", items=500, title="ž" * 200)
    (tmp_path / "c.csv").write_text("user_id,email\nu1,a@x.cz\n")

    assert 0 == push("--json")
    done = json.loads(capsys.readouterr().out)
    value = held(ready)["a@x.cz"]["2"]
    kept = len(json.loads(value)["mail-1"])
    assert 63_000 < len(value.encode()) <= 64_000
    assert (1, 500 - kept, kept) == (done["cut_contacts"], done["cut_items"], done["items"])


def test_an_item_too_long_by_itself_rejects_its_contact(
    ready: SandboxReady, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recommend(tmp_path, "u1", title="x" * 64_000)
    (tmp_path / "c.csv").write_text("user_id,email\nu1,a@x.cz\n")

    assert 4 == push("--rejects", "rejects.csv")
    assert "there is nothing to send" in capsys.readouterr().err
    assert "c.csv,2,recommendations too large" in (tmp_path / "rejects.csv").read_text()


def test_a_dry_run_needs_no_key_and_sends_nothing(
    ready: SandboxReady,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("BATCHPUB_SMARTEMAILING_KEY")
    recommend(tmp_path, "u1")
    (tmp_path / "c.csv").write_text("user_id,email\nu1,a@x.cz\n")
    before = fetch(f"{ready.base_url}/_sandbox/requests").body

    assert 0 == push("--dry-run")
    assert "Dry run, nothing was sent: 1 contact would be" in capsys.readouterr().err
    assert before == fetch(f"{ready.base_url}/_sandbox/requests").body


@pytest.mark.parametrize(
    ("files", "more", "code", "expected"),
    [
        ({"r.jsonl": None}, {}, 3, "r.jsonl"),
        ({"c.csv": None}, {}, 3, "c.csv: no such file"),
        ({"r.jsonl": ""}, {}, 3, "r.jsonl"),
        ({"r.jsonl": "<html></html>"}, {}, 3, "r.jsonl"),
        ({"r.jsonl": '{"auth_user_id":"u1","recom'}, {}, 3, "r.jsonl"),
        ({"c.csv": ""}, {}, 3, "c.csv"),
        ({"c.csv": "user_id,phone\nu1,1\n"}, {}, 2, "no column with the e-mail address"),
        ({"c.csv": "user_id,email\nU1,a@x.cz\n"}, {}, 4, "1 users, 1 contacts"),
        ({}, {"field": "size"}, 2, "holds no free text"),
        ({}, {"contacts": "."}, 3, "not a file"),
    ],
)
def test_a_push_of_the_wrong_things_is_one_line_and_sends_nothing(
    ready: SandboxReady,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    files: dict[str, str | None],
    more: dict[str, str],
    code: int,
    expected: str,
) -> None:
    recommend(tmp_path, "u1")
    (tmp_path / "c.csv").write_text("user_id,email\nu1,a@x.cz\n")
    for name, text in files.items():
        (tmp_path / name).unlink() if text is None else (tmp_path / name).write_text(text)

    assert code == push(**more)
    told = capsys.readouterr().err
    assert (1, True) == (len(told.splitlines()), expected in told), told
    assert "a@x.cz" not in told
    assert {} == held(ready)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--batch-size", "501"), "--batch-size"),
        (("--max-rejects", "some"), "--max-rejects"),
        (("--rejects", "c.csv"), "would overwrite"),
        (("--rejects", "no/rejects.csv"), "does not exist"),
        (("--smartemailing-key", "s3cr3t"), "set BATCHPUB_SMARTEMAILING_KEY"),
    ],
)
def test_an_option_that_cannot_be_is_one_line(
    ready: SandboxReady,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    expected: str,
) -> None:
    recommend(tmp_path, "u1")
    (tmp_path / "c.csv").write_text("user_id,email\nu1,a@x.cz\n")

    assert 2 == push(*words)
    told = capsys.readouterr().err
    assert (1, True) == (len(told.splitlines()), expected in told), told
    assert "s3cr3t" not in told


def test_the_commands_of_the_docs_do_what_the_page_says(
    ready: SandboxReady, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "deliver-smartemailing.md").read_text()
    found = re.search(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(ready.smartemailing_key + "\n")
    script = found[1].replace("/run/secrets/smartemailing", str(key))
    script = script.replace("shop@example.com", ready.smartemailing_user)
    seed(ready, contacts=[contact("a@x.cz", "u1"), contact("b@x.cz", "u2")])
    recommend(tmp_path, "u1")
    (tmp_path / "r.jsonl").rename(tmp_path / "recommendations.jsonl")
    monkeypatch.delenv("BATCHPUB_SMARTEMAILING_KEY")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert {"a@x.cz"} == {address for address, values in held(ready).items() if "2" in values}


def test_the_python_api_does_the_same(ready: SandboxReady, tmp_path: Path) -> None:
    seed(ready, contacts=[contact("a@x.cz", "u1")])
    recommend(tmp_path, "u1")
    login: dict[str, Any] = {
        "smartemailing_url": f"{ready.base_url}/api/v3",
        "smartemailing_user": ready.smartemailing_user,
        "key": pipeline.Secret(ready.smartemailing_key),
    }

    assert 4711 == pipeline.deliver_smartemailing_check(**login).account_id
    read = pipeline.deliver_smartemailing_ids("c.csv", id_field="1", **login)
    assert 1 == read.contacts
    done = pipeline.deliver_smartemailing_push(
        "r.jsonl", contacts=Path("c.csv"), field="2", **login
    )
    assert (1, 0) == (done.accepted, done.exit_code)
    with pytest.raises(pipeline.ConfigurationError, match="no SmartEmailing API key"):
        pipeline.deliver_smartemailing_push(
            "r.jsonl", contacts=Path("c.csv"), field="2", smartemailing_user="x"
        )
