"""docs/errors.md has a section for every exit code, and quotes messages as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from upload_nights import night

from pipeline import errors
from pipeline.cli.failure import failure
from pipeline.errors import BatchpubError, ConfigurationError
from pipeline.settings import UploadSettings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "errors.md").read_text()
USERS = [f"u{number}" for number in range(100)]


def sections() -> dict[int, str]:
    """Text by exit code."""
    found = {}
    for title, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL):
        for number in re.findall(r"\d+", title.partition(":")[0]):
            found[int(number)] = text
    return found


def test_every_exit_code_has_a_section() -> None:
    classes = [getattr(errors, name) for name in errors.__all__]
    codes = {0, failure(KeyboardInterrupt()).exit_code, *(one.exit_code for one in classes)}

    assert {*range(9), 130, 143} == codes == set(sections())


def test_the_readme_s_table_has_the_same_codes() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| ([\d, ]+) \|", readme, re.MULTILINE)

    assert set(sections()) == {int(one) for row in rows for one in row.split(",")}


def test_every_confirmation_has_a_row() -> None:
    with pytest.raises(ConfigurationError) as caught:
        UploadSettings(tracker_id="1-2", confirm=("all",))
    words = re.findall(r"[a-z]+:[A-Z:]+", caught.value.remedy or "")

    assert 6 == len(words)
    assert words == re.findall(r"^\| `([a-z]+:[A-Z:]+)` \|", sections()[4], re.MULTILINE)


def plain(text: str) -> str:
    """Without what differs from run to run: figures, the address, what a server said."""
    text = re.sub(r"https?://\S+/users(?=:)", "ADDRESS", " ".join(text.split()))
    text = re.sub(r"\S+\.jsonl(?=:)", "LIST", text)
    text = re.sub(r'; it said ".*?"}"', "", text)
    return re.sub(r"\d[\d,.]*", "N", text)


def test_the_messages_it_quotes_are_those_of_the_program(tmp_path: Path) -> None:
    with night(tmp_path) as stage:
        stage.upload(stage.write(USERS), min_users=1)
        told: list[object] = [stage.upload(stage.write(USERS[:70]))]
        path = stage.write([*USERS, "new"])
        stage.plan({"kind": "clock", "clock_offset_s": 14})
        told.append(stage.upload(path))
        large = stage.write(f"u{number:012}" for number in range(500_000))
        stage.plan({"kind": "stall", "seconds": 60})
        told.append(
            stage.upload(
                *(large,), deadline=3, min_overlap="0", confirm=("grow:100:500000",)
            )
        )  # fmt: skip
    quoted = re.findall(r"^```text\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    lines = []
    for one in told:
        assert isinstance(one, BatchpubError)
        lines.append(plain(failure(one).line))

    assert lines == [plain(one) for one in quoted]
