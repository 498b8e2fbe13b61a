"""Downloading an export while it is parsed: resumed after a break, never two versions mixed."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp
from yarl import URL

from pipeline.errors import BatchpubError, ConfigurationError, RemoteError, TryLaterError
from pipeline.limits import EXPORT_PIECE
from pipeline.loop import run
from pipeline.records import DownloadSummary, OnProgress, Progress, ignore_progress
from pipeline.settings import FetchSettings, Secret, parse_duration, parse_size
from pipeline.transfer.answers import first_values, read_text
from pipeline.transfer.decode import ACCEPTED
from pipeline.transfer.failures import FOREIGN, NOT_CONNECTED, failure_of
from pipeline.transfer.feeder import Feeder, FeedStoppedError
from pipeline.transfer.local_file import file_path, is_file_url, read_local
from pipeline.transfer.session import open_session, proxy_for, tls_context
from pipeline.wire.address import check_url, shown_url
from pipeline.wire.answer import Answer, Failure, Phase, final_error
from pipeline.wire.export_answer import (
    REDIRECTS,
    check_framing,
    judge_refusal,
    redirect_target,
)
from pipeline.wire.representation import Representation
from pipeline.wire.retry import RetryPolicy, Stop, next_step

__all__ = ["download", "shown_source"]

_log = logging.getLogger(__name__)
_MAX_REDIRECTS: Final = 5
# The last look at the version is a courtesy: it may not cost more than this.
_VERSION_S: Final = 10.0


def download(
    url: str,
    feed: Callable[[bytes], None],
    settings: FetchSettings,
    *,
    credentials: Mapping[str, Secret] | None = None,
    condition: Mapping[str, str] | None = None,
    awaited_until: float | None = None,
    on_progress: OnProgress = ignore_progress,
) -> DownloadSummary:
    """Fetch `url` and feed its decoded bytes; on return every byte was fed.

    Args:
        url: Address of the export, https or file.
        feed: Takes the next bytes; called in one thread of its own, in order, and never for two
            versions of the export. What it raises ends the download and comes out unchanged.
        settings: Deadlines and limits.
        credentials: Request headers by name, such as ``Authorization``; sent to the address's own
            scheme, host and port only.
        condition: The `condition` of an earlier summary: when there is no other version, nothing
            is fed and the status is 304.
        awaited_until: Time by `time.monotonic` until which the export may begin to come; with it
            an export that is not there yet is a TryLaterError.
        on_progress: Told after each block; called in the event loop, so it must not linger.

    Raises:
        ConfigurationError: an address or header that cannot be used.
        InputError: the export is damaged or too large.
        RemoteError: the server refused, or redirects elsewhere.
        TryLaterError: no whole export within the attempts and the deadline, or it changed.
    """
    condition = condition or {}
    if is_file_url(url):
        return read_local(
            url,
            feed,
            settings,
            condition=condition,
            is_awaited=awaited_until is not None,
            on_progress=on_progress,
        )
    check_url(url, option="URL")
    arriving = _Download(
        url,
        feed,
        settings,
        headers={name: secret.reveal() for name, secret in (credentials or {}).items()},
        condition=condition,
        awaited_until=awaited_until,
        on_progress=on_progress,
    )
    try:
        return run(arriving.run())
    except FeedStoppedError:
        stopped = arriving.feeder.error
    finally:
        arriving.feeder.close()
    if stopped is None:
        raise AssertionError("a feed stopped without an error")
    raise stopped


def shown_source(url: str) -> str:
    """What errors and summaries call the export at `url`.

    Raises:
        ConfigurationError: not an address that can be fetched.
    """
    if is_file_url(url):
        return file_path(url).as_uri()
    if "://" not in url:
        raise ConfigurationError(
            "not an address",
            source="URL",
            remedy="write https://host/path or file:///folder/export.xml; a file by its name is"
            " read by batchpub parse",
        )
    check_url(url, option="URL")
    return shown_url(url)


class _StartOverError(Exception):
    """A range does not fit what came before: the next attempt begins at the first byte."""


class _Download:
    """Attempts at one export, each going on where the one before broke off."""

    def __init__(
        self,
        url: str,
        feed: Callable[[bytes], None],
        settings: FetchSettings,
        *,
        headers: dict[str, str],
        condition: Mapping[str, str],
        awaited_until: float | None,
        on_progress: OnProgress,
    ) -> None:
        self._url = url
        self._final_url = url  # behind redirects
        self._shown = shown_url(url)
        self._headers = headers
        self._condition = condition
        self._awaited_until = awaited_until
        self._on_progress = on_progress
        self._deadline_s = parse_duration(settings.deadline, option="--deadline")
        self._stall_s = parse_duration(settings.stall_timeout, option="--stall-timeout")
        self._connect_s = parse_duration(settings.connect_timeout, option="--connect-timeout")
        self._policy = RetryPolicy(
            max_attempts=settings.max_attempts,
            base_s=parse_duration(settings.retry_wait, option="--retry-wait"),
        )
        self._tls: ssl.SSLContext | bool = tls_context(url, settings.ca_file)
        self._proxy = proxy_for(url)
        max_bytes = parse_size(settings.max_expanded, option="--max-expanded")
        self.feeder = Feeder(feed, source=self._shown, max_bytes=max_bytes)
        self._version: Representation | None = None
        self._offset = 0  # bytes of this version received
        self._received = 0  # bytes received in all
        self._furthest = 0
        self._has_begun = False
        self._began_at = time.monotonic()
        self._limit: asyncio.Timeout | None = None

    async def run(self) -> DownloadSummary:
        """Try until the export is whole."""
        try:
            # The loop's clock is time.monotonic.
            async with asyncio.timeout_at(self._give_up_at()) as self._limit:
                status, attempts = await self._attempts()
                await self._check_version()
        except TimeoutError as error:
            if self._limit is None or not self._limit.expired():
                raise
            raise self._too_late() from error
        version = self._version
        return DownloadSummary(
            url=self._shown,
            status=status,
            received=self._received,
            bytes=self.feeder.fed,
            attempts=attempts,
            etag=version.etag if version else None,
            last_modified=version.last_modified if version else None,
            duration_s=time.monotonic() - self._began_at,
            condition=dict(version.condition if version else self._condition),
        )

    def _give_up_at(self) -> float:
        """Once an export has begun to come, only the deadline of the download counts."""
        deadline_at = self._began_at + self._deadline_s
        if self._awaited_until is None or self._has_begun:
            return deadline_at
        return min(deadline_at, self._awaited_until)

    def _too_late(self) -> TryLaterError:
        if self._give_up_at() < self._began_at + self._deadline_s:
            return TryLaterError("no answer came in time", source=self._shown)
        return TryLaterError(
            "the deadline passed before the export was whole",
            source=self._shown,
            position=f"byte {self._offset:,}",
            limit=f"{self._deadline_s:g} s",
            remedy="raise --deadline, or try again later; nothing was changed",
        )

    async def _attempts(self) -> tuple[int, int]:
        attempts = fruitless = 0
        while True:
            attempts += 1
            fruitless += 1
            outcome = await self._attempt()
            if isinstance(outcome, int):
                return outcome, attempts
            if self._offset > self._furthest:
                self._furthest = self._offset
                fruitless = 1
            step = next_step(
                self._policy,
                attempt=fruitless,
                retryable=outcome.retryable,
                time_left_s=self._give_up_at() - time.monotonic(),
                jitter=secrets.SystemRandom().random(),
                retry_after_s=outcome.retry_after_s,
            )
            if isinstance(step, Stop):
                why = "the deadline leaves no time for another" if step is Stop.NO_TIME else None
                raise final_error(outcome, uncertain=None, attempts=attempts, why=why)
            _log.info("attempt %d: %s", attempts, outcome.error.message)
            await asyncio.sleep(step.seconds)

    async def _attempt(self) -> int | Failure:
        """One exchange: the status of success, or what went wrong."""
        try:
            async with self._session() as session:
                url = self._url
                for _ in range(_MAX_REDIRECTS + 1):
                    async with self._get(session, url, "GET") as response:
                        headers = first_values(response)
                        if response.status in REDIRECTS:
                            url = redirect_target(url, response.status, headers, source=self._shown)
                            continue
                        self._final_url = url
                        return await self._receive(response, headers)
            return self._refused(f"more than {_MAX_REDIRECTS} redirects")
        except _StartOverError:
            self._forget()
            return Failure(error=self._broken_range(), retryable=True)
        except BatchpubError as error:
            return Failure(error=error, retryable=False)
        except FOREIGN as error:
            await self.feeder.drain()
            phase = Phase.CONNECTING if isinstance(error, NOT_CONNECTED) else Phase.SENDING
            return failure_of(error, phase=phase, source=self._shown)

    def _session(self) -> aiohttp.ClientSession:
        return open_session(
            tls=self._tls,
            connect_timeout_s=self._connect_s,
            read_timeout_s=self._stall_s,
            read_bufsize=EXPORT_PIECE,
        )

    def _get(
        self, session: aiohttp.ClientSession, url: str, method: str
    ) -> aiohttp.client._RequestContextManager:
        headers = {**self._headers, "Accept-Encoding": ACCEPTED}
        version = self._version
        if method == "GET" and self._offset and version is not None and version.validator:
            headers["Range"] = f"bytes={self._offset}-"
            headers["If-Range"] = version.validator
        elif method == "GET" and self._asks:
            headers |= self._condition
        return session.request(
            method,
            URL(url, encoded=True),
            headers=headers,
            allow_redirects=False,
            proxy=self._proxy,
        )

    @property
    def _asks(self) -> bool:
        """Whether a request asks for another version than one that is known."""
        return bool(self._condition) and self._version is None and not self.feeder.fed

    async def _receive(
        self, response: aiohttp.ClientResponse, headers: Mapping[str, str]
    ) -> int | Failure:
        status = response.status
        resuming = self._offset > 0 and self._version is not None and self._version.validator
        if status == 206 and resuming and self._version is not None:
            if not self._version.continued_by(headers, offset=self._offset):
                raise _StartOverError
        elif status == 416 and resuming:
            raise _StartOverError
        elif status == 304 and self._asks:
            return status
        elif status == 200:
            version = Representation.of(headers)
            if self._asks and version.condition == self._condition:
                return 304  # the server does not know the question, and has answered it
            check_framing(headers, source=self._shown)
            self._version = version
            self._offset = 0
            self._has_begun = True
            if self._limit is not None:
                self._limit.reschedule(self._give_up_at())
            await self.feeder.begin(self._version.coding)
        else:
            answer = Answer(
                status=status,
                headers=headers,
                body=await read_text(response),
                received_at=time.time(),
            )
            return judge_refusal(
                answer, source=self._shown, is_awaited=self._awaited_until is not None
            )
        while block := await response.content.readany():
            self._offset += len(block)
            self._received += len(block)
            await self.feeder.push(block)
            self._on_progress(
                Progress(stage="fetch", done=self._offset, total=self._version.length)
            )
        if self._version.length not in {None, self._offset}:
            raise aiohttp.ClientPayloadError  # as aiohttp itself does when it sees it
        await self.feeder.end()
        return status

    async def _check_version(self) -> None:
        """Ask once more: an export that was rewritten in place may have been read half and half."""
        version = self._version
        if version is None or (version.etag is None and version.last_modified is None):
            return
        try:
            async with (
                asyncio.timeout(min(_VERSION_S, self._stall_s)),
                self._session() as session,
                self._get(session, self._final_url, "HEAD") as response,
            ):
                changed = response.status == 200 and version.replaced_by(first_values(response))
        except FOREIGN as error:
            # The export is whole; a server that does not know HEAD says nothing against it.
            _log.info("the version could not be checked: %s", type(error).__name__)
            return
        if changed:
            raise TryLaterError(
                "the export was replaced while it was being read",
                source=self._shown,
                remedy="fetch it again; nothing was changed",
            )

    def _forget(self) -> None:
        self._version = None
        self._offset = 0

    def _broken_range(self) -> TryLaterError:
        return TryLaterError("the server does not go on where it broke off", source=self._shown)

    def _refused(self, message: str) -> Failure:
        return Failure(error=RemoteError(message, source=self._shown), retryable=False)
