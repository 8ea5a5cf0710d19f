"""MCP over HTTP: one endpoint for both eras and for WebSocket, behind the guard."""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Self

from aiohttp import web

from wand_proto.context import REQUEST_ID, new_request_id
from wand_proto.errors import Denied, Unauthenticated
from wand_server.auth.guard import CHALLENGE, Guard
from wand_server.auth.origins import Misdirected
from wand_server.model import Principal
from wand_server.protocol import failures, messages
from wand_server.protocol.failures import BUSY, ProtocolFailure
from wand_server.protocol.kernel import VERSION_HEADER, Kernel
from wand_server.protocol.messages import BYTES_CEILING, Message
from wand_server.transports import bodies, replies, sse, stateful, stateless, websocket
from wand_server.transports.replies import Refused
from wand_server.transports.sessions import Sessions
from wand_server.transports.sse import EventStreams
from wand_server.transports.status import HostagentIsUp, health, readiness
from wand_server.transports.websocket import WebSockets

log = logging.getLogger(__name__)

REQUESTS_CEILING = 256
CONNECTIONS_CEILING = 4096
IDLE_SECONDS = 75.0  # a connection that sends no whole request for so long is closed
STOP_SECONDS = 2.0

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class HttpTransport:
    """Serves MCP on a TCP port while entered; port 0 takes a free one, which `port` then tells."""

    kernel: Kernel
    guard: Guard
    hostagent_is_up: HostagentIsUp
    host: str = "127.0.0.1"
    port: int = 0
    legacy_sse: bool = False
    sessions: Sessions = field(init=False)
    websockets: WebSockets = field(init=False)
    streams: EventStreams = field(init=False)
    _running: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.kernel)
        self.websockets = WebSockets(self.kernel)
        self.streams = EventStreams(self.kernel)

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(
            self._app(),
            access_log=None,
            handler_cancellation=True,  # hanging up cancels a stateless call: the protocol wants it
            keepalive_timeout=IDLE_SECONDS,
            shutdown_timeout=STOP_SECONDS / 2,  # it waits twice: for calls to end, then before it cancels
        )
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._connection, self.host, self.port)
        except BaseException:
            await self._runner.cleanup()
            raise
        self.port = self._listener.sockets[0].getsockname()[1]
        self._reaper = asyncio.create_task(self.sessions.reap())
        log.info("listening", extra={"host": self.host, "port": self.port})
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self._listener.close()
        self._reaper.cancel()
        await asyncio.wait([self._reaper])
        await self._runner.cleanup()

    def _connection(self) -> asyncio.BaseProtocol:
        """What speaks to a new connection; over the ceiling, nothing does."""
        server = self._runner.server
        if server is None or len(server.connections) >= CONNECTIONS_CEILING:
            return _Closed()
        return server()

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[_json_rpc_bodies], client_max_size=BYTES_CEILING)
        app.router.add_get("/health", self._health, allow_head=False)
        app.router.add_get("/livez", self._alive, allow_head=False)
        app.router.add_get("/readyz", self._ready, allow_head=False)
        app.router.add_post("/mcp", self._post)
        app.router.add_get("/mcp", self._get, allow_head=False)
        app.router.add_delete("/mcp", self._delete)
        if self.legacy_sse:
            app.router.add_get(sse.STREAM_PATH, self._get_sse, allow_head=False)
            app.router.add_post(sse.MESSAGES_PATH, self._post_sse)
        app.on_shutdown.append(self._end_sessions)
        return app

    async def _end_sessions(self, _: web.Application) -> None:
        await self.sessions.close()
        self.streams.close()
        await self.websockets.close()

    async def _health(self, _: web.Request) -> web.Response:
        body, status = health(self.kernel.version, hostagent_is_up=self.hostagent_is_up())
        return replies.as_json(body, status)

    async def _alive(self, _: web.Request) -> web.Response:
        return replies.as_json({"status": "alive"})

    async def _ready(self, _: web.Request) -> web.Response:
        body, status = readiness(hostagent_is_up=self.hostagent_is_up(), leaving=self.kernel.is_leaving)
        return replies.as_json(body, status)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        principal = self._principal(request)
        bodies.check_kind(request)
        if not all(replies.accepts(request.headers.get("Accept", ""))):
            raise Refused(406, "Accept: must list application/json and text/event-stream")
        if self._running >= REQUESTS_CEILING:
            busy = f"{REQUESTS_CEILING} requests are running, which is the most at once"
            raise Refused(429, busy, code=BUSY, headers={"Retry-After": "1"})
        self._running += 1
        try:
            message = messages.read(await bodies.read(request))
            return await self._answer(request, message, principal)
        finally:
            self._running -= 1

    async def _answer(
        self, request: web.Request, message: Message, principal: Principal
    ) -> web.StreamResponse:
        try:
            if self.kernel.is_modern(message, request.headers.get(VERSION_HEADER)):
                return await stateless.post(self.kernel, request, message, principal)
            return await stateful.post(self.sessions, request, message, principal)
        except ProtocolFailure as why:
            return replies.failed(why, getattr(message, "id", None))

    async def _get(self, request: web.Request) -> web.StreamResponse:
        principal = self._principal(request)
        if websocket.is_asked_for(request):
            again = functools.partial(self.guard.principal, request.headers, request.remote or "")
            return await self.websockets.serve(request, principal, again)
        self._refuse_modern(request)
        if not replies.accepts(request.headers.get("Accept", ""))[1]:
            raise Refused(406, "Accept: must list text/event-stream")
        return await stateful.get(self.sessions, request, principal)

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        principal = self._principal(request)
        self._refuse_modern(request)
        return await stateful.delete(self.sessions, request, principal)

    async def _get_sse(self, request: web.Request) -> web.StreamResponse:
        principal = self._principal(request)
        if not replies.accepts(request.headers.get("Accept", "*/*"))[1]:
            raise Refused(406, "Accept: must list text/event-stream")
        return await self.streams.get(request, principal)

    async def _post_sse(self, request: web.Request) -> web.StreamResponse:
        principal = self._principal(request)
        bodies.check_kind(request)
        return self.streams.take(request, principal, messages.read(await bodies.read(request)))

    def _principal(self, request: web.Request) -> Principal:
        try:
            return self.guard.principal(request.headers, request.remote or "")
        except Misdirected as why:
            raise Refused(421, str(why)) from why
        except Denied as why:
            raise Refused(403, str(why)) from why
        except Unauthenticated as why:
            raise Refused(401, str(why), headers={"WWW-Authenticate": CHALLENGE}) from why

    def _refuse_modern(self, request: web.Request) -> None:
        if self.kernel.is_modern_version(request.headers.get(VERSION_HEADER)):
            message = f"{request.method} is no part of that protocol version: use POST"
            raise Refused(405, message, headers={"Allow": "POST"})


class _Closed(asyncio.Protocol):
    """Hangs up at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        log.warning("connection refused", extra={"ceiling": CONNECTIONS_CEILING})
        transport.close()


@web.middleware
async def _json_rpc_bodies(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Every answer is JSON-RPC: what the router says too, and what breaks."""
    try:
        return await handler(request)
    except Refused as why:
        return replies.refused(why)
    except ProtocolFailure as why:
        return replies.failed(why)
    except web.HTTPException as why:
        allow = {"Allow": why.headers["Allow"]} if "Allow" in why.headers else None
        said = (
            "there is nothing here: MCP is served at /mcp"
            if why.status == HTTPStatus.NOT_FOUND
            else why.reason
        )
        return replies.refused(Refused(why.status, said, headers=allow))
    except ConnectionError:
        return web.Response(status=400)  # to nobody: the client is gone
    except Exception:
        REQUEST_ID.set(new_request_id())
        log.exception("request broke", extra={"path": request.path})
        return replies.as_json(failures.error(failures.internal(REQUEST_ID.get())), 500)
