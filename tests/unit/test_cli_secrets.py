"""Where secrets may come from."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.cli.secrets import PRIVATE_KEY, read_secret, secret_is_set
from pipeline.errors import ConfigurationError
from pipeline.settings import Secret

KEY = "s3cr3t-key"


def read_private_key(environment: Mapping[str, str]) -> Secret:
    return read_secret(environment, PRIVATE_KEY, what="private key")


def key_file(folder: Path, content: bytes = KEY.encode() + b"\n", mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


def test_the_key_is_read_from_the_environment() -> None:
    assert Secret(KEY) == read_private_key({"BATCHPUB_PRIVATE_KEY": KEY})


def test_the_key_is_read_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    path = key_file(tmp_path, KEY.encode() + b"\r\n")

    assert Secret(KEY) == read_private_key({"BATCHPUB_PRIVATE_KEY_FILE": str(path)})


def test_the_key_is_read_from_a_command() -> None:
    command = python(f"print({KEY!r})")

    assert Secret(KEY) == read_private_key({"BATCHPUB_PRIVATE_KEY_COMMAND": command})


def test_an_empty_variable_counts_as_unset() -> None:
    environment = {"BATCHPUB_PRIVATE_KEY": KEY, "BATCHPUB_PRIVATE_KEY_FILE": ""}

    assert Secret(KEY) == read_private_key(environment)


def test_no_key_at_all_names_the_three_places() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_private_key({})

    for name in (
        "BATCHPUB_PRIVATE_KEY",
        "BATCHPUB_PRIVATE_KEY_FILE",
        "BATCHPUB_PRIVATE_KEY_COMMAND",
    ):
        assert name in str(caught.value)


def test_two_places_are_refused_and_named() -> None:
    environment = {"BATCHPUB_PRIVATE_KEY": KEY, "BATCHPUB_PRIVATE_KEY_FILE": "key"}

    with pytest.raises(ConfigurationError, match="2 places") as caught:
        read_private_key(environment)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602], ids=oct)
def test_a_file_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, mode=mode)

    with pytest.raises(ConfigurationError, match="other users"):
        read_private_key({"BATCHPUB_PRIVATE_KEY_FILE": str(path)})


def test_a_pipe_can_stand_in_for_the_file() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, KEY.encode())
    os.close(write_end)
    try:
        found = read_private_key({"BATCHPUB_PRIVATE_KEY_FILE": f"/dev/fd/{read_end}"})
    finally:
        os.close(read_end)

    assert Secret(KEY) == found


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", KEY.encode() + b"\nsecond", KEY.encode() + b"\xff", KEY.encode() * 1_000],
    ids=["empty", "blank", "two lines", "not UTF-8", "far too long"],
)
def test_what_is_not_one_line_of_text_is_refused_and_not_shown(
    tmp_path: Path, content: bytes
) -> None:
    path = key_file(tmp_path, content)

    with pytest.raises(ConfigurationError) as caught:
        read_private_key({"BATCHPUB_PRIVATE_KEY_FILE": str(path)})
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["missing", "."])
def test_an_unreadable_file_is_a_configuration_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_private_key({"BATCHPUB_PRIVATE_KEY_FILE": str(tmp_path / name)})


@pytest.mark.parametrize(
    "command",
    [
        python(f"import sys; print({KEY!r}); sys.exit({KEY!r})"),
        "no-such-command-anywhere",
        "unbalanced 'quote",
        "   ",
    ],
    ids=["fails", "missing", "unbalanced", "blank"],
)
def test_a_failing_command_is_refused_without_its_output(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_private_key({"BATCHPUB_PRIVATE_KEY_COMMAND": command})

    assert KEY not in str(caught.value)
    assert ("", "") == capfd.readouterr()


def test_every_secret_has_the_same_three_places(tmp_path: Path) -> None:
    environment = {"BATCHPUB_X_FILE": str(key_file(tmp_path)), "BATCHPUB_PRIVATE_KEY": "other"}

    assert secret_is_set(environment, "BATCHPUB_X")
    assert not secret_is_set(environment, "BATCHPUB_Y")
    assert Secret(KEY) == read_secret(environment, "BATCHPUB_X", what="token")
    with pytest.raises(ConfigurationError, match="no token"):
        read_secret({"BATCHPUB_X": ""}, "BATCHPUB_X", what="token")
