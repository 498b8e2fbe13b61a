"""What the flows themselves decide: next to nothing."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_flows_imports_no_room() -> None:
    code = (
        "import sys, pipeline.flows; ours = [m for m in sys.modules if 'pipeline.' in m];"
        "print(sorted({m.split('.')[1] for m in ours}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    expected = ["errors", "flows", "limits", "records", "settings"]
    assert str(expected) == done.stdout.strip()
