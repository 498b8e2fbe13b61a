"""One attempt at an upload: connect, sign, send, and say what is true afterwards.

Strategy: the signature is good for seconds while name, connection and TLS may take longer, so it
is made when the connection stands, in the moment the headers are written. What an attempt means
depends on how far it got, so it keeps its own account: connecting, sending, sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from yarl import URL

from pipeline.errors import TryLaterError
from pipeline.settings import Secret
from pipeline.transfer.answers import first_values, read_text
from pipeline.transfer.body import ListBody
from pipeline.transfer.failures import FOREIGN, failure_of
from pipeline.transfer.session import open_session
from pipeline.wire.answer import Answer, Failure, Phase, judge_answer, judge_silence
from pipeline.wire.multipart import Framing
from pipeline.wire.retry import megabits_per_second, too_slow
from pipeline.wire.signing import authorization, http_date, sign, string_to_sign

if TYPE_CHECKING:
    import ssl

    from aiohttp.connector import Connection

__all__ = ["Attempt", "Request", "Signer"]

# RFC 9110 §10.1.1: a client does not wait for consent for ever.
_CONSENT_S: Final = 2.0
_RATE_SAMPLES: Final = 20


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Who signs, and by which clock (seconds since 1970)."""

    private_key: Secret
    public_key: str
    scheme_word: str
    clock: Callable[[], float]

    def headers(self, *, method: str, content_type: str, path: str) -> dict[str, str]:
        """``Date`` and ``Authorization`` of a request that is sent now."""
        date = http_date(self.clock())
        text = string_to_sign(method=method, content_type=content_type, date=date, path=path)
        digest = sign(self.private_key, text)
        signature = authorization(
            scheme_word=self.scheme_word, public_key=self.public_key, digest=digest
        )
        return {"Date": date, "Authorization": signature}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What every attempt of one upload sends, and where."""

    url: str
    shown: str
    signer: Signer
    expect_continue: bool
    connect_timeout_s: float
    tls: ssl.SSLContext | bool
    proxy: str | None


class Attempt:
    """One exchange. `run` it once; afterwards `sent_bytes` and `elapsed_s` tell its rate."""

    def __init__(self, request: Request, framing: Framing, body: ListBody) -> None:
        self._request = request
        self._framing = framing
        self._body = body
        self._transport: asyncio.Transport | None = None
        self._slow: Failure | None = None

    @property
    def phase(self) -> Phase:
        """How far it got. Sent means handed to the transport: what became of it is unknown."""
        if self._transport is None:
            return Phase.CONNECTING
        return Phase.SENT if self._body.complete else Phase.SENDING

    @property
    def sent_bytes(self) -> int:
        """Bytes of the list given to the transport."""
        return self._body.sent

    def elapsed_s(self) -> float:
        """Seconds since the body began."""
        if self._body.began_at is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._body.began_at

    async def run(self, *, deadline_at: float) -> Answer | Failure:
        """Send, and give the answer of success or what went wrong.

        Args:
            deadline_at: When to give up, by the event loop's clock.
        """
        watch = asyncio.create_task(self._watch_rate(deadline_at))
        try:
            async with asyncio.timeout_at(deadline_at) as limit:
                outcome = await self._exchange()
        except FOREIGN as error:
            outcome = self._deadline() if limit.expired() else self._trouble(error)
        finally:
            watch.cancel()
            if self._transport is not None:
                # Nothing of an unfinished body may follow; a finished exchange has nothing left.
                self._transport.abort()
        return outcome

    async def _exchange(self) -> Answer | Failure:
        request = self._request
        session = open_session(
            tls=request.tls,
            connect_timeout_s=request.connect_timeout_s,
            request_class=self._signed_request(),
        )
        headers = {
            "Content-Type": self._framing.content_type,
            "Content-Length": str(self._framing.content_length),
            "Accept-Encoding": "identity",
        }
        async with (
            session,
            session.post(
                URL(request.url, encoded=True),
                data=self._body,
                headers=headers,
                allow_redirects=False,
                expect100=request.expect_continue,
                proxy=request.proxy,
            ) as response,
        ):
            if 200 <= response.status < 300:
                await self._until_sent(response)
            # The phase is the one before the text is read: reading it ends the sending.
            phase = self.phase if self._flushed() else Phase.SENDING
            answer = Answer(
                status=response.status,
                headers=first_values(response),
                body=await read_text(response),
                received_at=request.signer.clock(),
            )
        if self._body.error is not None:
            return self._trouble(self._body.error)
        return judge_answer(answer, phase=phase, source=request.shown) or answer

    def _signed_request(self) -> type[aiohttp.ClientRequest]:
        attempt = self

        class SignedRequest(aiohttp.ClientRequest):
            """Signs when the connection stands."""

            async def send(self, conn: Connection) -> aiohttp.ClientResponse:
                loop = asyncio.get_running_loop()
                attempt._opened(conn)
                if self._continue is not None:
                    loop.call_later(_CONSENT_S, _give_consent, self._continue)
                self.headers.update(
                    attempt._request.signer.headers(
                        method=self.method,
                        content_type=self.headers["Content-Type"],
                        path=self.url.raw_path,
                    )
                )
                return await super().send(conn)

        return SignedRequest

    def _opened(self, connection: Connection) -> None:
        transport = connection.transport
        if transport is None or transport.is_closing():
            raise aiohttp.ServerDisconnectedError
        self._transport = transport

    def _flushed(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() == 0

    async def _until_sent(self, response: aiohttp.ClientResponse) -> None:
        """Success that comes early is none yet: a server may begin to answer before it has all."""
        while not (self._body.complete and self._flushed()):
            if response.content.is_eof() or response.content.exception() is not None:
                break
            await asyncio.sleep(0.01)

    def _trouble(self, error: BaseException) -> Failure:
        if self._body.error is not None:
            error = self._body.error
        elif self._slow is not None and self.phase is not Phase.SENT:
            return self._slow
        return failure_of(error, phase=self.phase, source=self._request.shown)

    def _deadline(self) -> Failure:
        total = self._framing.content_length
        reason = {
            Phase.CONNECTING: "the deadline passed before a connection stood",
            Phase.SENDING: f"the deadline passed with {self.sent_bytes:,} of {total:,} bytes sent",
            Phase.SENT: "the deadline passed while the answer was awaited",
        }[self.phase]
        return judge_silence(reason, phase=self.phase, source=self._request.shown)

    async def _watch_rate(self, deadline_at: float) -> None:
        """Abort as soon as the measured rate cannot finish in time."""
        loop = asyncio.get_running_loop()
        interval_s = min(max((deadline_at - loop.time()) / 100, 0.02), 1.0)
        samples: deque[tuple[float, int]] = deque(maxlen=_RATE_SAMPLES)
        total = self._framing.content_length
        while not self._body.complete:
            await asyncio.sleep(interval_s)
            # Waiting for consent is not sending.
            if self._body.began_at is None or self._transport is None:
                continue
            now = loop.time()
            samples.append((now, self.sent_bytes))
            if too_slow(
                sent_bytes=self.sent_bytes,
                recent_bytes=self.sent_bytes - samples[0][1],
                total_bytes=total,
                elapsed_s=now - self._body.began_at,
                recent_s=now - samples[0][0],
                time_left_s=deadline_at - now,
            ):
                self._slow = self._too_slow(now, deadline_at)
                self._transport.abort()
                return

    def _too_slow(self, now: float, deadline_at: float) -> Failure:
        rest = self._framing.content_length - self.sent_bytes
        needed = megabits_per_second(rest, deadline_at - now)
        actual = megabits_per_second(self.sent_bytes, self.elapsed_s())
        error = TryLaterError(
            "the connection is too slow to finish before the deadline",
            source=self._request.shown,
            limit=f"{needed:.3g} Mbit/s needed",
            actual=f"{actual:.3g} Mbit/s",
            remedy="use a faster connection, or prepare a smaller list with --max-bytes",
        )
        return Failure(error=error, retryable=False)


def _give_consent(waiter: asyncio.Future[Any]) -> None:
    if not waiter.done():
        waiter.set_result(True)
