"""Every exception has an exit code and one safe line."""

from __future__ import annotations

import errno

import pytest

from pipeline import errors
from pipeline.cli.failure import failure
from pipeline.cli.report import printable


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ConfigurationError, 2),
        (errors.InputError, 3),
        (errors.GuardError, 4),
        (errors.RemoteError, 5),
        (errors.TryLaterError, 6),
        (errors.UncertainError, 7),
        (errors.MachineError, 8),
    ],
)
def test_each_error_class_has_its_exit_code_and_all_fields(
    kind: type[errors.BatchpubError], code: int
) -> None:
    told = failure(kind("it broke", source="a.csv", position="row 7", remedy="mend it"))

    assert code == told.exit_code
    assert "batchpub: error: a.csv, row 7: it broke; mend it" == told.line
    assert kind.__name__ == told.fields["class"]
    assert {"class", "message", "source", "position", "limit", "actual", "remedy", "exit_code"} == (
        told.fields.keys()
    )


def test_no_error_class_is_without_an_exit_code() -> None:
    kinds = errors.BatchpubError.__subclasses__()

    assert [2, 3, 4, 5, 6, 7, 8] == sorted(kind.exit_code for kind in kinds)


def test_stop_requests_have_the_shell_s_exit_codes() -> None:
    assert (130, "batchpub: interrupted") == (
        failure(KeyboardInterrupt()).exit_code,
        failure(KeyboardInterrupt()).line,
    )
    assert (143, "batchpub: terminated") == (
        failure(errors.Terminated()).exit_code,
        failure(errors.Terminated()).line,
    )


def test_an_unexpected_exception_is_a_bug_and_its_text_stays_inside() -> None:
    from pipeline.settings import parse_size

    with pytest.raises(TypeError) as caught:
        parse_size(b"u123@example.com", option="--x")  # type: ignore[arg-type]
    told = failure(caught.value)

    assert 1 == told.exit_code
    assert "TypeError" == told.fields["class"]
    assert "pipeline/settings/quantities.py:" in told.line
    assert "bug" in told.line
    assert "u123" not in told.line + str(told.fields)


def test_a_bug_outside_our_code_is_still_told() -> None:
    told = failure(RecursionError("u123"))

    assert 1 == told.exit_code
    assert "RecursionError" in told.line
    assert "u123" not in told.line


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EMFILE, errno.EROFS])
def test_what_the_machine_refuses_anywhere_is_its_own_exit_code(number: int) -> None:
    assert 8 == failure(OSError(number, "refused", "x")).exit_code


def test_out_of_memory_is_the_machine_s() -> None:
    assert 8 == failure(MemoryError()).exit_code


def test_any_other_os_error_is_a_bug_because_an_edge_should_have_translated_it() -> None:
    assert 1 == failure(FileNotFoundError(errno.ENOENT, "none", "x")).exit_code


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain, příliš 好", "plain, příliš 好"),
        ("a\nb\r\x1b[2J\x07", "a\\nb\\r\\x1b[2J\\x07"),
        ("undecodable \udcff", "undecodable \\udcff"),
        ("bidi \u202e", "bidi \\u202e"),
    ],
)
def test_nothing_printed_can_break_the_line_or_the_terminal(text: str, safe: str) -> None:
    assert safe == printable(text)
