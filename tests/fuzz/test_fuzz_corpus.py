"""Every input that is kept of the fuzzer's holds its promises."""

from __future__ import annotations

import pytest
from fuzz_targets import CORPUS, TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_kept_inputs_break_no_promise(target: str) -> None:
    paths = sorted((CORPUS / target).iterdir())
    assert paths
    for path in paths:
        TARGETS[target](path.read_bytes())
