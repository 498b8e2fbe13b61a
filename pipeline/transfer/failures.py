"""aiohttp's exceptions as failures: each is translated here and nowhere else.

A certificate that is not trusted and a server that does not speak TLS count as the remote's no
(exit 5): another attempt ends the same way, and the remedy lies with the server or `--ca-file`.
A handshake that breaks off is a broken connection like any other (exit 6).
"""

from __future__ import annotations

import errno
import os
import socket
import ssl

import aiohttp

from pipeline.errors import BatchpubError, ConfigurationError, MachineError, RemoteError
from pipeline.wire.answer import Failure, Phase, judge_silence

__all__ = ["FOREIGN", "NOT_CONNECTED", "failure_of"]

# Everything the library lets through besides errors of our own. TimeoutError is an OSError.
FOREIGN = (aiohttp.ClientError, OSError)
# Those that can only come before a connection stands.
NOT_CONNECTED = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
)

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_NAMELESS = {getattr(socket, "EAI_NONAME", None), getattr(socket, "EAI_NODATA", None)}


def failure_of(error: BaseException, *, phase: Phase, source: str) -> Failure:
    """What an exception of the network library means.

    Args:
        error: The exception; a `BatchpubError` is taken as it is.
        phase: How far the request had got.
        source: The address to name, safe to show.
    """
    if isinstance(error, BatchpubError):
        return Failure(error=error, retryable=False)
    if isinstance(error, aiohttp.InvalidURL):
        return Failure(error=ConfigurationError("not an address", source=source), retryable=False)
    if phase is Phase.CONNECTING:
        return _not_connected(error, source)
    return judge_silence(_broken(error), phase=phase, source=source)


def _not_connected(error: BaseException, source: str) -> Failure:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    refusal = _refusal(error, cause, source)
    if refusal is not None:
        return Failure(error=refusal, retryable=False)
    remedy = None
    if isinstance(error, aiohttp.ClientHttpProxyError):
        reason = f"the proxy has no connection ({error.status})"
    elif isinstance(error, aiohttp.ClientProxyConnectionError):
        reason = f"cannot reach the proxy: {_words(cause)}"
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        known = isinstance(cause, OSError) and cause.errno in _NAMELESS
        reason = "the host name is not known" if known else "the host name cannot be resolved"
        remedy = "check the address and the name service"
    elif isinstance(error, TimeoutError):
        reason = "no connection in time"
    else:
        reason = f"cannot connect: {_words(cause)}"
    return judge_silence(reason, phase=Phase.CONNECTING, source=source, remedy=remedy)


def _refusal(error: BaseException, cause: BaseException, source: str) -> BatchpubError | None:
    """What another attempt would not mend."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RemoteError(
            f"the server's certificate is not trusted: {cause.verify_message}",
            source=source,
            remedy="check the address; give the issuer's certificate with --ca-file",
        )
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        # OpenSSL fills in its reason; an error that Python made has none.
        reason = str(getattr(cause, "reason", None) or "handshake failed").replace("_", " ")
        return RemoteError(
            f"no TLS connection: {reason.lower()}",
            source=source,
            remedy="check that the address speaks https",
        )
    if isinstance(cause, OSError) and cause.errno in _EXHAUSTED:
        return MachineError(f"cannot connect: {_words(cause)}", source=source)
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status < 500:
        return RemoteError(
            f"the proxy refused the connection ({error.status})",
            source=source,
            remedy="check the proxy in the environment and its credentials",
        )
    return None


def _broken(error: BaseException) -> str:
    """What broke an exchange that had begun, in words that quote nobody."""
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is not HTTP"  # its status is the parser's, not the server's
    if isinstance(error, TimeoutError):
        return "nothing came from the server for too long"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer ended before its end"
    if isinstance(error, OSError):
        return f"the connection broke: {_words(error)}"
    return "the connection broke"


def _words(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number is not None and not isinstance(error, socket.gaierror) and number > 0:
        return os.strerror(number).lower()
    return "connection lost"
