"""A tracker, its ledger and a client that can be killed: the stage of the upload tests."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline import flows
from pipeline.errors import BatchpubError
from pipeline.guards.uploads import Baselines, baselines
from pipeline.ledger.ledger import Ledger
from pipeline.records import SandboxReady, UploadSummary
from pipeline.sandbox.server import running
from pipeline.settings import SandboxSettings, Secret, UploadSettings
from pipeline.userlist.receipt import encode_receipt, make_receipt, receipt_path

NURSERY = Path(__file__).with_name("upload_nursery.py")


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def ids_of(content: bytes) -> list[str]:
    return [json.loads(line)["auth_user_id"] for line in content.splitlines()]


@dataclass
class Night:
    """One tracker at a sandbox, one state directory, lists made one minute after the other."""

    folder: Path
    ready: SandboxReady
    nursery: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        self.state = self.folder / "state"
        self.made_at = datetime.now(UTC) - timedelta(hours=20)
        self.lists = 0

    def write(self, ids: Iterable[str], *, minutes: float = 1) -> Path:
        """A list with its receipt, made so many minutes after the one before."""
        self.lists += 1
        self.made_at += timedelta(minutes=minutes)
        path = self.folder / f"list{self.lists}.jsonl"
        path.write_text("".join(f'{{"auth_user_id":"{one}"}}\n' for one in ids))
        receipt = replace(make_receipt(path), created_at=self.made_at.isoformat())
        receipt_path(path).write_bytes(encode_receipt(receipt))
        return path

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {
            "tracker_id": self.ready.tracker_id,
            "base_url": self.ready.base_url,
            "max_attempts": 1,
        } | changes

    def upload(self, path: Path, **changes: Any) -> UploadSummary | BatchpubError:
        """Upload here; an error is an answer too."""
        key = Secret(self.ready.private_key)
        try:
            settings = UploadSettings(**self.settings(**changes))
            return flows.upload(path, key, settings, state_dir=self.state)
        except BatchpubError as error:
            return error

    def upload_apart(
        self,
        path: Path,
        *,
        kill_at: int | None = None,
        file_bytes: int | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        """Upload in a process of its own, which may be killed or find its disk full."""
        if self.nursery is None:
            self.nursery = subprocess.Popen(
                [sys.executable, NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        order = {
            "list": str(path),
            "private_key": self.ready.private_key,
            "settings": self.settings(**changes),
            "state_dir": str(self.state),
            "kill_at": kill_at,
            "file_bytes": file_bytes,
        }
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.nursery.stdin.write(json.dumps(order) + "\n")
        self.nursery.stdin.flush()
        answer: dict[str, Any] = json.loads(self.nursery.stdout.readline())
        self._wait_for_the_server()
        return answer

    def stored(self) -> bytes | None:
        """What the remote service holds, None before the first upload."""
        try:
            return self._ask("/_sandbox/list")
        except urllib.error.HTTPError as error:
            error.close()
            return None

    def plan(self, *faults: dict[str, Any]) -> None:
        self._ask("/_sandbox/faults", method="DELETE")
        self._ask("/_sandbox/faults", method="POST", data=json.dumps(faults).encode())

    def memory(self) -> Baselines:
        """What the next run would take the remote list for."""
        with Ledger(self.state) as ledger:
            held = ledger.hold(self.ready.tracker_id, self.ready.base_url)
            with held as tracker:
                return baselines(tracker.sent(), now=datetime.now(UTC))

    def outcomes(self) -> list[str]:
        """Of all runs, oldest first."""
        with Ledger(self.state) as ledger:
            return [run.outcome for run in reversed(ledger.history(None, limit=10_000))]

    def check_that_memory_covers_the_remote_list(self) -> None:
        """The remote list is the last confirmed one, or one the ledger calls uncertain."""
        stored = self.stored()
        possible = {run.sha256 for run in self.memory().possible}
        if stored is not None:
            assert sha(stored) in possible
        if stored is None or self.memory().last is None:
            assert self.memory().last is None
            assert "confirmed" not in self.outcomes()

    def _wait_for_the_server(self) -> None:
        until = time.monotonic() + 20
        while not all(
            one["done"] for one in json.loads(self._ask("/_sandbox/requests"))["requests"]
        ):
            assert time.monotonic() < until, "the server does not end a request"

    def _ask(self, path: str, *, method: str = "GET", data: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.ready.base_url + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            content: bytes = answer.read()
            return content


@contextmanager
def night(folder: Path) -> Iterator[Night]:
    """A sandbox without a list and a client without memory."""
    with running(SandboxSettings()) as ready:
        stage = Night(folder, ready)
        try:
            yield stage
        finally:
            if stage.nursery is not None and stage.nursery.stdin and stage.nursery.stdout:
                stage.nursery.stdin.close()
                stage.nursery.wait(20)
                stage.nursery.stdout.close()
