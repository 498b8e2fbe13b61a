"""Option beats environment beats file beats default; the file is checked whole."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.app import make_app
from pipeline.cli.failure import failure
from pipeline.errors import ConfigurationError
from pipeline.settings import (
    ExportSettings,
    FetchSettings,
    KlaviyoPullSettings,
    KlaviyoPushSettings,
    PrepareSettings,
    SandboxSettings,
    UploadSettings,
)


@pytest.fixture(autouse=True)
def no_batchpub_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own environment must not reach the options."""
    import os

    for name in [name for name in os.environ if name.startswith("BATCHPUB_")]:
        monkeypatch.delenv(name)


def parsed(*arguments: str) -> dict[str, Any]:
    _, bound, _ = make_app().parse_args(list(arguments), exit_on_error=False, print_error=False)
    bound.apply_defaults()
    return dict(bound.arguments)


def write(folder: Path, text: str) -> str:
    path = folder / "batchpub.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def refused(*arguments: str) -> str:
    with pytest.raises(Exception) as caught:
        parsed(*arguments)
    told = failure(caught.value)
    assert 2 == told.exit_code
    assert "\n" not in told.line
    return told.line


UPLOAD = ("upload", "users.jsonl")


def test_each_level_beats_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write(tmp_path, 'tracker_id = "shared"\n[upload]\ntracker_id = "table"\n')

    assert "table" == parsed(*UPLOAD, "--config", config)["settings"].tracker_id
    monkeypatch.setenv("BATCHPUB_TRACKER_ID", "environment")
    assert "environment" == parsed(*UPLOAD, "--config", config)["settings"].tracker_id
    typed = parsed(*UPLOAD, "--config", config, "--tracker-id", "typed")
    assert "typed" == typed["settings"].tracker_id


def test_the_default_stands_where_no_level_speaks() -> None:
    settings = parsed("prepare", "a.csv", "-o", "u.jsonl")["settings"]

    assert PrepareSettings() == settings


def test_the_shared_part_of_the_file_serves_every_command(tmp_path: Path) -> None:
    config = write(tmp_path, 'tracker_id = "1-2"\njson = true\n')

    assert "1-2" == parsed(*UPLOAD, "--config", config)["settings"].tracker_id
    prepared = parsed("prepare", "a.csv", "-o", "u.jsonl", "--config", config)
    assert prepared["common"].json


def test_the_environment_can_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHPUB_CONFIG", write(tmp_path, 'tracker_id = "1-2"\n'))

    assert "1-2" == parsed(*UPLOAD)["settings"].tracker_id


def test_values_of_every_toml_type_arrive(tmp_path: Path) -> None:
    config = write(
        tmp_path,
        "[prepare]\nas-of = 2026-01-31\nmemory = 1_000_000\nmax_bytes = '250MB'\n"
        "suppress = ['a.csv', 'b.csv']\n",
    )
    settings = parsed("prepare", "a.csv", "-o", "u.jsonl", "--config", config)["settings"]

    assert "2026-01-31" == settings.as_of
    assert (1_000_000, "250MB") == (settings.memory, settings.max_bytes)
    assert (Path("a.csv"), Path("b.csv")) == settings.suppress


def test_false_in_the_environment_is_false(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHPUB_TRACKER_ID", "1-2")
    monkeypatch.setenv("BATCHPUB_QUIET", "0")
    monkeypatch.setenv("BATCHPUB_VERBOSE", "true")
    common = parsed(*UPLOAD)["common"]

    assert (False, True) == (common.quiet, common.verbose)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHPUB_BASE_URL", "")

    settings = parsed(*UPLOAD, "--tracker-id", "1-2")["settings"]
    assert "https://live.luigisbox.com" == settings.base_url


def test_positional_arguments_come_from_the_command_line_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BATCHPUB_LIST", "other.jsonl")

    assert "LIST is missing" in refused("upload", "--tracker-id", "1-2")


def test_the_sandbox_never_takes_the_real_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TRACKER_ID", "PUBLIC_KEY", "PRIVATE_KEY", "KLAVIYO_KEY"):
        monkeypatch.setenv(f"BATCHPUB_{name}", "real")
    config = write(tmp_path, 'tracker_id = "real"\npublic_key = "real"\n[sandbox]\nport = 81\n')

    settings = parsed("sandbox", "--config", config)["settings"]
    assert SandboxSettings(port=81) == settings


def test_a_command_of_a_group_has_its_table_within_those_of_the_groups(tmp_path: Path) -> None:
    config = write(
        tmp_path,
        'revision = "2026-01-15"\n[deliver.klaviyo.pull]\nlist_id = "L1"\n'
        "[deliver.klaviyo.push]\ninclude_default = true\n",
    )

    pull = parsed("deliver", "klaviyo", "pull", "-o", "r.jsonl", "--config", config)["settings"]
    push = parsed(
        *("deliver", "klaviyo", "push", "--recommendations", "r.jsonl", "--config", config)
    )["settings"]
    assert KlaviyoPullSettings(revision="2026-01-15", list_id="L1") == pull
    assert KlaviyoPushSettings(revision="2026-01-15", include_default=True) == push


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('traker_id = "1"\n', "traker_id: unknown key; did you mean tracker_id?"),
        ("[upload]\nactive_within = '1d'\n", "[upload] active_within: unknown key"),
        ("[parse]\ntypo = 1\n", "[parse] typo: unknown key"),
        ("[uplaod]\n", "uplaod: unknown key; did you mean upload?"),
        ("config = 'other.toml'\n", "config: unknown key"),
        ('private_key = "SECRET"\n', "BATCHPUB_PRIVATE_KEY"),
        ('[upload]\nprivate_key = "SECRET"\n', "BATCHPUB_PRIVATE_KEY"),
        ('klaviyo_key = "SECRET"\n', "BATCHPUB_KLAVIYO_KEY"),
        ('[deliver.klaviyo.pull]\nklaviyo_key = "SECRET"\n', "BATCHPUB_KLAVIYO_KEY"),
        ("[deliver.klaviyo.pull]\ndry_run = true\n", "[deliver.klaviyo.pull] dry_run: unknown key"),
        ("[deliver]\nrevision = '2026-07-15'\n", "[deliver] revision: unknown key"),
        ("[deliver.klaviyo.pul]\n", "deliver.klaviyo.pul: unknown key"),
        ("port = 1\n", "port: unknown key"),
        ("tracker_id = [1\nSECRET", "not valid TOML"),
        ("tracker_id = ['a', 'b']\n", "tracker_id: the value must be"),
        ("[upload]\ntracker_id = {a = 1}\n", "tracker_id: the value must be"),
        ("tracker_id = 07:32:00\n", "tracker_id: the value must be"),
        ("quiet = 'perhaps'\n", "quiet"),
    ],
)
def test_a_wrong_file_is_refused_with_file_and_key(tmp_path: Path, text: str, part: str) -> None:
    config = write(tmp_path, text)
    command = UPLOAD if "tracker_id" in text else ("parse", "e.xml", "-o", "r.jsonl")
    line = refused(*command, "--config", config)

    assert part in line
    assert config in line
    assert "SECRET" not in line


def test_a_missing_or_undecodable_file_is_refused(tmp_path: Path) -> None:
    assert "cannot read" in refused(*UPLOAD, "--config", str(tmp_path / "none.toml"))
    assert "cannot read" in refused(*UPLOAD, "--config", str(tmp_path))
    (tmp_path / "latin.toml").write_bytes(b"tracker_id = '\xe9'\n")
    assert "not UTF-8" in refused(*UPLOAD, "--config", str(tmp_path / "latin.toml"))


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("prepare", PrepareSettings),
        ("upload", UploadSettings),
        ("parse", ExportSettings),
        ("fetch", ExportSettings),
        ("fetch", FetchSettings),
        ("deliver klaviyo pull", KlaviyoPullSettings),
        ("deliver klaviyo push", KlaviyoPushSettings),
        ("sandbox", SandboxSettings),
    ],
)
def test_every_setting_is_an_option_with_a_help_text(command: str, settings: type) -> None:
    app = make_app()
    for name in command.split():
        app = app[name]
    texts = {
        argument.name: argument.parameter.help
        for argument in app.assemble_argument_collection(parse_docstring=True)
    }

    for one in fields(settings):
        assert texts["--" + one.name.replace("_", "-")]


def test_a_configuration_error_of_the_settings_is_passed_on() -> None:
    with pytest.raises(ConfigurationError, match="--max-bytes"):
        parsed("prepare", "a.csv", "-o", "u.jsonl", "--max-bytes", "much")
