"""The exact request of an upload, byte for byte, against the golden file.

Rewrite it with BATCHPUB_GOLDEN=1 and read the diff.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from pipeline.records import Receipt
from pipeline.settings import Secret
from pipeline.transfer.attempt import Attempt, Request, Signer
from pipeline.transfer.body import ListBody, open_list
from pipeline.wire.answer import Answer
from pipeline.wire.multipart import frame_file

GOLDEN = Path(__file__).parents[1] / "golden" / "wire_upload_request.http"
CONTENT = '{"auth_user_id":"u1"}\n{"auth_user_id":"ž✓"}\n'.encode()


async def captured(list_path: Path) -> bytes:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"--\r\n")  # the final boundary
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        heard.set_result(request)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    receipt = Receipt(
        list_name="users.jsonl",
        format="jsonl",
        bytes=len(CONTENT),
        users=2,
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        created_at="2026-11-23T00:00:00Z",
    )
    framing = frame_file(
        boundary="batchpub-0123456789abcdef",
        part_name="file",
        file_name="users.jsonl",
        part_content_type="application/octet-stream",
        file_bytes=len(CONTENT),
    )
    request = Request(
        url=f"http://127.0.0.1:{port}/v1/recommender/batching/1234-5678/users",
        shown="",
        signer=Signer(
            private_key=Secret("your_private_key"),
            public_key="1234-5678",
            scheme_word="ApiAuth",
            clock=lambda: 1_498_738_276.0,
        ),
        expect_continue=False,
        connect_timeout_s=5.0,
        tls=True,
        proxy=None,
    )
    async with server:
        with open_list(list_path, receipt) as source:
            body = ListBody(source, framing, on_sent=lambda sent: None, chunk_bytes=7)
            attempt = Attempt(request, framing, body)
            outcome = await attempt.run(deadline_at=asyncio.get_running_loop().time() + 10)
            await body.aclose()
        assert isinstance(outcome, Answer)
        return (await heard).replace(f":{port}\r\n".encode(), b":PORT\r\n")


async def test_the_request_is_the_golden_one(tmp_path: Path) -> None:
    path = tmp_path / "users.jsonl"
    path.write_bytes(CONTENT)
    request = await captured(path)
    if os.environ.get("BATCHPUB_GOLDEN"):
        GOLDEN.write_bytes(request)

    assert GOLDEN.read_bytes() == request
    # Row 1 of the vectors: the golden file cannot drift into a wrong signature.
    assert b"1234-5678:DN6ihalgav5rW8W2i5Fhtw1EufgKRdQqCmxofSnCC+E=\r\n" in request
