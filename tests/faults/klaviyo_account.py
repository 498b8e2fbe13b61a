"""A Klaviyo account in the sandbox, and runs against it that can be killed at any line."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline import flows
from pipeline.records import KlaviyoPullSummary, KlaviyoPushSummary, SandboxReady
from pipeline.sandbox.server import running
from pipeline.settings import (
    ExportSettings,
    KlaviyoPullSettings,
    KlaviyoPushSettings,
    SandboxSettings,
    Secret,
)

NURSERY: Final = Path(__file__).with_name("klaviyo_nursery.py")
# Windows so wide that a test never waits for them.
WIDE: Final = {"reads": [[100_000, 1], [1_000_000, 60]], "jobs": [[100_000, 1], [1_000_000, 60]]}


@dataclass
class Account:
    folder: Path
    ready: SandboxReady
    nursery: subprocess.Popen[str] | None = None

    def ask(self, path: str, value: object = None, *, method: str | None = None) -> Any:
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(self.ready.base_url + path, data=data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())

    def seed(self, value: object) -> None:
        self.ask("/_sandbox/klaviyo/profiles", value)

    def behave(self, **behaviour: Any) -> None:
        self.ask("/_sandbox/klaviyo/behaviour", behaviour)

    def plan(self, *faults: dict[str, Any]) -> None:
        self.ask("/_sandbox/faults", method="DELETE")
        self.ask("/_sandbox/faults", [{"on": "klaviyo"} | one for one in faults])

    def forget_requests(self) -> None:
        self.ask("/_sandbox/requests", method="DELETE")

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("/_sandbox/requests")["requests"]
        return found

    def held(self) -> dict[str, Any]:
        """Attributes by external id, else e-mail address."""
        profiles = self.ask("/_sandbox/klaviyo/profiles")["profiles"]
        named = [one["attributes"] for one in profiles]
        return {str(one.get("external_id") or one.get("email")): one for one in named}

    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("/_sandbox/klaviyo/profiles")["jobs"]
        return found

    @property
    def output(self) -> Path:
        return self.folder / "r.jsonl"

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {"klaviyo_url": self.ready.base_url, "retry_wait": 0.01} | changes

    def pull(
        self, *outputs: Path, export: ExportSettings | None = None, **changes: Any
    ) -> KlaviyoPullSummary:
        return flows.deliver_klaviyo_pull(
            outputs or (self.output,),
            Secret(self.ready.klaviyo_key),
            KlaviyoPullSettings(**self.settings(**changes)),
            export or ExportSettings(),
        )

    def push(self, path: Path, **changes: Any) -> KlaviyoPushSummary:
        return flows.deliver_klaviyo_push(
            path,
            Secret(self.ready.klaviyo_key),
            KlaviyoPushSettings(**self.settings(poll_wait=0.01, **changes)),
            state_dir=self.folder / "state",
        )

    def apart(self, flow: str, path: Path, *, kill_at: int | None = None, **changes: Any) -> Any:
        """Run a flow in a process of its own: its answer, or {"signal": 9}."""
        if self.nursery is None:
            self.nursery = subprocess.Popen(
                [sys.executable, NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        order = {
            "flow": flow,
            "path": str(path),
            "key": self.ready.klaviyo_key,
            "settings": self.settings(**changes),
            "state_dir": str(self.folder / "state"),
            "kill_at": kill_at,
        }
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.nursery.stdin.write(json.dumps(order) + "\n")
        self.nursery.stdin.flush()
        return json.loads(self.nursery.stdout.readline())

    def users(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_bytes().splitlines()]


@contextmanager
def account(folder: Path, **settings: Any) -> Iterator[Account]:
    with running(SandboxSettings(**settings)) as ready:
        opened = Account(folder, ready)
        try:
            yield opened
        finally:
            if opened.nursery is not None:
                opened.nursery.kill()
                opened.nursery.wait()
                for pipe in (opened.nursery.stdin, opened.nursery.stdout):
                    assert pipe is not None
                    pipe.close()


def user(user_id: str, *kinds: str, items: int = 2, title: str = "Mug") -> dict[str, Any]:
    """A user as `parse` writes it."""
    return {
        "auth_user_id": user_id,
        "updated_at": None,
        "recommendations": [
            {
                "recommendation_type": kind,
                "results": [
                    {
                        "id": f"sku-{number}",
                        "url": f"https://shop.example/{number}?recommendation_id={user_id}",
                        "title": title,
                        "image_link": f"https://shop.example/{number}.jpg",
                    }
                    for number in range(items)
                ],
            }
            for kind in kinds or ("mail-1",)
        ],
    }


def write_users(path: Path, users: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in users), encoding="utf-8")
    return path
