"""Every exception of the network library becomes an error of ours."""

from __future__ import annotations

import errno
import inspect
import socket
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from pipeline.errors import (
    BatchpubError,
    ConfigurationError,
    InputError,
    MachineError,
    RemoteError,
    TryLaterError,
)
from pipeline.transfer.failures import FOREIGN, failure_of
from pipeline.wire.answer import Phase

SOURCE = "https://host/"
URL_WITH_SECRET = URL("https://host/?token=s3cret")
KEY = ConnectionKey("host", 443, True, True, None, None, None, None)
INFO = RequestInfo(
    URL_WITH_SECRET,
    "POST",
    CIMultiDictProxy(CIMultiDict({"Authorization": "s3cret"})),
    URL_WITH_SECRET,
)
CLASSES = sorted(
    {
        found
        for _, found in inspect.getmembers(aiohttp.client_exceptions, inspect.isclass)
        if issubclass(found, aiohttp.ClientError)
    },
    key=lambda found: found.__name__,
)


def made(kind: type[aiohttp.ClientError]) -> aiohttp.ClientError:
    """An instance with fields as the library fills them."""
    os_error = OSError(errno.ECONNREFUSED, "s3cret")
    if issubclass(kind, aiohttp.ClientConnectorCertificateError):
        verification = ssl.SSLCertVerificationError(1, "s3cret")
        verification.verify_message = "self-signed certificate"
        return kind(KEY, verification)
    if kind.__name__ == "UnixClientConnectorError":
        return kind("path", KEY, os_error)
    if issubclass(kind, aiohttp.ClientConnectorError):
        return kind(KEY, os_error)
    if issubclass(kind, aiohttp.ClientResponseError):
        return kind(INFO, (), status=400, message="s3cret")
    if issubclass(kind, aiohttp.ServerFingerprintMismatch):
        return kind(b"a", b"b", "host", 443)
    return kind("s3cret")


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_exception_of_the_library_is_translated(
    kind: type[aiohttp.ClientError], phase: Phase
) -> None:
    error = made(kind)
    failure = failure_of(error, phase=phase, source=SOURCE)

    assert isinstance(error, FOREIGN)
    assert type(failure.error) in {ConfigurationError, RemoteError, TryLaterError, MachineError}
    assert "s3cret" not in str(failure.error) + repr(failure)
    assert failure.uncertain is (phase is Phase.SENT and not isinstance(error, aiohttp.InvalidURL))


def test_the_library_has_classes_to_translate() -> None:
    assert 25 <= len(CLASSES)


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        (aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "")), TryLaterError, True),
        (aiohttp.ClientConnectorError(KEY, OSError(errno.EMFILE, "")), MachineError, False),
        (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-3, "")), TryLaterError, True),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLEOFError(8, "eof")), TryLaterError, True),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "wrong")), RemoteError, False),
        (aiohttp.ClientHttpProxyError(INFO, (), status=407), RemoteError, False),
        (aiohttp.ClientHttpProxyError(INFO, (), status=502), TryLaterError, True),
        (aiohttp.ConnectionTimeoutError(), TryLaterError, True),
        (TimeoutError(), TryLaterError, True),
        (ConnectionResetError(errno.ECONNRESET, ""), TryLaterError, True),
        (aiohttp.InvalidURL("x"), ConfigurationError, False),
        (InputError("ours"), InputError, False),
    ],
)
def test_before_a_connection_stands(
    error: Exception, kind: type[BatchpubError], retryable: bool
) -> None:
    failure = failure_of(error, phase=Phase.CONNECTING, source=SOURCE)

    assert (kind, retryable, False) == (type(failure.error), failure.retryable, failure.uncertain)
