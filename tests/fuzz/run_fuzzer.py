"""Run atheris on one target: python tests/fuzz/run_fuzzer.py TARGET SECONDS.

`make fuzz` runs them all, one after the other.

New inputs that reach new code go to ``fuzz-data``; an input that breaks a promise becomes a file
of the corpus, which the test suite replays from then on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import atheris

# The code is instrumented as it is imported.
with atheris.instrument_imports(include=["pipeline", "fuzz_targets"]):
    from fuzz_targets import CORPUS, TARGETS

_MAX_INPUT: Final = 4096


def main() -> None:
    """Fuzz for so many seconds; a broken promise ends the process with another code than 0."""
    target, seconds = sys.argv[1], int(sys.argv[2])
    if seconds < 1:
        raise SystemExit("seconds must be 1 or more: 0 would never end")
    found = Path("fuzz-data") / target
    found.mkdir(parents=True, exist_ok=True)
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={seconds}",
            f"-max_len={_MAX_INPUT}",
            "-timeout=10",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
            f"-artifact_prefix={CORPUS / target}/",
            f"-dict={CORPUS.parent / target}.dict",
            str(found),
            str(CORPUS / target),
        ],
        TARGETS[target],
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
