"""The sandbox as a running server: on the command line, in a test, in a notebook.

It keeps to api.md §8 where the real service is documented. What is not documented it decides
thus, and so may the real service not: status and body of every answer but for the kind of the
status; an upload that is cut or invalid leaves the old list as it was; an empty list is accepted
and replaces the old one (protecting people from that is the client's work); ids must be strings;
duplicate ids are kept; fields of the form beside `file` are ignored; a compressed body is refused.

What goes wrong on purpose is described in `faults`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Final

import orjson
from aiohttp import web

from pipeline.errors import ConfigurationError, MachineError, Terminated
from pipeline.loop import run
from pipeline.publish import machine_errors
from pipeline.records import SandboxReady
from pipeline.sandbox.answers import no_answer, set_date
from pipeline.sandbox.control import ELSEWHERE, error_answer, export_path, routes
from pipeline.sandbox.exports import send_export
from pipeline.sandbox.faults import FaultPlan, parse_faults
from pipeline.sandbox.journal import ENTRY
from pipeline.sandbox.klaviyo import KLAVIYO, Klaviyo, klaviyo_routes
from pipeline.sandbox.klaviyo_control import klaviyo_control_routes
from pipeline.sandbox.signature import Keys
from pipeline.sandbox.smartemailing import smartemailing_routes
from pipeline.sandbox.state import STATE, State
from pipeline.sandbox.store import Store
from pipeline.sandbox.upload import continue_later, receive_upload
from pipeline.settings import SandboxSettings

__all__ = ["create_app", "running", "serve"]

_CONTROL: Final = "/_sandbox/"
# Whoever is still sending when it has been refused gets this long to read the answer.
_LINGER_S: Final = 10.0
_SHUTDOWN_S: Final = 0.5


def create_app(settings: SandboxSettings) -> web.Application:
    """The sandbox as an aiohttp application; what it stores is gone when it is cleaned up.

    Raises:
        ConfigurationError: the fault plan is not one.
        MachineError: the fault plan cannot be read.
    """
    plan = _plan(settings.faults)
    app = web.Application(middlewares=[_log, _translate])
    app.on_response_prepare.append(set_date)

    async def state(app: web.Application) -> AsyncIterator[None]:
        public_key = settings.public_key or settings.tracker_id
        with machine_errors(settings.temp_dir or "the temporary folder", "write"):
            folder = tempfile.TemporaryDirectory(prefix="batchpub-", dir=settings.temp_dir)
        with folder:
            app[STATE] = State(
                settings=settings,
                keys=Keys(
                    tracker_id=settings.tracker_id,
                    public_key=public_key,
                    private_key=settings.private_key,
                ),
                store=Store(Path(folder.name)),
                plan=plan,
            )
            yield

    async def stop_waiting(app: web.Application) -> None:
        app[STATE].halt.set()
        app[STATE].stopping.set()

    app.cleanup_ctx.append(state)
    app.on_shutdown.append(stop_waiting)
    paths = ["/v1/recommender/batching/{tracker}/users"]
    if settings.legacy_path:
        paths.append("/v1/batching/{tracker}/users")
    for path in paths:
        app.router.add_post(path, receive_upload, expect_handler=continue_later)
    app.router.add_get(
        "/exports/{tracker}/recommendations.{format:xml|json|jsonl}", send_export, allow_head=True
    )
    app.add_routes(routes())
    app[KLAVIYO] = Klaviyo()
    app.add_routes([*klaviyo_routes(), *klaviyo_control_routes()])
    app.add_routes(smartemailing_routes())
    return app


def serve(settings: SandboxSettings, *, on_ready: Callable[[SandboxReady], None]) -> None:
    """Run in the main thread until Ctrl-C or SIGTERM, which pass through after a clean end.

    Raises:
        ConfigurationError: the address is not a loopback one, or the fault plan is not valid.
        MachineError: the port cannot be had.
        Terminated: SIGTERM came, and the caller has no handler of its own for it.
    """

    async def main() -> None:
        async with _started(settings) as ready:
            on_ready(ready)
            await asyncio.Event().wait()

    with _terminated_by_default():
        run(main())


@contextmanager
def _terminated_by_default() -> Iterator[None]:
    """Let SIGTERM raise where it would kill, so that what is stored is removed first."""
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def running(settings: SandboxSettings) -> Iterator[SandboxReady]:
    """A sandbox in a thread of its own, for tests and notebooks.

    Raises:
        ConfigurationError: as `serve`.
        MachineError: as `serve`.
    """
    began: SimpleQueue[tuple[SandboxReady, Callable[[], object]] | BaseException] = SimpleQueue()

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with _started(settings) as ready:
            began.put((ready, partial(loop.call_soon_threadsafe, stop.set)))
            await stop.wait()

    def work() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            began.put(error)

    thread = threading.Thread(target=work, name="sandbox", daemon=True)
    thread.start()
    first = began.get()
    if isinstance(first, BaseException):
        thread.join()
        raise first
    ready, stop = first
    try:
        yield ready
    finally:
        stop()
        thread.join()
    if not began.empty():
        ended = began.get()
        if isinstance(ended, BaseException):
            raise ended


@asynccontextmanager
async def _started(settings: SandboxSettings) -> AsyncIterator[SandboxReady]:
    with _listen(settings) as listener:
        runner = web.AppRunner(
            create_app(settings),
            access_log=None,
            auto_decompress=False,
            lingering_time=_LINGER_S,
            shutdown_timeout=_SHUTDOWN_S,
        )
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield _ready(settings, listener.getsockname())
        finally:
            await runner.cleanup()


def _ready(settings: SandboxSettings, address: tuple[str, int]) -> SandboxReady:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    base_url = f"http://{host}:{address[1]}"
    return SandboxReady(
        base_url=base_url,
        tracker_id=settings.tracker_id,
        public_key=settings.public_key or settings.tracker_id,
        private_key=settings.private_key,
        klaviyo_key=settings.klaviyo_key,
        smartemailing_user=settings.smartemailing_user,
        smartemailing_key=settings.smartemailing_key,
        export_url=base_url + export_path(settings.tracker_id, "xml"),
    )


def _listen(settings: SandboxSettings) -> socket.socket:
    host = "127.0.0.1" if settings.host.lower() == "localhost" else settings.host.strip("[]")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(
            "the sandbox listens on this machine only",
            source="--host",
            actual=settings.host,
            remedy="use 127.0.0.1 or ::1",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.receive_buffer is not None:
            # Accepted connections inherit it, and only when it is set before listening.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, settings.receive_buffer)
        listener.bind((host, settings.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise MachineError(
            f"cannot listen: {error.strerror}",
            source=f"{host}:{settings.port}",
            remedy="use another --port; 0 takes a free one",
        ) from error
    return listener


def _plan(path: Path | None) -> FaultPlan:
    if path is None:
        return FaultPlan()
    with machine_errors(path, "read"):
        text = path.read_bytes()
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(
            "the fault plan is not JSON", source=path, position=f"line {error.lineno}"
        ) from error
    faults, seed = parse_faults(value, source=path)
    return FaultPlan(faults, seed=seed or 0)


@web.middleware
async def _log(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    if request.path.startswith(_CONTROL) and request.path != ELSEWHERE:
        return await handler(request)
    entry = request[ENTRY] = request.app[STATE].journal.begin(request)
    try:
        response = await handler(request)
    except web.HTTPException as answer:
        entry.status = answer.status
        raise
    else:
        if request.transport is not None and not request.transport.is_closing():
            entry.status = response.status
        return response
    finally:
        entry.done = True


@web.middleware
async def _translate(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except (ConfigurationError, MachineError) as error:
        return error_answer(error)
    except ConnectionError:  # the client went away while it was being answered
        return no_answer()
