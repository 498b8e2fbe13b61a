"""The names of the package, their laziness and their types."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import pipeline
from pipeline import api, errors, records, settings
from pipeline.api import lists

ROOT = Path(__file__).parents[2]


def test_the_public_names_are_the_flows_errors_settings_and_summaries() -> None:
    expected = set(api.__all__)
    expected |= set(errors.__all__) - {"Terminated"}
    expected |= {name for name in vars(settings) if name.endswith("Settings")}
    expected -= {"SandboxSettings", "CallSettings"}
    expected |= {name for name in vars(records) if name.endswith("Summary")}
    expected |= {"Progress", "Secret"}

    assert sorted(expected) == pipeline.__all__
    assert expected <= set(dir(pipeline))


@pytest.mark.parametrize("name", pipeline.__all__)
def test_every_public_name_resolves_and_has_a_docstring(name: str) -> None:
    assert getattr(pipeline, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'prepair'"):
        _ = pipeline.prepair  # type: ignore[attr-defined]


def test_importing_the_package_or_a_name_imports_nothing_heavy() -> None:
    code = (
        "import sys, pipeline; light = set(sys.modules); pipeline.prepare;"
        "print(sorted(m for m in light if m.startswith('pipeline.')));"
        "print(sorted({'polars', 'pyarrow', 'aiohttp', 'cyclopts', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]\n[]\n" == done.stdout


@pytest.mark.parametrize(
    ("function", "parts"),
    [
        ("prepare", [settings.PrepareSettings]),
        ("explain", [settings.SelectionSettings]),
        ("check", [settings.CheckSettings]),
        ("upload", [settings.UploadSettings]),
        ("parse", [settings.ExportSettings]),
        ("deliver_newsletter", [settings.NewsletterSettings]),
        ("fetch", [settings.FetchSettings, settings.ExportSettings]),
        ("deliver_klaviyo_pull", [settings.KlaviyoPullSettings, settings.ExportSettings]),
        ("deliver_klaviyo_push", [settings.KlaviyoPushSettings]),
    ],
)
def test_a_function_s_keywords_are_the_fields_of_its_settings(
    function: str, parts: list[type]
) -> None:
    signature = inspect.signature(getattr(pipeline, function))
    keywords = {
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }

    expected = {one.name for part in parts for one in fields(part)} | {"on_progress"}
    own = {
        "fetch": {"secret", "state_dir"},
        "upload": {"private_key", "state_dir"},
        "deliver_klaviyo_pull": {"key"},
        "deliver_klaviyo_push": {"key", "state_dir"},
    }
    assert expected | own.get(function, set()) == keywords


@pytest.mark.parametrize(
    ("function", "part", "more"),
    [
        ("check", settings.SmartEmailingSettings, {"key"}),
        ("ids", settings.SmartEmailingIdsSettings, {"key", "on_progress"}),
        ("push", settings.SmartEmailingPushSettings, {"key", "on_progress", "state_dir"}),
    ],
)
def test_smartemailing_s_keywords_are_the_fields_of_its_settings(
    function: str, part: type, more: set[str]
) -> None:
    signature = inspect.signature(getattr(pipeline, f"deliver_smartemailing_{function}"))
    keywords = {
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }

    assert {one.name for one in fields(part)} | more == keywords


def test_a_misspelt_keyword_is_a_type_error_at_run_time_too() -> None:
    with pytest.raises(TypeError, match="active_witin"):
        pipeline.prepare("a.csv", "u.jsonl", active_witin="6mo")  # type: ignore[call-arg]


def test_wrong_values_are_refused_before_anything_is_read() -> None:
    with pytest.raises(pipeline.ConfigurationError, match="--max-bytes"):
        pipeline.prepare("missing.csv", "u.jsonl", max_bytes="much")
    with pytest.raises(pipeline.ConfigurationError, match="--deadline"):
        pipeline.fetch("https://export.example/x.xml", "r.jsonl", deadline="soon")
    with pytest.raises(pipeline.ConfigurationError, match="--min-users"):
        pipeline.fetch("https://export.example/x.xml", "r.jsonl", min_users=0)


def test_the_key_is_not_in_the_repr_of_the_options() -> None:
    options = lists._UploadOptions(tracker_id="1-2", private_key="s3cr3t")

    assert "s3cr3t" not in repr(options)


def test_mypy_accepts_right_calls_and_refuses_wrong_ones(tmp_path: Path) -> None:
    """Every ignore in wrong_calls.py must be used, else mypy strict reports it."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--follow-imports=silent", f"--cache-dir={tmp_path}"),
            *("tests/typing/right_calls.py", "tests/typing/wrong_calls.py"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Success: no issues found in 2 source files\n" == done.stdout
