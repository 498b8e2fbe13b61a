"""One run of `upload`, step by step: the list, the ledger that remembers, the verdicts on both.

Strategy: what is about to happen is written down before it happens. A run that dies while it sends
leaves ``sending`` behind, which the next one reads as uncertain; so whatever the remote service
may hold, the ledger names it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from pipeline.errors import BatchpubError, ConfigurationError, InputError, MachineError
from pipeline.guards import (
    UploadFacts,
    UploadLimits,
    Verdict,
    baselines,
    is_unchanged,
    judge_list,
    judge_overlap,
    plan_upload,
)
from pipeline.ledger.ledger import Ledger, default_state_dir
from pipeline.publish import machine_errors
from pipeline.records import OnProgress, Progress, Receipt, UploadPlan, UploadSummary
from pipeline.settings import Secret, UploadSettings, parse_duration, parse_percent, parse_size
from pipeline.userlist.receipt import make_receipt, read_receipt, receipt_path
from pipeline.wire.address import check_url

if TYPE_CHECKING:
    from pipeline.transfer.upload import Account

__all__ = ["Submission"]

_log = logging.getLogger(__name__)


class Submission:
    """Call `judge`; then `leave` where `unchanged`, else `compare` and `send`; in a ``with``.

    A dry run calls `rehearse` in place of `leave` and `send`: it asks the same questions of the
    same ledger and writes no run down. It holds the lock only while it looks: a person's question
    must not keep the night's upload out.
    """

    def __init__(
        self,
        list_path: Path,
        private_key: Secret | None,
        settings: UploadSettings,
        *,
        state_dir: Path | None,
    ) -> None:
        self._started = time.monotonic()
        self._path, self._settings = list_path, settings
        if private_key is None and not settings.dry_run:
            raise ConfigurationError("there is no private key", remedy="only a dry run needs none")
        self._private_key = private_key
        self._target = _target(settings.base_url)
        self._receipt, made_at = _known_receipt(list_path)
        self._limits = _limits(settings)
        self._confirmed_by: tuple[str, ...] = ()
        with ExitStack() as stack:
            self._ledger = stack.enter_context(Ledger(state_dir or default_state_dir()))
            lock = stack.enter_context(ExitStack())
            self._held = lock.enter_context(self._ledger.hold(settings.tracker_id, self._target))
            now = datetime.now(UTC)
            self._before = baselines(self._held.sent(), now=now)
            if settings.dry_run:
                lock.close()
            self._stack = stack.pop_all()
        self._facts = UploadFacts(
            users=self._receipt.users,
            bytes=self._receipt.bytes,
            sha256=self._receipt.sha256,
            made_at=made_at,
            now=now,
            tracker_id=self._receipt.tracker_id,
        )
        last = self._before.last
        self._run: dict[str, Any] = {
            "started_at": now.isoformat(timespec="microseconds"),
            "users": self._receipt.users,
            "bytes": self._receipt.bytes,
            "sha256": self._receipt.sha256,
            "made_at": made_at.isoformat(timespec="microseconds"),
            "old_users": None if last is None else last.users,
        }

    def judge(self) -> None:
        """Refuse what the counts, the age or the tracker forbid; the list is not read."""
        self._heed(judge_list(self._before, self._facts, self._limits))

    @property
    def unchanged(self) -> bool:
        """Whether the tracker holds this very list."""
        return is_unchanged(self._before, self._facts, self._limits)

    def leave(self) -> UploadSummary:
        """Send nothing."""
        self._held.begin(outcome="unchanged", ended_at=_now(), **self._run)
        return self._unsent(self._target, outcome="unchanged")

    def rehearse(self, on_progress: OnProgress) -> UploadSummary:
        """Prove the list to its last byte and tell what sending it would take."""
        from pipeline.transfer.upload import rehearse_upload

        rehearsal = rehearse_upload(
            self._path, self._receipt, self._private_key, self._settings, on_progress=on_progress
        )
        deadline_s = parse_duration(self._settings.deadline, option="--deadline")
        plan = plan_upload(
            body_bytes=rehearsal.body_bytes,
            deadline_s=deadline_s,
            last=self._before.last,
            would_send=not self.unchanged,
            has_private_key=self._private_key is not None,
        )
        return self._unsent(rehearsal.target, outcome="dry-run", plan=plan)

    def _unsent(
        self,
        target: str,
        *,
        outcome: Literal["unchanged", "dry-run"],
        plan: UploadPlan | None = None,
    ) -> UploadSummary:
        if self.unchanged:
            self._run |= {"added": 0, "removed": 0, "kept": self._receipt.users}
        return UploadSummary(
            list_path=str(self._path),
            tracker_id=self._settings.tracker_id,
            target=target,
            users=self._receipt.users,
            bytes=self._receipt.bytes,
            sha256=self._receipt.sha256,
            status=None,
            attempts=0,
            server_said="",
            duration_s=time.monotonic() - self._started,
            outcome=outcome,
            confirmed_by=self._confirmed_by,
            plan=plan,
            **self._change(),
        )

    def compare(self, on_progress: OnProgress) -> None:
        """Refuse a list that is another one; both lists are read, so this costs seconds."""
        if self._limits.min_overlap <= 0 or not self._receipt.users:
            return
        for run in self._before.to_compare(self._receipt.sha256):
            found = self._count(run.sha256, on_progress)
            old, new, kept = found or (run.users, self._receipt.users, None)
            if kept is not None and run is self._before.last:
                self._run |= {"added": new - kept, "removed": old - kept, "kept": kept}
            self._heed(
                judge_overlap(
                    self._before,
                    self._facts,
                    self._limits,
                    old_users=old,
                    new_users=new,
                    kept=kept,
                )
            )

    def send(self, on_progress: OnProgress) -> UploadSummary:
        """Keep the list, send it, and write down what became of it."""
        from pipeline.transfer.upload import Account, upload_list

        if self._private_key is None:
            raise TypeError("a dry run sends nothing")
        run = self._held.begin(outcome="preparing", confirmed_by=self._confirmed_by, **self._run)
        account = Account()
        with self._noting(run, account):
            self._held.keep(self._path, self._receipt.sha256)
            self._held.update(run, outcome="sending")
            summary = upload_list(
                self._path,
                self._receipt,
                self._private_key,
                self._settings,
                account=account,
                on_progress=on_progress,
            )
        try:
            self._held.update(
                run,
                outcome="confirmed",
                ended_at=_now(),
                attempts=summary.attempts,
                transfer_s=summary.transfer_s,
            )
        except BatchpubError as error:
            raise MachineError(
                "the list is stored, but the ledger could not be told; the next run will take"
                " the outcome for uncertain",
                source=self._ledger.path,
                remedy=error.remedy,
            ) from error
        try:
            self._held.prune()
        except BatchpubError as error:  # the next run removes them
            _log.warning("old lists are still kept: %s", error)
        return replace(
            summary,
            duration_s=time.monotonic() - self._started,
            confirmed_by=self._confirmed_by,
            **self._change(),
        )

    def _change(self) -> dict[str, Any]:
        """The last confirmed list beside this one, as far as they were compared."""
        return {name: self._run.get(name) for name in ("old_users", "added", "removed", "kept")}

    def _heed(self, verdict: Verdict) -> None:
        self._confirmed_by = tuple(dict.fromkeys(self._confirmed_by + verdict.confirmed_by))
        refusal = verdict.refusal(self._path)
        if refusal is None:
            return
        if self._settings.dry_run:
            raise refusal
        try:
            self._held.begin(outcome="refused", ended_at=_now(), error=refusal.message, **self._run)
        except BatchpubError as error:  # what the caller must know is the refusal
            _log.warning("the refusal is not in the ledger: %s", error)
        raise refusal

    @contextmanager
    def _noting(self, run: int, account: Account) -> Iterator[None]:
        """Write down how `run` ended when the block fails."""
        try:
            yield
        except BaseException as error:
            outcome = "uncertain" if account.may_be_stored else "failed"
            said = error.message if isinstance(error, BatchpubError) else type(error).__name__
            try:
                self._held.update(
                    run, outcome=outcome, ended_at=_now(), attempts=account.attempts, error=said
                )
            except BatchpubError as trouble:  # the next run reads the unfinished row as uncertain
                _log.warning("the outcome is not in the ledger: %s", trouble)
            raise

    def _count(self, sha256: str, on_progress: OnProgress) -> tuple[int, int, int | None] | None:
        """Distinct users of an earlier list, of this one, and of both; None if that one is lost."""
        from pipeline.extract.ahead import read_ahead
        from pipeline.userlist.compare import iter_differences
        from pipeline.userlist.id_parts import IdParts
        from pipeline.userlist.read import ListReader

        kept_list = self._held.kept(sha256)
        if kept_list is None:
            return None
        total = kept_list.stat().st_size + self._receipt.bytes
        done = 0
        with IdParts(self._ledger.folder) as old, IdParts(self._ledger.folder) as new:
            for path, parts, expected in (
                (kept_list, old, sha256),
                (self._path, new, self._receipt.sha256),
            ):
                reader = ListReader(path, allow_header=True)
                for batch in read_ahead(reader.batches(), depth=2):
                    parts.add(batch.ids, batch.facts)
                    on_progress(
                        Progress(stage="compare", done=done + reader.file.bytes, total=total)
                    )
                done += reader.file.bytes
                if reader.file.sha256 != expected:
                    if path == kept_list:
                        return None
                    raise InputError(
                        "the list is not the one of its receipt",
                        source=path,
                        remedy="prepare the list again",
                    )
            olds = news = kept = 0
            for one in iter_differences(old, new):
                olds += one.old.height
                news += one.new.height
                kept += one.kept
        return olds, news, kept

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()


def _known_receipt(list_path: Path) -> tuple[Receipt, datetime]:
    """The receipt, and when the list was made: for a list without one, when it was written."""
    receipt = read_receipt(list_path)
    if receipt is None:
        receipt = make_receipt(list_path)
        with machine_errors(list_path, "read the list"):
            return receipt, datetime.fromtimestamp(list_path.stat().st_mtime, UTC)
    try:
        made_at = datetime.fromisoformat(receipt.created_at)
        if made_at.tzinfo is None:
            raise ValueError("no offset")
    except (TypeError, ValueError) as error:
        raise InputError(
            "the receipt does not say when the list was made",
            source=receipt_path(list_path),
            remedy="prepare the list again",
        ) from error
    return receipt, made_at.astimezone(UTC)


def _limits(settings: UploadSettings) -> UploadLimits:
    return UploadLimits(
        tracker_id=settings.tracker_id,
        max_bytes=parse_size(settings.max_bytes, option="--max-bytes"),
        min_users=settings.min_users,
        max_shrink=parse_percent(settings.max_shrink, option="--max-shrink"),
        max_grow=parse_percent(settings.max_grow, option="--max-grow", most=1e9),
        min_overlap=parse_percent(settings.min_overlap, option="--min-overlap"),
        max_age_s=parse_duration(settings.max_age, option="--max-age"),
        refresh_after_s=parse_duration(settings.refresh_after, option="--refresh-after"),
        confirmations=frozenset(settings.confirm),
    )


def _target(base_url: str) -> str:
    """The service in one spelling: what was sent to another one says nothing about this one."""
    parts = check_url(base_url, option="--base-url")
    default = {"https": ":443", "http": ":80"}[parts.scheme]
    host = parts.netloc.lower().removesuffix(default)
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
