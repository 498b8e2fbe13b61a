"""Every fault in every phase, through the whole of `upload`: what the server holds afterwards is
the old or the new list entire, and the error, the ledger and the next run all tell the truth."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from transfer_servers import Peer, Script, Server, content_length, serving, store_and_answer

from pipeline import flows
from pipeline.errors import (
    BatchpubError,
    RemoteError,
    TryLaterError,
    UncertainError,
)
from pipeline.guards.uploads import Baselines, baselines
from pipeline.ledger.ledger import Ledger
from pipeline.records import UploadRun, UploadSummary
from pipeline.settings import Secret, UploadSettings

ANSWER = b'HTTP/1.1 201 Created\r\nContent-Length: 11\r\n\r\n{"ok":true}'
# Much more than the buffers on the way hold, so that a phase in the body is one for the client too.
PADDING = b"".join(b'{"auth_user_id":"p%07d"}\n' % number for number in range(600_000))


@dataclass
class Stage:
    """A server that holds the last confirmed list, and the ledger that remembers it."""

    folder: Path
    server: Server
    large: bool
    now: list[Script] = field(default_factory=lambda: [store_and_answer()])
    lists: int = 0

    def write(self) -> Path:
        """A list of its own."""
        self.lists += 1
        path = self.folder / f"list{self.lists}.jsonl"
        path.write_bytes(
            b'{"auth_user_id":"u1"}\n{"auth_user_id":"n%d"}\n' % self.lists
            + (PADDING if self.large else b"")
        )
        return path

    def upload(
        self, path: Path, script: Script, **changes: object
    ) -> UploadSummary | BatchpubError:
        self.now[0] = script
        values: dict[str, object] = {
            "tracker_id": "1-2",
            "base_url": self.server.url,
            "max_attempts": 1,
            "min_overlap": "0%",
            "min_users": 1,
            "retry_wait": 0.001,
            "deadline": 15.0,
        }
        settings = UploadSettings(**(values | changes))  # type: ignore[arg-type]
        try:
            return flows.upload(path, Secret("k3y"), settings, state_dir=self.folder / "state")
        except BatchpubError as error:
            return error

    def memory(self) -> tuple[Baselines, UploadRun]:
        with (
            Ledger(self.folder / "state") as ledger,
            ledger.hold("1-2", self.server.url) as tracker,
        ):
            (run,) = ledger.history(None, limit=1)
            return baselines(tracker.sent(), now=datetime.now(UTC)), run

    def suffer(self, script: Script, *, recover: bool = True, **changes: object) -> str:
        """Upload through a fault, check what is claimed, upload again; gives what came out."""
        before, path = self.server.stored, self.write()
        new = path.read_bytes()
        outcome = self.upload(path, script, **changes)
        self.check(outcome, before, new)
        if not recover:
            return type(outcome).__name__
        again = self.upload(path, store_and_answer())
        assert isinstance(again, UploadSummary), again
        memory, _ = self.memory()
        assert memory.last is not None
        assert (new, sha(new), ()) == (self.server.stored, memory.last.sha256, memory.unsure)
        return type(outcome).__name__

    def check(self, outcome: UploadSummary | BatchpubError, before: bytes, new: bytes) -> None:
        stored = self.server.stored
        memory, run = self.memory()
        assert stored in (before, new)
        assert sha(stored) in {one.sha256 for one in memory.possible}
        if isinstance(outcome, UploadSummary):
            assert (new, "confirmed") == (stored, run.outcome)
        elif isinstance(outcome, UncertainError):
            assert "uncertain" == run.outcome
            assert "old one or this one" in str(outcome)
        else:
            assert isinstance(outcome, TryLaterError | RemoteError), outcome
            doubtful = "may have stored it" in str(outcome)
            assert ("uncertain" if doubtful else "failed") == run.outcome
            assert doubtful or before == stored
            assert not (doubtful and "nothing was changed" in str(outcome))


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def stage(folder: Path, *, large: bool = False) -> Iterator[Stage]:
    """A first list is stored and confirmed."""
    now: list[Script] = [store_and_answer()]

    def serve(peer: Peer) -> None:
        now[0](peer)

    with serving(serve) as server:
        here = Stage(folder, server, large, now)
        assert isinstance(here.upload(here.write(), now[0]), UploadSummary)
        yield here


# -- how it goes wrong --


def closes(peer: Peer) -> None:
    """The script ends, and with it the connection."""


def resets(peer: Peer) -> None:
    peer.reset()


def talks_nonsense(peer: Peer) -> None:
    peer.send(b"220 ready\r\n\r\n")


def answers(status: int, *, body: bytes = b"<html><h1>Sorry</h1></html>") -> Script:
    def script(peer: Peer) -> None:
        peer.answer(status, body, Location="https://elsewhere.example/")
        peer.wait_for_end()

    return script


FAULTS: dict[str, Script] = {
    "closes": closes,
    "resets": resets,
    "nonsense": talks_nonsense,
    **{str(status): answers(status) for status in (302, 401, 413, 429, 500, 502, 503)},
}


# Of a server that stored the list.
LIES = ("302", "401", "413", "429")


def after(count: int, fault: Script) -> Script:
    """Take in so many bytes of the request, then the fault; nothing is stored."""

    def script(peer: Peer) -> None:
        peer.read(count)
        fault(peer)

    return script


def request_bytes(here: Stage) -> int:
    """How long a request is, head and body."""
    length = []

    def script(peer: Peer) -> None:
        head = peer.read_head()
        length.append(len(head) + content_length(head))
        body = peer.read_body(head)
        peer.server.store(head, body)
        peer.answer(201)

    assert isinstance(here.upload(here.write(), script), UploadSummary)
    return length[0]


def run_through(here: Stage, name: str, stride: int) -> set[str]:
    total = request_bytes(here)
    return {
        here.suffer(after(count, FAULTS[name]), recover=count % 8 == 0 or stride > 1)
        for count in range(0, total - 1, stride)
    }  # the last byte is not read, so no server could have stored the list


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_some_bytes_of_a_small_request_is_told_truly(name: str, tmp_path: Path) -> None:
    with stage(tmp_path) as here:
        found = run_through(here, name, stride=151)

    assert found <= {"UncertainError", "TryLaterError", "RemoteError"}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_every_byte_of_a_small_request_is_told_truly(name: str, tmp_path: Path) -> None:
    with stage(tmp_path) as here:
        found = run_through(here, name, stride=1)

    assert found <= {"UncertainError", "TryLaterError", "RemoteError"}


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("name", ["closes", "resets", "nonsense", "401", "500", "502"])
def test_a_fault_in_a_body_that_is_still_being_sent_leaves_no_doubt(
    name: str, share: float, tmp_path: Path
) -> None:
    def script(peer: Peer) -> None:
        peer.read(int(len(PADDING) * share))
        if name.isdigit():
            peer.answer(int(name), b"no")
            peer.server.release.wait(0.1)  # what is read no further cannot be sent whole
        else:
            FAULTS[name](peer)

    with stage(tmp_path, large=True) as here:
        before = here.server.stored
        outcome = here.upload(here.write(), script)
        memory, run = here.memory()

        expected = RemoteError if name == "401" else TryLaterError
        assert (before, "failed", expected) == (here.server.stored, run.outcome, type(outcome))
        assert [sha(before)] == [one.sha256 for one in memory.possible]


def test_a_success_that_comes_too_early_is_not_believed_by_the_ledger(tmp_path: Path) -> None:
    with stage(tmp_path, large=True) as here:
        assert "RemoteError" == here.suffer(after(1000, answers(201)))


@pytest.mark.parametrize(
    ("name", "stored"),
    [*((name, False) for name in FAULTS), *((name, True) for name in FAULTS if name not in LIES)],
)
def test_a_fault_after_the_whole_request_is_told_truly(
    name: str, stored: bool, tmp_path: Path
) -> None:
    """A server that stores and then says no (3xx, 4xx) lies; from that nobody can be saved."""

    def script(peer: Peer) -> None:
        head = peer.read_head()
        body = peer.read_body(head)
        if stored:
            peer.server.store(head, body)
        FAULTS[name](peer)

    expected = {
        "closes": "UncertainError",
        "resets": "UncertainError",
        "nonsense": "UncertainError",
        "502": "UncertainError",
        "302": "RemoteError",
        "401": "RemoteError",
        "413": "RemoteError",
    }
    with stage(tmp_path) as here:
        assert expected.get(name, "TryLaterError") == here.suffer(script)


@pytest.mark.parametrize("how", [closes, resets])
@pytest.mark.parametrize(
    "stride", [11, pytest.param(1, marks=(pytest.mark.slow, pytest.mark.timeout(600)))]
)
def test_an_answer_cut_at_any_byte_is_success_or_uncertain(
    how: Callable[[Peer], None], stride: int, tmp_path: Path
) -> None:
    found = {}
    with stage(tmp_path) as here:
        for count in range(0, len(ANSWER), stride):

            def script(peer: Peer, count: int = count) -> None:
                peer.store_request()
                peer.send(ANSWER[:count])
                how(peer)

            found[count] = here.suffer(script)

    assert {"UploadSummary", "UncertainError"} >= set(found.values())
    assert "UncertainError" == found[0]


@pytest.mark.parametrize("count", [0, 200, 500], ids=["at once", "in the head", "in the body"])
def test_a_standstill_after_all_was_sent_is_uncertain(count: int, tmp_path: Path) -> None:
    def still(peer: Peer) -> None:
        peer.wait_for_end()

    with stage(tmp_path) as here:
        assert "UncertainError" == here.suffer(after(count, still), deadline=0.3)


def test_a_standstill_in_a_body_that_is_still_being_sent_changes_nothing(tmp_path: Path) -> None:
    def reads_no_more(peer: Peer) -> None:
        peer.read(500)
        peer.server.release.wait(20)

    with stage(tmp_path, large=True) as here:
        assert "TryLaterError" == here.suffer(reads_no_more, recover=False, deadline=0.5)
        assert "failed" == here.memory()[1].outcome


def test_a_service_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    with stage(tmp_path) as here:
        stored = here.server.stored
    outcome = here.upload(here.write(), closes)
    memory, run = here.memory()

    assert isinstance(outcome, TryLaterError)
    assert "nothing was changed" in str(outcome)
    assert "failed" == run.outcome
    assert [sha(stored)] == [one.sha256 for one in memory.possible]


@pytest.mark.parametrize("later", ["401", "closes at once"])
def test_what_an_earlier_attempt_may_have_stored_is_not_forgotten(
    later: str, tmp_path: Path
) -> None:
    """503 after it stored the list, then an attempt that surely changes nothing."""

    def stores_and_fails(peer: Peer) -> None:
        peer.store_request()
        peer.answer(503)
        here.now[0] = answers(401) if later == "401" else refuse_connection

    def refuse_connection(peer: Peer) -> None:
        peer.read_body(peer.read_head())
        peer.answer(429)

    with stage(tmp_path) as here:
        expected = "RemoteError" if later == "401" else "TryLaterError"
        assert expected == here.suffer(stores_and_fails, recover=False, max_attempts=2)
        _, run = here.memory()
        assert ("uncertain", 2) == (run.outcome, run.attempts)


@pytest.mark.parametrize("large", [False, True], ids=["all was sent", "in the body"])
def test_ctrl_c_is_uncertain_only_when_all_was_sent(large: bool, tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        if large:
            peer.read(1000)
        else:
            peer.store_request()
        os.kill(os.getpid(), signal.SIGINT)
        peer.server.release.wait(20)

    with stage(tmp_path, large=large) as here:
        before, path = here.server.stored, here.write()
        with pytest.raises(KeyboardInterrupt):
            here.upload(path, script)
        memory, run = here.memory()

        assert ("failed" if large else "uncertain") == run.outcome
        assert (before if large else path.read_bytes()) == here.server.stored
        assert sha(here.server.stored) in {one.sha256 for one in memory.possible}
