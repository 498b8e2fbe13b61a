"""Calls to one JSON API: paced, retried, bounded, and only to the place the key belongs to."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import aiohttp
import orjson
from yarl import URL

from pipeline.errors import (
    BatchpubError,
    ConfigurationError,
    InputError,
    RemoteError,
    TryLaterError,
    UncertainError,
)
from pipeline.limits import MAX_ANSWER, MAX_JSON_ANSWER
from pipeline.settings import CallSettings, Secret, parse_duration
from pipeline.transfer.answers import first_values
from pipeline.transfer.decode import ACCEPTED, open_decoder
from pipeline.transfer.failures import FOREIGN, NOT_CONNECTED, failure_of
from pipeline.transfer.session import open_session, proxy_for, tls_context
from pipeline.wire.address import check_url, same_origin, shown_url
from pipeline.wire.answer import Answer, Failure, Phase, final_error, judge_answer, judge_silence
from pipeline.wire.json_message import JsonAnswer, JsonRequest
from pipeline.wire.pacing import Pacer
from pipeline.wire.retry import RetryPolicy, Stop, next_step

__all__ = ["JsonApi"]

_log = logging.getLogger(__name__)


class JsonApi:
    """One API under one base address. An async context manager, for use within `loop.run`.

    Args:
        base_url: Where targets that are paths lie below; no other origin is ever spoken to.
        headers: Sent with every request, ``Content-Type`` with those that have a body; a `Secret`
            among them is revealed only here.
        settings: Attempts, waits and deadline; the deadline begins with the ``async with``.
        base_option: The option that the base address came from, for errors.
        remedies: What the user can do about a status that refuses.
        explain: Makes the text of a refusal that may be shown from its body, status and method.
        pacer: Says how long to wait before a request.
        on_wait: Told about every wait, in seconds, and why.

    Raises:
        ConfigurationError: an address, certificate file or header that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str | Secret],
        settings: CallSettings,
        *,
        base_option: str,
        remedies: Mapping[int, str] | None = None,
        explain: Callable[[bytes, int, str], bytes] | None = None,
        on_wait: Callable[[float, str], None] | None = None,
    ) -> None:
        parts = check_url(base_url, option=base_option)
        if parts.query or parts.fragment:
            raise ConfigurationError("the address has a query or a fragment", source=base_option)
        self._base = base_url.rstrip("/")
        self._headers = {name: _checked(name, value) for name, value in headers.items()}
        self._hidden = [
            word.encode()
            for name, value in headers.items()
            if isinstance(value, Secret)
            for word in self._headers[name].split()[-1:]
        ]
        self._remedies = remedies or {}
        self._explain = explain
        self._on_wait = on_wait
        self._deadline_s = parse_duration(settings.deadline, option="--deadline")
        self._deadline_at = float("inf")
        self._policy = RetryPolicy(
            max_attempts=settings.max_attempts,
            base_s=parse_duration(settings.retry_wait, option="--retry-wait"),
        )
        self._connect_s = parse_duration(settings.connect_timeout, option="--connect-timeout")
        self._stall_s = parse_duration(settings.stall_timeout, option="--stall-timeout")
        self._tls = tls_context(base_url, settings.ca_file)
        self._proxy = proxy_for(base_url)
        self._session: aiohttp.ClientSession | None = None
        self.requests = 0
        self.retries = 0

    async def __aenter__(self) -> Self:
        self._deadline_at = asyncio.get_running_loop().time() + self._deadline_s
        self._session = open_session(
            tls=self._tls,
            connect_timeout_s=self._connect_s,
            read_timeout_s=self._stall_s,
            reuse=True,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, request: JsonRequest, *, pacer: Pacer | None = None) -> JsonAnswer:
        """Send until an answer came that counts.

        A request whose outcome is uncertain is sent again like any other: callers ask only for
        what may happen twice.

        Args:
            request: What to send.
            pacer: Says how long to wait before each attempt, and learns from the answers.

        Raises:
            RemoteError: the service refused, or the target lies elsewhere.
            TryLaterError: no answer within the attempts and the deadline; nothing was changed.
            UncertainError: the same, and the request may have taken effect.
            MachineError: this machine has no more sockets or memory.
        """
        url = self._url(request.target)
        loop = asyncio.get_running_loop()
        uncertain: Failure | None = None
        attempts = 0
        while True:
            attempts += 1
            if pacer is not None:
                while (wait_s := pacer.wait_s(loop.time())) > 0:
                    await self.pause(wait_s, why="the rate limit")
                pacer.sent(loop.time())
            self.requests += 1
            outcome = await self._attempt(request, url, pacer)
            if isinstance(outcome, tuple):
                status, headers, value = outcome
                return JsonAnswer(
                    status=status,
                    headers=headers,
                    value=value,
                    attempts=attempts,
                    uncertain=uncertain is not None,
                )
            if outcome.uncertain and request.method != "GET":
                uncertain = outcome
            step = next_step(
                self._policy,
                attempt=attempts,
                retryable=outcome.retryable,
                time_left_s=self._deadline_at - loop.time(),
                jitter=secrets.SystemRandom().random(),
                retry_after_s=outcome.retry_after_s,
            )
            if isinstance(step, Stop):
                raise _given_up(outcome, uncertain, attempts, step)
            self.retries += 1
            _log.info(
                "attempt %d: %s; next in %.1f s", attempts, outcome.error.message, step.seconds
            )
            await self.pause(step.seconds, why=outcome.error.message)

    async def pause(self, seconds: float, *, why: str) -> None:
        """Wait.

        Raises:
            TryLaterError: the deadline would pass meanwhile.
        """
        if asyncio.get_running_loop().time() + seconds >= self._deadline_at:
            raise self._deadline()
        if self._on_wait is not None:
            self._on_wait(seconds, why)
        await asyncio.sleep(seconds)

    def _url(self, target: str) -> str:
        url = self._base + target if target.startswith("/") else target
        if not same_origin(self._base, url):
            raise RemoteError(
                "the service points to another place; nothing was sent there",
                source=shown_url(self._base),
                actual=shown_url(url),
                remedy="check the address; tell whoever runs the service",
            )
        try:
            check_url(url, option="links")
        except ConfigurationError as error:
            raise RemoteError(
                f"the service gives an address that cannot be used: {error.message}",
                source=shown_url(self._base),
            ) from error
        return url

    async def _attempt(
        self, request: JsonRequest, url: str, pacer: Pacer | None
    ) -> tuple[int, Mapping[str, str], object] | Failure:
        """One exchange: the answer that counts, or what went wrong."""
        if self._session is None:
            raise ValueError("the API is not open")
        shown = shown_url(url)
        try:
            async with (
                asyncio.timeout_at(self._deadline_at) as limit,
                self._session.request(
                    request.method,
                    URL(url, encoded=True),
                    data=request.body,
                    headers=self._headers_of(request),
                    allow_redirects=False,
                    proxy=self._proxy,
                ) as response,
            ):
                headers = first_values(response)
                body = await _read(response, headers, shown)
                if pacer is not None:
                    pacer.learn(headers, asyncio.get_running_loop().time())
        except BatchpubError as error:
            return Failure(error=error, retryable=False)
        except FOREIGN as error:
            if limit.expired():
                return Failure(error=self._deadline(), retryable=False, uncertain=True)
            phase = Phase.CONNECTING if isinstance(error, NOT_CONNECTED) else Phase.SENT
            return failure_of(error, phase=phase, source=shown)
        return self._judged(request, response.status, headers, body, shown)

    def _headers_of(self, request: JsonRequest) -> dict[str, str]:
        headers = {"Accept-Encoding": ACCEPTED, **self._headers}
        if request.body is None:
            headers.pop("Content-Type", None)
        return headers

    def _judged(
        self,
        request: JsonRequest,
        status: int,
        headers: Mapping[str, str],
        body: bytes | None,
        shown: str,
    ) -> tuple[int, Mapping[str, str], object] | Failure:
        if body is None:
            return judge_silence("the answer is damaged", phase=Phase.SENT, source=shown)
        if 200 <= status < 300 or status in request.expected:
            try:
                return status, headers, orjson.loads(body) if body.strip() else None
            except orjson.JSONDecodeError:
                reason = f"the answer is not JSON ({status})"
                return judge_silence(reason, phase=Phase.SENT, source=shown)
        if self._explain is not None:
            body = self._explain(body, status, request.method)
        for word in self._hidden:  # a service may quote what it was sent
            body = body.replace(word, b"***")
        answer = Answer(
            status=status, headers=headers, body=body[:MAX_ANSWER], received_at=time.time()
        )
        judged = judge_answer(answer, phase=Phase.SENT, source=shown, remedies=self._remedies)
        return judged or judge_silence(f"an answer {status}", phase=Phase.SENT, source=shown)

    def _deadline(self) -> TryLaterError:
        return TryLaterError(
            "the deadline passed",
            source=shown_url(self._base),
            limit=f"{self._deadline_s:g} s",
            remedy="raise --deadline, or run the same command again: it goes on where it stopped",
        )


async def _read(
    response: aiohttp.ClientResponse, headers: Mapping[str, str], shown: str
) -> bytes | None:
    """The whole body, unpacked; None when its packing is damaged.

    Raises:
        RemoteError: it is larger than any answer should be, or packed in an unknown way.
    """
    decoder = open_decoder(
        headers.get("content-encoding", ""), source=shown, max_bytes=MAX_JSON_ANSWER
    )
    body = bytearray()
    try:
        while block := await response.content.readany():
            for piece in decoder.feed(block):
                body += piece
        body += decoder.close()
    except InputError as error:
        if decoder.bytes <= MAX_JSON_ANSWER:
            return None
        raise RemoteError(
            "the answer is too large", source=shown, limit=f"{MAX_JSON_ANSWER:,} bytes"
        ) from error
    return bytes(body)


def _given_up(last: Failure, uncertain: Failure | None, attempts: int, step: Stop) -> BatchpubError:
    why = "the deadline leaves no time for another" if step is Stop.NO_TIME else None
    error = final_error(last, uncertain=None, attempts=attempts, why=why)
    if uncertain is None or isinstance(error, ConfigurationError):
        return error
    return UncertainError(
        f"a request was sent whole, but no trustworthy answer came: {error.message}",
        source=error.source,
        remedy="it may have taken effect: run the same command again, which does no harm",
    )


def _checked(name: str, value: str | Secret) -> str:
    text = value.reveal() if isinstance(value, Secret) else value
    if not text.isascii() or not text.isprintable():
        raise ConfigurationError("the header's value is not printable ASCII", source=name)
    return text
