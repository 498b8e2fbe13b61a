"""Sessions that speak to one place: names, TLS, proxies. Nothing is read from netrc."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from pipeline import __version__
from pipeline.errors import ConfigurationError
from pipeline.limits import READ_CHUNK
from pipeline.wire.address import is_loopback

__all__ = ["USER_AGENT", "open_session", "proxy_for", "tls_context"]

USER_AGENT: Final = f"batchpub/{__version__}"
_log = logging.getLogger(__name__)


def open_session(
    *,
    tls: ssl.SSLContext | bool,
    connect_timeout_s: float,
    read_timeout_s: float | None = None,
    read_bufsize: int = READ_CHUNK,
    request_class: type[aiohttp.ClientRequest] = aiohttp.ClientRequest,
    reuse: bool = False,
) -> aiohttp.ClientSession:
    """A session with one connection at a time, no cookies, bytes as they come.

    Args:
        tls: Certificates to trust.
        connect_timeout_s: Time for name, connection and TLS, in seconds.
        read_timeout_s: Longest silence while an answer is awaited or read, in seconds.
        read_bufsize: Bytes of an answer's body that wait to be read, half of the most.
        request_class: Who writes the request.
        reuse: Keep the connection for the next request; by default each has one of its own.
    """
    connector = aiohttp.TCPConnector(
        ssl=tls, force_close=not reuse, limit=1, use_dns_cache=False, resolver=_Resolver()
    )
    return aiohttp.ClientSession(
        connector=connector,
        # aiohttp's own total is 300 s; deadlines are kept by the callers.
        timeout=aiohttp.ClientTimeout(
            total=None, connect=connect_timeout_s, sock_read=read_timeout_s
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept": "*/*", "User-Agent": USER_AGENT},
        auto_decompress=False,
        read_bufsize=read_bufsize,
        request_class=request_class,
    )


def tls_context(url: str, ca_file: Path | None) -> ssl.SSLContext | bool:
    """Certificates to trust for `url`; plain http needs none.

    Raises:
        ConfigurationError: the file cannot be read or holds no certificates.
    """
    if not url.startswith("https:"):
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:  # an OSError too, so it comes first
        raise ConfigurationError(
            "the file holds no certificates", source=ca_file, remedy="give certificates as PEM"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the certificates: {error.strerror}", source=ca_file
        ) from error


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for `url`; this machine itself needs none.

    Raises:
        ConfigurationError: the proxy is not an http or https one.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies_environment()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found:
        return None
    proxy = found if "://" in found else f"http://{found}"
    try:
        usable = urlsplit(proxy).scheme in {"http", "https"} and urlsplit(proxy).hostname
    except ValueError:
        usable = None
    if not usable:
        raise ConfigurationError(
            "the proxy of the environment is not an http or https address",
            source=f"{parts.scheme}_proxy",
            remedy="set it to http://host:port, or unset it",
        )
    return proxy


class _Resolver(AbstractResolver):
    """Host names through the system, in daemon threads: a name server that hangs holds nobody up.

    asyncio's own threads are joined when the loop ends, so Ctrl-C would wait for the name server.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def deliver(result: list[ResolveResult] | OSError) -> None:
            if found.done():
                return
            if isinstance(result, OSError):
                found.set_exception(result)
            else:
                found.set_result(result)

        def look_up() -> None:
            result: list[ResolveResult] | OSError
            try:
                result = _look_up(host, port, family)
            except (OSError, UnicodeError) as error:
                result = error if isinstance(error, OSError) else socket.gaierror(str(error))
            try:
                loop.call_soon_threadsafe(deliver, result)
            except RuntimeError:  # the loop has ended: nobody waits any more
                _log.debug("a host name was resolved too late")

        threading.Thread(target=look_up, name="resolve", daemon=True).start()
        return await found

    async def close(self) -> None:
        """There is nothing to release."""


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=port,
            family=kind,
            proto=protocol,
            flags=numeric,
        )
        for kind, _, protocol, _, address in socket.getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
    ]
