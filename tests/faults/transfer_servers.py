"""Loopback servers that do exactly what a test tells them, byte by byte, on plain sockets."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

JOIN_S = 20.0
# Self-signed, for localhost and 127.0.0.1; good for nothing but these tests.
CERTIFICATE = Path(__file__).with_name("transfer_loopback.pem")


class Peer:
    """One connection, as the server sees it."""

    def __init__(self, connection: socket.socket, server: Server) -> None:
        self.socket = connection
        self.server = server
        self.received = bytearray()

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes; fewer when the client ends first."""
        while len(self.received) < size:
            block = self.socket.recv(1 << 16)
            if not block:
                break
            self.received += block
        taken = bytes(self.received[:size])
        del self.received[:size]
        return taken

    def read_head(self) -> bytes:
        """The request line and the headers, empty line included."""
        while b"\r\n\r\n" not in self.received:
            block = self.socket.recv(1 << 16)
            if not block:
                break
            self.received += block
        end = self.received.find(b"\r\n\r\n")
        head = self.read(end + 4 if end >= 0 else len(self.received))
        self.server.heads.append(head)
        return head

    def read_body(self, head: bytes) -> bytes:
        """As many bytes as the head declares; fewer when the client ends first."""
        return self.read(content_length(head))

    def store_request(self) -> bytes:
        """Read a whole request; only a complete body replaces what is stored."""
        head = self.read_head()
        body = self.read_body(head)
        if len(body) == content_length(head):
            self.server.store(head, body)
        return body

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A complete answer; header names with _ for -."""
        lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def reset(self) -> None:
        """Close with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_for_end(self) -> int:
        """Read until the client is gone; the number of bytes that still came."""
        count = len(self.received)
        with suppress(OSError):
            while block := self.socket.recv(1 << 16):
                count += len(block)
        return count


Script = Callable[[Peer], None]


@dataclass
class Server:
    """What a server heard and holds; each connection is served by the next script, or the last."""

    scripts: list[Script]
    port: int = 0
    scheme: str = "http"
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    stored: bytes = b"old list"
    errors: list[Exception] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    """Set when the block ends: what a script that only waits waits for."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def store(self, head: bytes, body: bytes) -> None:
        self.bodies.append(body)
        boundary = re.search(rb"boundary=([^\r\n;]+)", head)
        assert boundary is not None
        start = body.index(b"\r\n\r\n") + 4
        self.stored = body[start : body.rindex(b"\r\n--" + boundary[1] + b"--")]


@contextmanager
def serving(*scripts: Script, tls: bool = False) -> Iterator[Server]:
    """A server on a free loopback port, ended with the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    # Small, so that a client cannot be done with a big body before the server has read most of it.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    server = Server(
        list(scripts), port=listener.getsockname()[1], scheme="https" if tls else "http"
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    threads: list[threading.Thread] = []
    open_sockets: list[socket.socket] = []

    def serve(connection: socket.socket, script: Script) -> None:
        try:
            if tls:
                connection = context.wrap_socket(connection, server_side=True)
            script(Peer(connection, server))
        except OSError:
            pass  # the client went away, as many scripts expect
        except Exception as error:  # noqa: BLE001 - shown when the block ends
            server.errors.append(error)
        finally:
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(JOIN_S)
            script = server.scripts[min(server.connections, len(server.scripts) - 1)]
            server.connections += 1
            open_sockets.append(connection)
            thread = threading.Thread(target=serve, args=(connection, script), daemon=True)
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.release.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(JOIN_S)
        for connection in open_sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(JOIN_S)
    assert [] == server.errors


def content_length(head: bytes) -> int:
    found = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
    assert found is not None
    return int(found[1])


def header(head: bytes, name: str) -> str:
    found = re.search(rf"(?im)^{name}: *(.*?)\r?$", head.decode("latin-1"))
    assert found is not None, name
    return found[1]


def store_and_answer(status: int = 201, body: bytes = b'{"ok":true}', **headers: str) -> Script:
    """Store the list, then answer."""

    def script(peer: Peer) -> None:
        peer.store_request()
        peer.answer(status, body, **headers)

    return script


def refuse(status: int, body: bytes = b"", **headers: str) -> Script:
    """Read the whole request, store nothing, answer."""

    def script(peer: Peer) -> None:
        peer.read_body(peer.read_head())
        peer.answer(status, body, **headers)

    return script


def serve_file(
    data: bytes,
    *,
    cut: int | None = None,
    ranges: bool = True,
    declared: int | None = None,
    head_etag: str | None = None,
    version: Mapping[str, str] | None = None,
    **extra_headers: str,
) -> Script:
    """A file server that may break off after `cut` bytes of an answer's body."""
    headers = {name.replace("_", "-"): value for name, value in extra_headers.items()}
    headers |= version or {}
    etag = headers.get("ETag")

    def script(peer: Peer) -> None:
        head = peer.read_head()
        if head.startswith(b"HEAD"):
            peer.answer(200 if head_etag else 405, b"", ETag=head_etag or "")
            return
        status, body, extra = 200, data, dict(headers)
        asked = re.search(rb"(?i)range: bytes=(\d+)-\r", head)
        asked_version = re.search(rb"(?im)^if-none-match: *(.*?)\r?$", head)
        if etag and asked_version and asked_version[1].decode() == etag:
            peer.answer(304, ETag=etag)
            return
        if ranges and asked and header(head, "if-range") in {etag, headers.get("Last-Modified")}:
            start = int(asked[1])
            status, body = 206, data[start:]
            extra["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        lines = [f"HTTP/1.1 {status} OK", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in extra.items()]
        lines += [f"Content-Length: {len(body) if declared is None else declared}"]
        peer.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body[:cut])

    return script
