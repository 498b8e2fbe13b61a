"""What an upload leaves behind anywhere, scanned for the key, the signature and the user ids."""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Run
from transfer_servers import Peer, Script, header, refuse, serving, store_and_answer

from pipeline import flows
from pipeline.errors import BatchpubError
from pipeline.settings import Secret, UploadSettings

KEY = "k3y-that-nobody-may-see"
PERSON = "zq7.person@mail.example"
ECHO = (
    f'{{"auth_user_id":"{PERSON}","authorization":"ApiAuth 1-2:{KEY}","e":"to {PERSON}"}}'
).encode()


def nonsense(peer: Peer) -> None:
    peer.store_request()
    peer.send(ECHO)


def cut(peer: Peer) -> None:
    peer.read_head()
    peer.reset()


def lost(peer: Peer) -> None:
    peer.store_request()


def moved(peer: Peer) -> None:
    peer.read_body(peer.read_head())
    peer.answer(307, ECHO, Location=f"https://elsewhere.example/?user={PERSON}&key={KEY}")


SCRIPTS: dict[str, Script] = {
    "stored": store_and_answer(201, ECHO),
    "400": refuse(400, ECHO),
    "401": refuse(401, ECHO, Date="Thu, 29 Jun 2017 12:11:16 GMT"),
    "503": refuse(503, b"<html><title>x</title>" + ECHO, Retry_After=PERSON),
    "nonsense": nonsense,
    "cut": cut,
    "lost": lost,
    "moved": moved,
}


@pytest.fixture
def list_path(tmp_path: Path) -> Path:
    path = tmp_path / "users.jsonl"
    path.write_text(f'{{"auth_user_id":"{PERSON}"}}\n{{"auth_user_id":"{PERSON}2"}}\n')
    return path


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The command line sets up logging for its whole process."""
    root, raising = logging.getLogger(), logging.raiseExceptions
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)


def found(texts: list[str], heads: list[bytes]) -> list[str]:
    digests = {header(head, "authorization").partition(":")[2] for head in heads}
    return [word for word in (KEY, PERSON, *digests) if any(word in text for text in texts)]


@pytest.mark.parametrize(
    ("name", "place"),
    [*((name, "environment") for name in SCRIPTS), ("401", "file"), ("401", "command")],
)
def test_the_command_line_shows_no_secret(
    name: str,
    place: str,
    list_path: Path,
    batchpub: Run,
) -> None:
    folder = list_path.parent
    key_file = folder / "key"
    key_file.touch(0o600)
    key_file.write_text(KEY)
    variable, value = {
        "environment": ("BATCHPUB_PRIVATE_KEY", KEY),
        "file": ("BATCHPUB_PRIVATE_KEY_FILE", str(key_file)),
        "command": ("BATCHPUB_PRIVATE_KEY_COMMAND", f"cat {key_file}"),
    }[place]
    said = []
    with serving(SCRIPTS[name]) as server:
        for form in ("text", "json"):
            options = ["--log-format", form, *(["--json"] if form == "json" else [])]
            common = ["--state-dir", str(folder / "state"), "-v", *options]
            upload = ["upload", str(list_path), "--tracker-id", "1-2", "--base-url", server.url]
            more = ["--min-users", "1", "--max-attempts", "2", "--retry-wait", "1ms"]
            said.append(batchpub(*upload, *more, *common, **{variable: value}))
            said.append(batchpub("history", *common))
    ledger = [one.read_bytes().decode("latin-1") for one in (folder / "state").glob("ledger*")]

    assert json.loads(said[2].out)
    assert server.heads
    told = [text for one in said for text in (one.out, one.err)]
    assert [] == found([*told, *ledger], server.heads)


def values_of_our_frames(error: BaseException | None) -> list[str]:
    """What a tool that reports tracebacks with local values would send away."""
    texts = []
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if f"{os.sep}pipeline{os.sep}" in frame.f_code.co_filename:
                texts += [repr(value) for value in frame.f_locals.values()]
        error = error.__cause__ or error.__context__
    assert texts
    return texts


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_error_shows_a_secret_even_with_the_values_of_its_frames(
    name: str, list_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    with serving(SCRIPTS[name]) as server:
        settings = UploadSettings(
            tracker_id="1-2", base_url=server.url, min_users=1, max_attempts=2, retry_wait=0.001
        )
        try:
            done = flows.upload(list_path, Secret(KEY), settings, state_dir=list_path.parent / "s")
            texts.append(repr(done))
        except BatchpubError as error:
            texts += [repr(error), str(error.as_dict())]
            texts += values_of_our_frames(error)
    texts += [caplog.text, repr(settings)]

    assert server.heads
    assert [] == found(texts, server.heads)
