"""Reading an export in several processes: the same bytes, and no process left behind."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigurationError, InputError, MachineError
from pipeline.export.collect import Collection, collect_file
from pipeline.export.workers import EncodedUsers, ParallelXmlReader, WorkerProcesses
from pipeline.export.xml_reader import XmlExportReader
from pipeline.limits import EXPORT_PIECE
from pipeline.settings import ExportSettings

ALL = ("out.jsonl", "out.parquet", "out.csv", "out.sqlite")


def user(number: int, more: str = "") -> str:
    results = "".join(
        f"<result><id>p{number % 7}</id><url>https://s/{n}?recommendation_id=r{number}</url>"
        f"<title>Č &amp; {n}</title><image_link></image_link></result>"
        for n in range(5)
    )
    return (
        f"<user><auth_user_id>u{number}</auth_user_id><data><recommendations><recommendation>"
        f"<recommendation_type>m{number % 2}</recommendation_type><results>{results}</results>"
        f"</recommendation></recommendations>{more}</data></user>\n"
    )


ODD = "<note><!-- </user> --><![CDATA[</user><user>]]></note>"


def users(count: int) -> str:
    return "".join(user(n, ODD if n % 300 == 299 else "") for n in range(count))


def children() -> set[int]:
    """Processes that this one started and that still exist."""
    found = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(os.getpid())],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return {int(line.split()[0]) for line in found.stdout.splitlines() if "worker" in line}


def outcome(reader: Any, data: bytes) -> Any:
    """The users, or the refusal as a whole."""
    found: list[Any] = []
    try:
        for start in range(0, len(data), 1000):
            found += reader.feed(data[start : start + 1000])
        found += reader.close()
    except InputError as error:
        return error.as_dict()
    flat: list[Any] = []
    for one in found:
        if isinstance(one, EncodedUsers):
            flat += one.decode()
        else:
            flat += one if isinstance(one, list) else [one]
    return flat


def test_every_number_of_workers_writes_the_same_bytes(tmp_path: Path) -> None:
    export = tmp_path / "export.xml"
    export.write_text(f"<users>\n{users(900)}<x/></users>", encoding="utf-8")
    summaries, contents = [], []
    for workers in (1, 2, 3):
        folder = tmp_path / str(workers)
        folder.mkdir()
        outputs = [folder / name for name in ALL]
        summary = collect_file(export, outputs, ExportSettings(workers=workers))
        summaries.append(dataclasses.replace(summary, outputs=(), duration_s=0))
        contents.append([output.read_bytes() for output in outputs])

    assert 900 == summaries[0].users
    assert 7 == summaries[0].distinct_products
    assert [summaries[0]] * 3 == summaries
    assert contents[0] == contents[1] == contents[2]


def test_plain_users_are_read_by_the_workers() -> None:
    """In chunks of several parts each; the prolog, the end and one odd chunk are left to expat."""
    data = f"<users>\n{users(1000).replace(ODD, '')}{user(1, ODD)}</users>\n".encode()
    with WorkerProcesses(2) as processes:
        reader = ParallelXmlReader(processes)
        assert 1001 == len(outcome(reader, data))

    assert 4 * EXPORT_PIECE < len(data)
    assert reader.plain_bytes > len(data) - 5 * EXPORT_PIECE
    assert reader.plain_bytes > len(data) // 2


@pytest.mark.parametrize(
    "damage",
    ["", "</users>", "<![CDATA[", "x", "<user><auth_user_id/></user>", "<n><!--U--></n>"],
)
def test_damage_is_refused_as_the_reference_does(damage: str) -> None:
    damage = damage.replace("U", users(40))
    data = f"<users>\n{users(40)}{damage}{users(40)}</users>\n".encode()
    # Answers still under way when a reader gives up belong to nobody: each reader its own.
    with WorkerProcesses(2) as processes:
        reader = ParallelXmlReader(processes, piece_bytes=3000)
        assert outcome(XmlExportReader(), data) == outcome(reader, data)


def test_worker_that_is_killed_is_a_machine_error_and_nothing_appears(tmp_path: Path) -> None:
    before = children()
    with Collection([tmp_path / "o.jsonl"], ExportSettings(workers=2), source="x") as collection:
        collection.feed(b"<users>" + users(100).encode())
        started = children() - before
        assert 2 == len(started)
        for process in started:
            os.kill(process, signal.SIGKILL)
        with pytest.raises(MachineError, match="worker process ended"):
            collection.feed(users(1500).encode())

    assert before == children()
    assert [] == list(tmp_path.iterdir())


def test_no_process_outlives_an_interrupt(tmp_path: Path) -> None:
    before = children()
    with (
        suppress(KeyboardInterrupt),
        Collection([tmp_path / "o.jsonl"], ExportSettings(workers=2), source="x") as collection,
    ):
        collection.feed(b"<users>" + users(800).encode())
        assert 2 == len(children() - before)
        raise KeyboardInterrupt

    assert before == children()
    assert [] == list(tmp_path.iterdir())


def test_worker_ends_when_its_owner_is_gone() -> None:
    code = "from pipeline.export.worker import serve; serve()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    out, _ = process.communicate(b"", timeout=30)

    assert (0, b"") == (process.returncode, out)


@pytest.mark.parametrize("workers", [0, -1, 1000])
def test_number_of_workers_that_cannot_be_is_refused(workers: int) -> None:
    with pytest.raises(ConfigurationError, match="--workers"):
        ExportSettings(workers=workers)
