"""The measuring harness measures the process it names, and refuses unlike outputs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from benchmarks.measure import Command, Comparison, MeasurementError, Outcome, Run, compare, digest
from benchmarks.measure import main as measure

PYTHON = [sys.executable, "-S", "-c"]
WRITE = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"


def writer(name: str, path: Path, text: str) -> Command:
    return Command(name, [*PYTHON, WRITE, path, text], output=path)


def run_of(wall: float, cpu: float = 1.0, peak: int = 2**20) -> Run:
    return Run(wall, cpu, peak, None)


def test_rounds_are_interleaved_and_start_one_further_each_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import sys; open(sys.argv[1], 'a').write(sys.argv[2])"
    commands = [Command(name, [*PYTHON, code, log, name]) for name in "abc"]
    compare(commands, rounds=4)

    assert "abcbcacababc" == log.read_text()


def test_ratios_are_medians_of_paired_rounds() -> None:
    base = Outcome("base", (run_of(1.0), run_of(10.0), run_of(4.0)), None)
    ours = Outcome("ours", (run_of(2.0), run_of(5.0), run_of(2.0)), None)
    found = Comparison((base, ours), "none")

    assert 0.5 == found.ratio("ours", "wall_s")
    assert 1.0 == found.ratio("base", "wall_s")
    assert 4.0 == base.wall_s


def test_peak_memory_is_that_of_the_command_not_of_the_caller() -> None:
    ballast = bytearray(200_000_000)  # a child started from here would inherit this peak
    small, large = compare(
        [
            Command("small", [*PYTHON, "pass"]),
            Command("large", [*PYTHON, "x = bytearray(100_000_000)"]),
        ],
        rounds=1,
    ).outcomes

    assert len(ballast) > 0
    assert small.peak_bytes < 50_000_000
    assert 100_000_000 < large.peak_bytes < 150_000_000


def test_cpu_counts_children_that_were_waited_for() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {burn!r}])"
    outcome = compare([Command("parent", [*PYTHON, child])], rounds=1).outcomes[0]

    assert outcome.cpu_s > 0.3


def test_same_output_is_accepted_and_its_digest_kept(tmp_path: Path) -> None:
    found = compare(
        [writer("a", tmp_path / "a", "x\ny\n"), writer("b", tmp_path / "b", "x\ny\n")],
        rounds=2,
        check="bytes",
    )

    assert found.outcomes[0].digest == found.outcomes[1].digest is not None


def test_the_order_of_lines_matters_only_to_the_check_of_bytes(tmp_path: Path) -> None:
    commands = [writer("a", tmp_path / "a", "x\ny\n"), writer("b", tmp_path / "b", "y\nx\n")]
    compare(commands, rounds=1, check="lines")

    with pytest.raises(MeasurementError, match=r"b: its output differs from that of a"):
        compare(commands, rounds=1, check="bytes")


@pytest.mark.parametrize("text", ["x\n", "x\ny\ny\n", "x\nz\n", ""])
def test_other_lines_are_refused(tmp_path: Path, text: str) -> None:
    commands = [writer("a", tmp_path / "a", "x\ny\n"), writer("b", tmp_path / "b", text)]

    with pytest.raises(MeasurementError, match="b: its output differs"):
        compare(commands, rounds=1, check="lines")


def test_an_output_that_changes_size_in_a_later_round_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    code = (
        "import sys, os; n = os.path.exists(sys.argv[1]); open(sys.argv[1], 'w').close();"
        "open(sys.argv[2], 'w').write('ab'[n:])"
    )
    flaky = Command("flaky", [*PYTHON, code, state, tmp_path / "o"], output=tmp_path / "o")
    steady = writer("steady", tmp_path / "s", "ab")

    with pytest.raises(MeasurementError, match="flaky: its output has another size"):
        compare([steady, flaky], rounds=2, check="bytes")


def test_an_old_output_is_not_taken_for_the_result(tmp_path: Path) -> None:
    (tmp_path / "o").write_text("old")

    with pytest.raises(MeasurementError, match="lazy: wrote no"):
        compare([Command("lazy", [*PYTHON, "pass"], output=tmp_path / "o")], rounds=1)


def test_a_failing_command_is_named_with_the_end_of_its_stderr() -> None:
    code = "import sys; sys.exit('no such thing')"

    with pytest.raises(MeasurementError, match=r"bad: exit code 1\nno such thing"):
        compare([Command("bad", [*PYTHON, code])], rounds=1)


def test_a_command_ended_by_a_signal_has_failed() -> None:
    code = "import os; os.kill(os.getpid(), 9)"

    with pytest.raises(MeasurementError, match="killed: exit code -9"):
        compare([Command("killed", [*PYTHON, code])], rounds=1)


def test_a_command_that_does_not_exist_is_named() -> None:
    with pytest.raises(MeasurementError, match="ghost: cannot be started: nonesuch-command"):
        compare([Command("ghost", ["nonesuch-command"])], rounds=1)


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    code = "import signal, sys; held = open(sys.argv[1], 'w'); signal.pause()"

    with pytest.raises(MeasurementError, match=r"stuck: no end after 1 s"):
        compare([Command("stuck", [*PYTHON, code, pipe])], rounds=1, timeout_s=1)
    os.set_blocking(reader, True)
    assert b"" == os.read(reader, 1)  # comes when nobody holds the other end any more
    os.close(reader)


def test_environment_folder_stdout_and_preparation_reach_the_command(tmp_path: Path) -> None:
    seen: list[str] = []
    code = "import os; print(os.environ['WORD'], os.getcwd())"
    command = Command(
        "a",
        [*PYTHON, code],
        env={"WORD": "hello"},
        cwd=tmp_path,
        output=tmp_path / "out",
        stdout=tmp_path / "out",
        before=lambda: seen.append("before"),
    )
    compare([command], rounds=2)

    assert f"hello {tmp_path.resolve()}\n" == (tmp_path / "out").read_text()
    assert ["before", "before"] == seen


def test_mistaken_calls_are_refused_before_anything_runs() -> None:
    command = Command("a", [*PYTHON, "pass"])

    for commands, rounds in (([], 1), ([command, command], 1), ([command], 0)):
        with pytest.raises(ValueError, match="distinctly named"):
            compare(commands, rounds=rounds)
    with pytest.raises(ValueError, match="needs the output"):
        compare([command], rounds=1, check="bytes")


def test_table_and_json_tell_the_same(tmp_path: Path) -> None:
    found = compare([Command(name, [*PYTHON, "pass"]) for name in ("base", "ours")], rounds=2)
    as_json = json.loads(json.dumps(found.as_dict()))
    head, base, ours, foot = found.text().splitlines()

    assert ["base", "ours"] == [one["name"] for one in as_json["commands"]]
    assert [2, 2] == [len(one["runs"]) for one in as_json["commands"]]
    assert f"{as_json['commands'][1]['wall_ratio']:.2f}" in ours
    assert base.startswith("base")
    assert head.endswith("x peak")
    assert "2 interleaved rounds" in foot
    assert os.cpu_count() == as_json["machine"]["cpus"]


def test_digest_of_lines_is_bytewise_in_any_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "cs_CZ.UTF-8")
    (tmp_path / "a").write_bytes(b"b\n\xc5\xbe\na\nB\n\xff\n")
    (tmp_path / "b").write_bytes(b"B\na\nb\n\xc5\xbe\n\xff\n")

    assert digest(tmp_path / "b", "bytes") == digest(tmp_path / "a", "lines")


def test_the_command_line_compares_what_commands_print(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--rounds", "1", "--check", "bytes", "-c", "a: printf x", "-c"]

    assert 0 == measure([*arguments, "b: printf x", "--json"])
    assert ["a", "b"] == [one["name"] for one in json.loads(capsys.readouterr().out)["commands"]]
    assert 1 == measure([*arguments, "b: printf y"])
    assert "error: b: its output differs from that of a" in capsys.readouterr().err
