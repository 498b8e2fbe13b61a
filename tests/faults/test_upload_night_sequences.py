"""Nights of faulty extracts, faulty service, kills and reruns: the good list survives them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from upload_nights import Night, ids_of, night, sha

from pipeline.errors import GuardError
from pipeline.records import UploadSummary

FAULTS: list[dict[str, Any]] = [
    {"kind": "lost"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "commit": True},
    {"kind": "status", "status": 401},
    {"kind": "reset", "at_byte": 300},
    {"kind": "html", "commit": True},
    {"kind": "redirect"},
]


class Shop:
    """A shop whose audience changes a little each night, and the accidents of its extracts."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._next = 400
        self.users = [f"u{number}" for number in range(400)]

    def good(self) -> list[str]:
        leaving = set(
            self._draw.sample(self.users, len(self.users) * self._draw.randint(0, 6) // 100)
        )
        self.users = [one for one in self.users if one not in leaving]
        for _ in range(self._draw.randint(0, 25)):
            self.users.append(f"u{self._next}")
            self._next += 1
        return self.users

    def empty(self) -> list[str]:
        return []

    def halved(self) -> list[str]:
        return self.users[: len(self.users) // 2]

    def doubled_half(self) -> list[str]:
        return self.halved() * 2

    def foreign(self) -> list[str]:
        return [f"shop2-{number}" for number in range(len(self.users))]

    def mostly_foreign(self) -> list[str]:
        return self.users[:40] + self.foreign()[40:]

    def huge(self) -> list[str]:
        return [f"{one}-{copy}" for one in self.users for copy in range(4)]


def allowed(words: list[str], old: bytes | None, new: bytes) -> bool:
    """Whether replacing `old` by `new` is no accident, or somebody named today's figures."""
    kinds = {word.partition(":")[0]: word.split(":")[1:] for word in words}
    after = ids_of(new)
    named = {str(len(after)), str(len(set(after)))}
    if old is None:
        return "first" in kinds and kinds["first"][0] in named
    before, users = set(ids_of(old)), set(after)
    if not users:
        return "empty" in kinds
    # What is confirmed is relative to what is known; the oracle only asks that it was said today.
    if len(users) < 0.8 * len(before) and not ("shrink" in kinds and kinds["shrink"][1] in named):
        return False
    if len(users) > 3 * len(before) > 0 and not ("grow" in kinds and kinds["grow"][1] in named):
        return False
    overlap = len(before & users) / max(min(len(before), len(users)), 1)
    return not before or overlap >= 0.5 or "overlap" in kinds


def play(folder: Path, seed: int, nights: int) -> dict[str, int]:
    """Run so many nights; gives how often each thing happened."""
    draw = random.Random(seed)
    shop = Shop(draw)
    happened: dict[str, int] = {}
    old_words: list[str] = []
    with night(folder) as stage:
        path = stage.write(shop.good())
        assert isinstance(stage.upload(path, confirm=(f"first:{len(shop.users)}",)), UploadSummary)
        for _ in range(nights):
            accidents: list[Callable[[], list[str]]] = [
                *[shop.good] * 5,
                *(shop.empty, shop.halved, shop.doubled_half, shop.foreign),
                *(shop.mostly_foreign, shop.huge),
            ]
            if draw.random() < 0.75:
                path = stage.write(draw.choice(accidents)(), minutes=draw.choice([1, 1, 1, 1, -5]))
            stage.plan(*([draw.choice(FAULTS)] if draw.random() < 0.5 else []))
            words = draw.sample(old_words, min(2, len(old_words))) if draw.random() < 0.3 else []
            step(stage, path, words, draw, happened, old_words)
        stage.plan()
        finish(stage, shop)
    return happened


def step(
    stage: Night,
    path: Path,
    words: list[str],
    draw: random.Random,
    happened: dict[str, int],
    old_words: list[str],
) -> None:
    """One upload, killed or not; an operator sometimes confirms what was refused."""
    for _ in range(4):
        before = stage.stored()
        if draw.random() < 0.15:
            answer = stage.upload_apart(
                path, kill_at=draw.randint(1, 800), confirm=words, min_overlap="50%"
            )
            what = "killed" if "signal" in answer else f"exit {answer['code']}"
            refused = None
        else:
            outcome = stage.upload(path, confirm=tuple(words))
            what = outcome.outcome if isinstance(outcome, UploadSummary) else type(outcome).__name__
            refused = outcome if isinstance(outcome, GuardError) else None
        happened[what] = happened.get(what, 0) + 1
        after = stage.stored()
        stage.check_that_memory_covers_the_remote_list()
        if after != before:
            assert after == path.read_bytes()
            kept = [run.confirmed_by for run in stage.memory().possible if run.sha256 == sha(after)]
            said = [*words, *(word for one in kept for word in one)]
            assert allowed(said, before, after), (what, said, len(ids_of(before or b"")))
        if refused is None:
            return
        needed = re.findall(r"--confirm (\S+)", str(refused))
        old_words += needed
        if draw.random() > 0.3:
            return
        words = words + needed


def finish(stage: Night, shop: Shop) -> None:
    """When all is well again, a good list and its confirmations lead to a certain state."""
    path, words = stage.write(shop.good(), minutes=60), list[str]()
    for _ in range(4):
        outcome = stage.upload(path, confirm=tuple(words))
        if isinstance(outcome, UploadSummary):
            break
        assert isinstance(outcome, GuardError), outcome
        words += re.findall(r"--confirm (\S+)", str(outcome))
    assert path.read_bytes() == stage.stored()
    assert stage.memory().last is not None
    assert () == stage.memory().unsure


def test_no_faulty_night_replaces_a_good_list_unconfirmed(tmp_path: Path) -> None:
    happened = play(tmp_path, seed=1, nights=15)

    assert {"uploaded", "GuardError"} <= set(happened)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 104))
def test_no_sequence_of_many_nights_replaces_a_good_list_unconfirmed(
    tmp_path: Path, seed: int
) -> None:
    happened = play(tmp_path, seed, nights=100)

    assert {"uploaded", "killed", "GuardError", "UncertainError"} <= set(happened)
