"""What every test has: a state directory of its own, so that none meets another's uploads.

Hypothesis runs without deadlines: a busy machine is no failure.
"""

from __future__ import annotations

import secrets

import hypothesis
import pytest

hypothesis.settings.register_profile("batchpub", deadline=None)
hypothesis.settings.load_profile("batchpub")


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.getbasetemp() / f"state-{secrets.token_hex(8)}"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
