"""What every test has: a state directory of its own, so that none meets another's uploads.

Hypothesis runs without deadlines: a busy machine is no failure.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator

import hypothesis
import pytest
from command_line import Ended, Run

hypothesis.settings.register_profile("batchpub", deadline=None)
hypothesis.settings.load_profile("batchpub")


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.getbasetemp() / f"state-{secrets.token_hex(8)}"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))


@pytest.fixture
def batchpub(capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """The command line without a process of its own; keywords are its environment."""
    from pipeline.cli.app import run

    root, raising = logging.getLogger(), logging.raiseExceptions
    handlers, level = root.handlers[:], root.level

    def called(*arguments: object, **environment: str) -> Ended:
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("BATCHPUB_")]:
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            code = run([str(one) for one in arguments])
        told = capfd.readouterr()
        return Ended(code, told.out, told.err)

    yield called
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)
