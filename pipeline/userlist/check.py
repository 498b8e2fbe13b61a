"""Everything about a list before it is sent: lines, size, receipt, repeats, suspicions, matches."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import polars as pl

from pipeline.errors import BatchpubError, InputError
from pipeline.extract.ahead import read_ahead
from pipeline.extract.batch import Wanted
from pipeline.extract.places import resolve_places
from pipeline.extract.reader import read_extracts
from pipeline.guards import (
    refuse_empty_list,
    refuse_low_match,
    refuse_oversize_list,
    refuse_problem_lines,
    refuse_wrong_receipt,
)
from pipeline.publish import PendingFile, publish
from pipeline.records import (
    CheckSummary,
    KnownMatch,
    ListComparison,
    OnProgress,
    Progress,
    Receipt,
    ignore_progress,
)
from pipeline.settings import CheckSettings, parse_percent, parse_size
from pipeline.userlist.compare import compare, iter_differences, percent
from pipeline.userlist.encode import FORMATS, encode_ids
from pipeline.userlist.id_parts import IdParts
from pipeline.userlist.read import ListReader, iter_ids
from pipeline.userlist.receipt import read_receipt
from pipeline.userlist.repeats import find_repeats
from pipeline.userlist.suspicions import NUMBERS, OTHER_ATTRIBUTES, Suspicions

__all__ = ["check_list"]

ReceiptVerdict = Literal["true", "none", "differs", "damaged"]


def check_list(
    list_path: Path, settings: CheckSettings, *, on_progress: OnProgress = ignore_progress
) -> CheckSummary:
    """Read the list once and everything it is compared with; what refuses it is in ``error``.

    Raises:
        InputError: a file is missing, or cannot be read at all.
        MachineError: disk, permission or memory.
    """
    with ExitStack() as stack:
        return _Check(list_path, settings, stack).run(on_progress)


class _Check:
    def __init__(self, list_path: Path, settings: CheckSettings, stack: ExitStack) -> None:
        self._started = time.monotonic()
        self._path, self._settings, self._stack = list_path, settings, stack
        self._known_places = resolve_places([settings.known_ids]) if settings.known_ids else []
        self._unmatched = (
            stack.enter_context(PendingFile(settings.unmatched)) if settings.unmatched else None
        )
        self._receipt, self._receipt_damaged = _read_receipt(list_path)
        # A damaged receipt still says that `prepare` wrote the list, header or not.
        has_receipt = self._receipt is not None or self._receipt_damaged
        self._reader = ListReader(list_path, allow_header=has_receipt)
        self._users = self._parts()
        self._suspicions = Suspicions()

    def run(self, on_progress: OnProgress) -> CheckSummary:
        self._read(on_progress)
        repeats = find_repeats(self._users)
        known = self._match(on_progress) if self._known_places else None
        against = self._compare(on_progress) if self._settings.against else None
        file, settings = self._reader.file, self._settings
        problems = dict(self._reader.problems.most_common())
        receipt = self._judge_receipt()
        max_bytes = parse_size(settings.max_bytes, option="--max-bytes")
        error = self._error(receipt, max_bytes, known)
        if self._unmatched is not None:
            publish([self._unmatched])
        return CheckSummary(
            source=str(self._path),
            format=file.kind,
            bytes=file.bytes,
            max_bytes=max_bytes,
            sha256=file.sha256,
            lines=file.lines,
            users=self._users.count,
            distinct_users=repeats.distinct,
            legacy_lines=self._reader.legacy_lines,
            receipt=receipt,
            problems=problems,
            first_problems=tuple(self._reader.first_problems),
            duplicates=repeats.duplicates,
            suspicions=self._suspicions.findings(),
            near_duplicates=repeats.near,
            known=known,
            unmatched_file=None if settings.unmatched is None else str(settings.unmatched),
            against=against,
            against_source=None if settings.against is None else str(settings.against),
            error=None if error is None else error.as_dict(),
            duration_s=round(time.monotonic() - self._started, 3),
        )

    def _parts(self) -> IdParts:
        return self._stack.enter_context(IdParts(self._settings.temp_dir))

    def _read(self, on_progress: OnProgress) -> None:
        file = self._reader.file
        total = _size(self._path)
        for batch in read_ahead(self._reader.batches(), depth=2):
            self._users.add(batch.ids, batch.facts)
            self._suspicions.add(batch.ids, batch.facts)
            if batch.numbers:
                self._suspicions.count(NUMBERS, len(batch.numbers), batch.numbers.copy)
            if batch.others:
                self._suspicions.count(OTHER_ATTRIBUTES, len(batch.others), batch.others.copy)
            on_progress(Progress(stage="read", done=file.bytes, total=total, rows=file.lines))

    def _match(self, on_progress: OnProgress) -> KnownMatch:
        """The list beside the ids known elsewhere; those unknown go to ``--unmatched``."""
        known = self._parts()
        unusable = 0
        wanted = Wanted(id_column=self._settings.id_column, active="no")
        for batch in read_ahead(read_extracts(self._known_places, wanted), depth=2):
            ids = pl.from_arrow(batch.ids)
            if isinstance(ids, pl.Series):
                known.add(ids)
            unusable += len(batch.rejects)
            place = batch.place
            on_progress(Progress(stage="known ids", done=batch.bytes_read, total=place.size))
        knowns = matched = unmatched = near = 0
        for one in iter_differences(known, self._users):
            knowns += one.old.height
            matched += one.kept
            unmatched += one.added.height
            near += one.near
            if self._unmatched is not None and one.added.height:
                ids = one.added["id"].sort()
                self._unmatched.write(encode_ids(ids, FORMATS[self._reader.file.kind]))
        return KnownMatch(
            known=knowns,
            matched=matched,
            unmatched=unmatched,
            near=near,
            percent=percent(matched, matched + unmatched),
            unusable_rows=unusable,
        )

    def _compare(self, on_progress: OnProgress) -> ListComparison:
        against = Path(self._settings.against or "")
        old = self._parts()
        for ids, facts in read_ahead(iter_ids(against), depth=2):
            old.add(ids, facts)
            on_progress(Progress(stage="read the other list", done=old.count, unit="users"))
        return compare(old, self._users)

    def _judge_receipt(self) -> ReceiptVerdict:
        if self._receipt_damaged:
            return "damaged"
        if self._receipt is None:
            return "none"
        file, receipt = self._reader.file, self._receipt
        true = (file.bytes, file.lines, file.sha256, file.kind)
        said = (receipt.bytes, receipt.users, receipt.sha256, receipt.format)
        # An empty list is of either format.
        return "true" if true == said or (not file.bytes and true[:3] == said[:3]) else "differs"

    def _error(
        self, receipt: ReceiptVerdict, max_bytes: int, known: KnownMatch | None
    ) -> BatchpubError | None:
        """The first reason not to send the list: what is broken before what is unwise."""
        source, reader, limit = self._path, self._reader, self._settings.min_match
        first = reader.first_problems[0][0] if reader.first_problems else None
        lines = reader.file.lines
        refused: BatchpubError | None = refuse_problem_lines(
            reader.problems, lines=lines, first_line=first, source=source
        )
        refused = refused or refuse_wrong_receipt(receipt=receipt, source=source)
        refused = refused or refuse_empty_list(users=self._users.count, source=source)
        refused = refused or refuse_oversize_list(
            bytes_=reader.file.bytes, max_bytes=max_bytes, source=source
        )
        if refused is not None or known is None:
            return refused
        return refuse_low_match(
            matched=known.matched,
            users=known.matched + known.unmatched,
            min_percent=None if limit is None else parse_percent(limit, option="--min-match"),
            source=source,
        )


def _read_receipt(list_path: Path) -> tuple[Receipt | None, bool]:
    """The receipt, and whether there is one that cannot be read."""
    try:
        return read_receipt(list_path), False
    except InputError:
        return None, True


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size or None
    except OSError:  # reading it is about to say so better
        return None
