"""Replacing the stored user list of a tracker: attempts within one deadline, and the truth."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigurationError, InputError
from pipeline.loop import run
from pipeline.records import OnProgress, Progress, Receipt, UploadSummary, ignore_progress
from pipeline.settings import Secret, UploadSettings, parse_duration
from pipeline.transfer.attempt import Attempt, Request, Signer
from pipeline.transfer.body import BLOCK, ListBody, OpenList, Proof, open_list
from pipeline.transfer.session import proxy_for, tls_context
from pipeline.wire.address import check_url, shown_url
from pipeline.wire.answer import Answer, Failure, Phase, final_error, safe_text
from pipeline.wire.multipart import Framing, frame_file, shorten_file_name
from pipeline.wire.retry import RetryPolicy, Stop, next_step

__all__ = ["Account", "Rehearsal", "rehearse_upload", "upload_list"]

_log = logging.getLogger(__name__)
_BOUNDARY_BYTES: Final = 16


@dataclass(slots=True)
class Account:
    """What is true of the remote list while it is replaced, and however that ends.

    ``may_be_stored`` tells that a server had the whole list and did not surely refuse it;
    ``attempts`` counts the attempts begun.
    """

    may_be_stored: bool = False
    attempts: int = 0


def upload_list(
    list_path: Path,
    receipt: Receipt,
    private_key: Secret,
    settings: UploadSettings,
    *,
    account: Account | None = None,
    on_progress: OnProgress = ignore_progress,
) -> UploadSummary:
    """Send a list; on return it is the tracker's stored list.

    Args:
        list_path: The list; opened once.
        receipt: What the list must be: bytes, users, sha256.
        private_key: Key of the signature.
        settings: Where to and how.
        account: Filled in as the transfer goes; true also when this raises anything at all.
        on_progress: Told after each block; called in the event loop, so it must not linger.

    Raises:
        ConfigurationError: an address, name or key that cannot be used.
        InputError: the list is missing, unreadable or not the one of its receipt.
        RemoteError: the server refused.
        TryLaterError: the server cannot be reached or is in trouble, or the deadline passed.
        UncertainError: the list was sent whole and no trustworthy answer came.
    """
    request = _request(private_key, settings)
    with open_list(list_path, receipt) as source:
        upload = _Upload(request, source, settings, account or Account(), on_progress)
        return run(upload.run())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What would be sent: to where, and how many bytes with the form around the list."""

    target: str
    body_bytes: int


def rehearse_upload(
    list_path: Path,
    receipt: Receipt,
    private_key: Secret | None,
    settings: UploadSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> Rehearsal:
    """Do what `upload_list` does without a network: every setting, and the list to its last byte.

    Args:
        list_path: The list; opened once.
        receipt: What the list must be: bytes, users, sha256.
        private_key: Key of the signature; without one, everything else is tried.
        settings: Where to and how.
        on_progress: Told after each block.

    Raises:
        ConfigurationError: an address, name or key that cannot be used.
        InputError: the list is missing, unreadable or not the one of its receipt.
    """
    request = _request(private_key or Secret("rehearsal"), settings)
    with open_list(list_path, receipt) as source:
        framing = _frame(source, settings, _boundary())
        proof, done = Proof(source), 0
        while block := proof.read(done, BLOCK):
            done += len(block)
            on_progress(Progress(stage="read", done=done, total=receipt.bytes, users=receipt.users))
    return Rehearsal(target=request.shown, body_bytes=framing.content_length)


class _Upload:
    """Attempts at sending one list, until one succeeds or none can."""

    def __init__(
        self,
        request: Request,
        source: OpenList,
        settings: UploadSettings,
        account: Account,
        on_progress: OnProgress,
    ) -> None:
        self._request = request
        self._source = source
        self._settings = settings
        self._account = account
        self._on_progress = on_progress
        self._fastest = 0.0  # bytes per second
        self._took_s = 0.0
        self._policy = RetryPolicy(
            max_attempts=settings.max_attempts,
            base_s=parse_duration(settings.retry_wait, option="--retry-wait"),
        )

    async def run(self) -> UploadSummary:
        """Send until the outcome is known or the deadline is near."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        deadline_at = began_at + parse_duration(self._settings.deadline, option="--deadline")
        uncertain: Failure | None = None
        while True:
            self._account.attempts += 1
            attempts = self._account.attempts
            outcome = await self._attempt(deadline_at)
            if isinstance(outcome, Answer):
                return self._summary(outcome, attempts, loop.time() - began_at)
            if outcome.uncertain:
                uncertain = outcome
            step = next_step(
                self._policy,
                attempt=attempts,
                retryable=outcome.retryable,
                time_left_s=deadline_at - loop.time(),
                jitter=secrets.SystemRandom().random(),
                retry_after_s=outcome.retry_after_s,
                needed_s=self._source.receipt.bytes / self._fastest if self._fastest else 0.0,
            )
            if isinstance(step, Stop):
                why = _why(step, outcome)
                raise final_error(
                    outcome,
                    uncertain=uncertain,
                    doubt=self._account.may_be_stored,
                    attempts=attempts,
                    why=why,
                )
            _log.info(
                "attempt %d: %s; next in %.1f s", attempts, outcome.error.message, step.seconds
            )
            await asyncio.sleep(step.seconds)

    async def _attempt(self, deadline_at: float) -> Answer | Failure:
        framing = _frame(self._source, self._settings, _boundary())
        body = ListBody(self._source, framing, on_sent=self._report)
        attempt = Attempt(self._request, framing, body)
        outcome: Answer | Failure | None = None
        try:
            self._source.check_size()
            self._report(0)
            outcome = await attempt.run(deadline_at=deadline_at)
        except InputError as error:  # an earlier attempt may make it uncertain
            outcome = Failure(error=error, retryable=False)
            return outcome
        finally:
            # The phase at the very end: a body can be finished after an answer that came early.
            if attempt.phase is Phase.SENT and _leaves_doubt(outcome):
                self._account.may_be_stored = True
            await body.aclose()
        self._took_s = attempt.elapsed_s()
        # The first second fills buffers and says nothing about the rate.
        if self._took_s > 1.0:
            self._fastest = max(self._fastest, attempt.sent_bytes / self._took_s)
        return outcome

    def _report(self, sent: int) -> None:
        receipt = self._source.receipt
        self._on_progress(
            Progress(stage="upload", done=sent, total=receipt.bytes, users=receipt.users)
        )

    def _summary(self, answer: Answer, attempts: int, duration_s: float) -> UploadSummary:
        receipt = self._source.receipt
        return UploadSummary(
            list_path=str(self._source.path),
            tracker_id=self._settings.tracker_id,
            target=self._request.shown,
            users=receipt.users,
            bytes=receipt.bytes,
            sha256=receipt.sha256,
            status=answer.status,
            attempts=attempts,
            server_said=safe_text(answer.body),
            duration_s=duration_s,
            transfer_s=round(self._took_s, 6),
        )


def _boundary() -> str:
    return f"batchpub-{secrets.token_hex(_BOUNDARY_BYTES)}"


def _frame(source: OpenList, settings: UploadSettings, boundary: str) -> Framing:
    return frame_file(
        boundary=boundary,
        part_name=settings.part_name,
        file_name=settings.file_name or shorten_file_name(source.path.name),
        part_content_type=settings.part_content_type,
        file_bytes=source.receipt.bytes,
    )


def _leaves_doubt(outcome: Answer | Failure | None) -> bool:
    """Whether a list that was handed over whole may be stored; None is an attempt cut short."""
    return not isinstance(outcome, Failure) or outcome.uncertain or outcome.doubtful


def _request(private_key: Secret, settings: UploadSettings) -> Request:
    """What every attempt sends; anything unusable is found here, before the first connection."""
    url = _target(settings)
    signer = Signer(
        private_key=private_key,
        public_key=settings.public_key or settings.tracker_id,
        scheme_word=settings.scheme_word,
        clock=time.time,
    )
    signer.headers(method="POST", content_type="multipart/form-data", path="/")
    return Request(
        url=url,
        shown=shown_url(url),
        signer=signer,
        expect_continue=settings.expect_continue,
        connect_timeout_s=parse_duration(settings.connect_timeout, option="--connect-timeout"),
        tls=tls_context(url, settings.ca_file),
        proxy=proxy_for(url),
    )


def _target(settings: UploadSettings) -> str:
    base = check_url(settings.base_url, option="--base-url")
    if base.query or base.fragment:
        raise ConfigurationError("the address has a query or a fragment", source="--base-url")
    template = settings.path_template
    if not template.startswith("/") or "{tracker_id}" not in template:
        raise ConfigurationError(
            "must begin with / and hold {tracker_id}", source="--path-template", actual=template
        )
    path = template.replace("{tracker_id}", settings.tracker_id)
    url = settings.base_url.rstrip("/") + path
    check_url(url, option="--path-template")
    return url


def _why(step: Stop, outcome: Failure) -> str | None:
    if step is Stop.NO_TIME and outcome.retry_after_s is not None:
        return f"the server asks to wait {outcome.retry_after_s:.0f} s, longer than the deadline"
    return {Stop.NO_TIME: "the deadline leaves no time for another", Stop.ATTEMPTS: None}.get(step)
