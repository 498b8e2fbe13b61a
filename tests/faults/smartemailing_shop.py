"""A SmartEmailing account in a sandbox, recommendations and contacts on disk, and a push."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pipeline
from pipeline.records import SandboxReady, SmartEmailingPushSummary
from pipeline.sandbox.server import running
from pipeline.settings import SandboxSettings

# Looks like an address, which is why it is sent, and is none to the sandbox.
BAD = "ž{number}@example.com"
FIELDS = [
    {"id": 1, "name": "customer_id", "type": "text"},
    {"id": 2, "name": "recommendations", "type": "textarea"},
]


@dataclass
class Shop:
    """Contacts a0… and users u0… of the same number; those in `bad` have an address of no use."""

    ready: SandboxReady
    folder: Path
    users: int
    bad: frozenset[int]

    @property
    def url(self) -> str:
        return f"{self.ready.base_url}/api/v3"

    def address(self, number: int) -> str:
        return BAD.format(number=number) if number in self.bad else f"a{number}@example.com"

    def write(self) -> None:
        """Put the files of the push on disk."""
        item = {"id": "p", "url": "https://shop.example/p", "title": "T", "image_link": ""}
        with (self.folder / "r.jsonl").open("w") as file:
            for number in range(self.users):
                block = {"recommendation_type": "m", "results": [item | {"id": f"p{number}"}]}
                user = {"auth_user_id": f"u{number}", "updated_at": None}
                file.write(json.dumps(user | {"recommendations": [block]}) + "\n")
        with (self.folder / "c.csv").open("w") as file:
            file.write("customer_id,email\n")
            for number in range(self.users):
                file.write(f"u{number},{self.address(number)}\n")

    def post(self, path: str, content: Any) -> Any:
        request = urllib.request.Request(
            f"{self.ready.base_url}/_sandbox/{path}", data=json.dumps(content).encode()
        )
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.ready.base_url}/_sandbox/{path}") as answer:
            return json.loads(answer.read())

    def plan(self, *faults: dict[str, Any]) -> None:
        """Faults for the calls still to come, instead of those that were planned."""
        where = f"{self.ready.base_url}/_sandbox/faults"
        urllib.request.urlopen(urllib.request.Request(where, method="DELETE")).close()
        self.post("faults", [{"on": "smartemailing", **fault} for fault in faults])

    def options(self, **more: Any) -> dict[str, Any]:
        return {
            "smartemailing_url": self.url,
            "smartemailing_user": self.ready.smartemailing_user,
            "key": self.ready.smartemailing_key,
            "contacts": self.folder / "c.csv",
            "field": "recommendations",
            "state_dir": self.folder / "state",
            "retry_wait": 0.01,
            **more,
        }

    def push(self, **more: Any) -> SmartEmailingPushSummary:
        options = self.options(**more)
        return pipeline.deliver_smartemailing_push(self.folder / "r.jsonl", **options)

    def push_apart(self, *, kill_at: int | None = None) -> subprocess.Popen[str]:
        """The same in a process of its own, which can be killed, or dies by itself."""
        kept = {one: text for one, text in os.environ.items() if not one.startswith("BATCHPUB_")}
        program = ["-m", "pipeline"]
        if kill_at is not None:
            program = [str(Path(__file__).with_name("smartemailing_killed.py")), str(kill_at)]
        return subprocess.Popen(
            [
                *(sys.executable, *program, "deliver", "smartemailing", "push"),
                *("--recommendations", "r.jsonl", "--contacts", "c.csv", "--json"),
                *("--field", "recommendations", "--state-dir", "state"),
                *("--smartemailing-url", self.url, "--rejects", "rejects.csv"),
                *("--smartemailing-user", self.ready.smartemailing_user),
            ],
            cwd=self.folder,
            env=kept | {"BATCHPUB_SMARTEMAILING_KEY": self.ready.smartemailing_key},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_fault(self, kind: str) -> None:
        """Until a call met this fault."""
        until = time.monotonic() + 60
        while not any(one["fault"] == kind for one in self.get("requests")["requests"]):
            assert time.monotonic() < until, f"nothing met {kind}"
            time.sleep(0.02)

    def held(self) -> dict[str, Any]:
        """The account's contacts by address."""
        found: dict[str, Any] = self.get("smartemailing")["contacts"]
        return found

    def imports(self) -> list[dict[str, Any]]:
        """The imports that took effect."""
        found = self.get("requests")["requests"]
        return [one for one in found if one["stored"] and one["path"].endswith("/import")]

    def forget(self) -> None:
        """Empty the field of every contact and the request log."""
        held = self.held()
        for where in ("smartemailing", "requests"):
            request = urllib.request.Request(
                f"{self.ready.base_url}/_sandbox/{where}", method="DELETE"
            )
            urllib.request.urlopen(request).close()
        self.post("smartemailing", {"customfields": FIELDS})
        self.post("smartemailing", {"contacts": [{"emailaddress": one} for one in held]})

    def check_that_all_arrived(self) -> None:
        """Each contact with a sound address has its own value, and nobody else is there."""
        expected = {f"a{n}@example.com": n for n in range(self.users) if n not in self.bad}
        held = self.held()
        assert expected.keys() == held.keys()
        for address, number in expected.items():
            value = json.loads(held[address]["customfields"]["2"])
            assert f"p{number}" == value["m"][0]["id"]


@contextmanager
def shop(folder: Path, users: int, *, bad: Sequence[int] = ()) -> Iterator[Shop]:
    """An account whose contacts all exist, except those with an address of no use."""
    with running(SandboxSettings()) as ready:
        made = Shop(ready, folder, users, frozenset(bad))
        made.post(
            "smartemailing",
            {
                "customfields": FIELDS,
                "contacts": [
                    {
                        "emailaddress": made.address(number),
                        "customfields": [{"id": 1, "value": f"u{number}"}],
                    }
                    for number in range(users)
                    if number not in bad
                ],
            },
        )
        made.write()
        yield made
