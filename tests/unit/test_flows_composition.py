"""What the flows themselves decide: next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.flows import _without_credentials


def test_importing_the_flows_imports_no_room() -> None:
    code = (
        "import sys, pipeline.flows; ours = [m for m in sys.modules if 'pipeline.' in m];"
        "print(sorted({m.split('.')[1] for m in ours}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    expected = ["errors", "flows", "limits", "records", "settings"]
    assert str(expected) == done.stdout.strip()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://export.example/a/feed.xml", "https://export.example/a/feed.xml"),
        ("https://u:p@export.example:8443/f.xml", "https://export.example:8443/f.xml"),
        ("https://export.example/f.xml?token=t#x", "https://export.example/f.xml"),
        ("http://[broken", "the export's URL"),
    ],
)
def test_the_name_of_a_download_holds_no_credentials(url: str, shown: str) -> None:
    assert shown == _without_credentials(url)
