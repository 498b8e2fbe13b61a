"""One harness for every comparison: named commands, interleaved rounds, fresh processes.

Strategy: in each round every command runs once, the starting place moving on by one each round,
so a slow minute of the machine falls on all of them; what counts is the median of per-round
ratios to the first command, the baseline. Absolute times are for orientation only.

What is measured, per run:
- wall: from just before the process starts to its end, imports included;
- CPU: user + system of the process, its threads and all descendants it waited for (wait4);
- peak memory: the largest resident set of ONE process of that tree (ru_maxrss). For a command
  that works in several processes this is the largest of them, never their sum.

On Linux a new process inherits the memory peak of the process that started it, so every command
is started by a small Python of its own (about 10 MiB, the least this harness can show) and never
by the caller, however large that has grown.

    from benchmarks.measure import Command, compare

    print(compare([
        Command("duckdb", [sys.executable, "-c", CODE], output=Path("a.jsonl")),
        Command("ours", ["batchpub", "prepare", …], output=Path("b.jsonl")),
    ], rounds=5, check="lines").text())

    python -m benchmarks.measure --rounds 5 -c 'base: sort big.txt' -c 'ours: sort -S1G big.txt'
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

__all__ = ["Command", "Comparison", "MeasurementError", "Outcome", "Run", "compare", "digest"]

Check = Literal["none", "bytes", "lines"]

# Runs in its own small process: argv is [report, errors, stdout, command…]. Standard library
# only and few imports, because its own memory is the floor of what can be measured.
_STARTER: Final = """
import os, sys, time
report, errors, stdout, command = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
create = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
actions = [
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_OPEN, 1, stdout, create, 0o666),
    (os.POSIX_SPAWN_OPEN, 2, errors, create, 0o666),
]
started = time.perf_counter()
child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - started
code = os.waitstatus_to_exitcode(status)
with open(report, "w") as file:
    file.write(f"{code} {wall!r} {usage.ru_utime!r} {usage.ru_stime!r} {usage.ru_maxrss}")
"""
# ru_maxrss is in KiB on Linux and in bytes on macOS.
_MAXRSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024
_STDERR_TAIL: Final = 2_000


class MeasurementError(Exception):
    """A command failed, wrote no output, or wrote other content than the baseline."""


@dataclass(frozen=True, slots=True)
class Command:
    """One contestant.

    Args:
        name: What the table calls it.
        argv: The command as a list; no shell is involved.
        env: Variables added to this process's environment.
        cwd: Folder to run in.
        output: The file it writes; removed before every run, so an old one cannot be mistaken
            for the result. Needed for checks.
        stdout: Where its standard output goes; pass the same path as `output` when the result
            is what it prints. Default: thrown away.
        before: Called before every run, outside the measurement (drop a cache, empty a folder).
    """

    name: str
    argv: Sequence[str | os.PathLike[str]]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    output: Path | None = None
    stdout: Path | None = None
    before: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One process: seconds, seconds, bytes, and the size of its output (None without one)."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output_bytes: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """All runs of one command, in order of rounds, and the digest of its output if checked."""

    name: str
    runs: tuple[Run, ...]
    digest: str | None

    @property
    def wall_s(self) -> float:
        """Median wall time."""
        return statistics.median(run.wall_s for run in self.runs)

    @property
    def cpu_s(self) -> float:
        """Median CPU time."""
        return statistics.median(run.cpu_s for run in self.runs)

    @property
    def peak_bytes(self) -> int:
        """Median peak memory of the largest process."""
        return round(statistics.median(run.peak_bytes for run in self.runs))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `compare` found; the first outcome is the baseline."""

    outcomes: tuple[Outcome, ...]
    check: Check

    def ratio(self, name: str, measure: Literal["wall_s", "cpu_s", "peak_bytes"]) -> float:
        """Median over the rounds of this command's value over the baseline's of that round."""
        chosen = next(outcome for outcome in self.outcomes if outcome.name == name)
        pairs = zip(chosen.runs, self.outcomes[0].runs, strict=True)
        ratios: list[float] = [
            getattr(ours, measure) / max(getattr(base, measure), 1e-9) for ours, base in pairs
        ]
        return statistics.median(ratios)

    def as_dict(self) -> dict[str, object]:
        """Everything, ready for JSON: the machine, the medians, the ratios and every single run."""
        commands = [
            {
                "name": outcome.name,
                "wall_s": outcome.wall_s,
                "cpu_s": outcome.cpu_s,
                "peak_bytes": outcome.peak_bytes,
                "wall_ratio": self.ratio(outcome.name, "wall_s"),
                "cpu_ratio": self.ratio(outcome.name, "cpu_s"),
                "peak_ratio": self.ratio(outcome.name, "peak_bytes"),
                "digest": outcome.digest,
                "runs": [asdict(run) for run in outcome.runs],
            }
            for outcome in self.outcomes
        ]
        return {
            "machine": {
                "system": platform.system(),
                "machine": platform.machine(),
                "cpus": os.cpu_count(),
                "python": platform.python_version(),
            },
            "rounds": len(self.outcomes[0].runs),
            "check": self.check,
            "commands": commands,
        }

    def text(self) -> str:
        """A table: medians, the range of the wall times, and ratios to the baseline."""
        rows = [("", "wall s", "(min-max)", "cpu s", "peak MiB", "x wall", "x cpu", "x peak")]
        for outcome in self.outcomes:
            walls = [run.wall_s for run in outcome.runs]
            rows.append(
                (
                    outcome.name,
                    f"{outcome.wall_s:.2f}",
                    f"({min(walls):.2f}-{max(walls):.2f})",
                    f"{outcome.cpu_s:.2f}",
                    f"{outcome.peak_bytes / 2**20:.0f}",
                    f"{self.ratio(outcome.name, 'wall_s'):.2f}",
                    f"{self.ratio(outcome.name, 'cpu_s'):.2f}",
                    f"{self.ratio(outcome.name, 'peak_bytes'):.2f}",
                )
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        ]
        rounds = len(self.outcomes[0].runs)
        checked = {"none": "outputs not compared", "bytes": "same bytes out"}
        lines.append(
            f"{rounds} interleaved rounds, medians; x = median of per-round ratios to "
            f"{self.outcomes[0].name}; peak = largest single process; "
            + checked.get(self.check, "same lines out")
        )
        return "\n".join(lines)


def digest(path: Path, check: Literal["bytes", "lines"]) -> str:
    """SHA-256 of a file's bytes, or of its lines sorted bytewise (bounded memory, by sort(1))."""
    if check == "bytes":
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    env = {**os.environ, "LC_ALL": "C"}
    command = ["sort", "--", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        found = hashlib.sha256()
        while block := process.stdout.read(1 << 20):
            found.update(block)
    if process.returncode != 0:
        raise MeasurementError(f"sort failed on {path}")
    return found.hexdigest()


def _run(command: Command, folder: Path, timeout_s: float | None) -> Run:
    """Run a command once in a fresh process under the small starter."""
    if command.output is not None:
        command.output.unlink(missing_ok=True)
    if command.before is not None:
        command.before()
    report, errors = folder / "report", folder / "errors"
    report.unlink(missing_ok=True)
    errors.write_bytes(b"")
    argv = [sys.executable, "-I", "-S", "-c", _STARTER, str(report), str(errors)]
    argv += [str(command.stdout or os.devnull), *(os.fspath(word) for word in command.argv)]
    env = {**os.environ, **command.env}
    # A session of its own: the whole tree can be ended by its group, whatever it started.
    with subprocess.Popen(
        argv, env=env, cwd=command.cwd, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, 9)
            raise MeasurementError(f"{command.name}: no end after {timeout_s} s") from error
        except BaseException:
            os.killpg(process.pid, 9)
            raise
    if not report.exists():
        raise MeasurementError(f"{command.name}: cannot be started: {command.argv[0]}")
    code, wall, user, system, peak = report.read_text().split()
    if int(code) != 0:
        tail = errors.read_bytes()[-_STDERR_TAIL:].decode(errors="replace").strip()
        raise MeasurementError(f"{command.name}: exit code {code}\n{tail}")
    size = None
    if command.output is not None:
        if not command.output.is_file():
            raise MeasurementError(f"{command.name}: wrote no {command.output}")
        size = command.output.stat().st_size
    return Run(float(wall), float(user) + float(system), int(peak) * _MAXRSS_UNIT, size)


def compare(
    commands: Sequence[Command],
    *,
    rounds: int = 5,
    check: Check = "none",
    timeout_s: float | None = None,
    on_round: Callable[[int], object] | None = None,
) -> Comparison:
    """Run the commands interleaved and compare them with the first.

    Args:
        commands: At least one; the first is the baseline.
        rounds: How often each runs.
        check: "bytes": all outputs are equal; "lines": equal once their lines are sorted. The
            content is compared in the first round, the sizes in every round.
        timeout_s: Longest any single run may take.
        on_round: Called with the number of rounds done after each round.

    Raises:
        MeasurementError: A command failed, took too long, wrote nothing, or its output differs.
    """
    names = [command.name for command in commands]
    if not commands or rounds < 1 or len(set(names)) != len(names):
        raise ValueError("compare needs distinctly named commands and at least one round")
    if check != "none" and any(command.output is None for command in commands):
        raise ValueError("a check needs the output of every command")
    runs: dict[str, list[Run]] = {name: [] for name in names}
    digests: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="measure-") as folder:
        for number in range(rounds):
            start = number % len(commands)
            for command in [*commands[start:], *commands[:start]]:
                runs[command.name].append(_run(command, Path(folder), timeout_s))
                if check != "none" and number == 0 and command.output is not None:
                    digests[command.name] = digest(command.output, check)
            if check != "none":
                _refuse_differences(names, runs, digests)
            if on_round is not None:
                on_round(number + 1)
    outcomes = tuple(Outcome(name, tuple(runs[name]), digests.get(name)) for name in names)
    return Comparison(outcomes, check)


def _refuse_differences(
    names: Sequence[str], runs: Mapping[str, list[Run]], digests: Mapping[str, str]
) -> None:
    base = names[0]
    for name in names:
        if digests[name] != digests[base]:
            raise MeasurementError(f"{name}: its output differs from that of {base}")
        if runs[name][-1].output_bytes != runs[base][0].output_bytes:
            raise MeasurementError(f"{name}: its output has another size than that of {base}")


def _command(text: str) -> Command:
    name, colon, words = text.partition(":")
    if not colon or not words.strip():
        raise argparse.ArgumentTypeError(f"write NAME: COMMAND, not {text!r}")
    return Command(name.strip(), shlex.split(words))


def main(argv: Sequence[str] | None = None) -> int:
    """Compare commands given on the command line; outputs are what they print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measure")
    parser.add_argument("-c", "--command", action="append", type=_command, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--check", choices=get_args(Check), default="none", help="of what they print"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="measure-") as folder:
        commands: list[Command] = options.command
        if options.check != "none":
            printed = [Path(folder) / str(number) for number in range(len(commands))]
            commands = [
                Command(command.name, command.argv, output=path, stdout=path)
                for command, path in zip(commands, printed, strict=True)
            ]
        try:
            found = compare(commands, rounds=options.rounds, check=options.check)
        except MeasurementError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    print(json.dumps(found.as_dict(), indent=2) if options.json else found.text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
