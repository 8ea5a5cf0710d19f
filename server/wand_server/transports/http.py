"""MCP over HTTP: one endpoint for both eras and for WebSocket, behind the guard."""

import asyncio
import functools
import logging
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import hdrs, web

from wand_proto.errors import Denied, Unauthenticated, Unavailable
from wand_server import forwarded
from wand_server.auth.asked import Asked, BadToken, TooLate
from wand_server.auth.dpop import NONCE_HEADER, NeedsNonce
from wand_server.auth.guard import Guard
from wand_server.auth.origins import Misdirected
from wand_server.forwarded import Network
from wand_server.model import Principal
from wand_server.protocol import messages
from wand_server.protocol.failures import BUSY, FORBIDDEN, ProtocolFailure
from wand_server.protocol.kernel import VERSION_HEADER, Kernel
from wand_server.protocol.messages import Message, Request
from wand_server.scopes import InsufficientScope
from wand_server.transports import bodies, replies, routes, sse, stateful, stateless, tls, websocket
from wand_server.transports.endings import Ending, hang_up
from wand_server.transports.limits import Limits
from wand_server.transports.replies import Refused
from wand_server.transports.room import Room
from wand_server.transports.routes import Guarded, Open
from wand_server.transports.sessions import Clocks, Sessions
from wand_server.transports.speaking import Speaker
from wand_server.transports.sse import EventStreams
from wand_server.transports.status import IsUp, health, readiness
from wand_server.transports.tenures import Tenure, Tenures
from wand_server.transports.unread import Unread
from wand_server.transports.websocket import WebSockets

log = logging.getLogger(__name__)

CONNECTIONS_CEILING = 4096
IDLE_SECONDS = 75.0  # a connection that sends no whole request for so long is closed
STOP_SECONDS = 2.0
SignInRefused = Callable[[str, str], None]  # hears from where, and why
Holds = Callable[[Principal, Ending], Tenure]  # what keeps a request while its sign-in counts
_TICK_SECONDS = 1.0  # between two looks at what goes on


@dataclass
class HttpTransport:
    """Serves MCP on a TCP port while entered; port 0 takes a free one, which `port` then tells."""

    kernel: Kernel
    guard: Guard
    hostagent_is_up: IsUp
    host: str = "127.0.0.1"
    port: int = 0
    legacy_sse: bool = False
    websocket: bool = True
    refused: SignInRefused = lambda *_: None
    limits: Limits = field(default_factory=Limits)
    more_routes: routes.Routes = field(default_factory=dict)  # of other parts, an issuer's for example
    tls_context: ssl.SSLContext | None = None  # without it, a proxy speaks it or nobody does
    hsts_seconds: int = 0  # with it: for how long browsers shall ask by TLS alone (RFC 6797)
    proxies: Collection[Network] = ()  # which are believed when they say where a request comes from
    beside: dict[str, IsUp] = field(default_factory=dict)  # other transports, of which /readyz tells too
    tenures: Tenures = field(init=False)
    sessions: Sessions = field(init=False)
    websockets: WebSockets = field(init=False)
    streams: EventStreams = field(init=False)
    _room: Room = field(init=False, default_factory=Room)

    def __post_init__(self) -> None:
        self.tenures = Tenures(self.guard.is_over)
        self._unread = Unread()
        self._silent: set[stateless.Reply] = set()
        self.websockets = WebSockets(self.kernel)
        self.streams = EventStreams(self.kernel)

    async def __aenter__(self) -> Self:
        self.sessions = Sessions(self.kernel, Clocks())
        self._table = dict(self.routes())
        self._server = routes.server(
            self._table,
            self._sign_in,
            self.guard.permits,
            self._headers(),
            access_log=None,
            handler_cancellation=True,  # hanging up cancels a stateless call: the protocol wants it
            keepalive_timeout=IDLE_SECONDS,
        )
        self._loop = asyncio.get_running_loop()
        self._listener = await self._loop.create_server(
            self._connection,
            self.host,
            self.port,
            ssl=self.tls_context,
            ssl_handshake_timeout=tls.HANDSHAKE_SECONDS if self.tls_context else None,
        )
        self.port = self._listener.sockets[0].getsockname()[1]
        self._tasks = [asyncio.create_task(self.sessions.reap()), asyncio.create_task(self._end_over())]
        log.info("listening", extra={"host": self.host, "port": self.port})
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await asyncio.sleep(0)  # what has just come in begins
        self._server.pre_shutdown()
        await self._end_sessions()
        await self._server.shutdown(STOP_SECONDS / 2)  # twice: for calls to end, then before it cancels

    def _headers(self) -> dict[str, str]:
        """What every answer says."""
        is_strict = self.tls_context is not None and self.hsts_seconds > 0
        return {"Strict-Transport-Security": f"max-age={self.hsts_seconds}"} if is_strict else {}

    def switch(self, *, websocket: bool, legacy_sse: bool) -> None:
        """Serve those ways or not, from now on; connections that are open stay."""
        self.websocket, self.legacy_sse = websocket, legacy_sse
        self._table.clear()
        self._table.update(self.routes())

    def _connection(self) -> asyncio.BaseProtocol:
        """What speaks to a new connection; over the ceiling, an idle one makes room, or nothing does."""
        connections = self._server.connections
        if len(connections) >= CONNECTIONS_CEILING:
            idle = next((one for one in connections if isinstance(one, Speaker) and one.is_idle), None)
            if idle is None:
                return _Closed()
            idle.force_close()
        return self._server()

    def routes(self) -> routes.Routes:
        legacy = {
            sse.STREAM_PATH: {"GET": Guarded(self._get_sse)},
            sse.MESSAGES_PATH: {"POST": Guarded(self._post_sse)},
        }
        mcp = {"POST": Guarded(self._post), "GET": Guarded(self._get), "DELETE": Guarded(self._delete)}
        return {
            "/mcp": mcp,
            "/health": {"GET": Open(self._health)},
            "/livez": {"GET": Open(self._alive)},
            "/readyz": {"GET": Open(self._ready)},
            **(legacy if self.legacy_sse else {}),
            **{path: self._counted(methods) for path, methods in self.more_routes.items()},
        }

    def _counted(self, methods: Mapping[str, Open | Guarded]) -> dict[str, Open | Guarded]:
        """The same, and what is open is answered to one address no oftener than what is not."""

        async def answer(handler: routes.Handler, request: web.BaseRequest) -> web.StreamResponse:
            self.limits.count_address(self._address(request))
            return await handler(request)

        return {
            method: Open(functools.partial(answer, one.handler)) if isinstance(one, Open) else one
            for method, one in methods.items()
        }

    async def _end_sessions(self) -> None:
        self.kernel.end_streams()
        await self.sessions.close()
        self.streams.close()
        await self.websockets.close()

    async def _end_over(self) -> None:
        """For ever: end what was opened by a sign-in that counts no more, and what nobody reads."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            try:
                self._unread.cut_off(self._server.connections, time.monotonic())
                for reply in list(self._silent):
                    reply.be_silent(_TICK_SECONDS)
                await self.end_over()
            except Exception:
                log.exception("connections not looked through")

    async def end_over(self) -> None:
        """End what was opened by a sign-in that counts no more."""
        await self.tenures.look()
        await self.sessions.end_over(self.guard.is_over)
        await self.kernel.end_over(self.guard.is_over)

    async def _health(self, _: web.BaseRequest) -> web.Response:
        body, status = health(self.kernel.version, hostagent_is_up=self.hostagent_is_up())
        return replies.as_json(body, status)

    async def _alive(self, _: web.BaseRequest) -> web.Response:
        return replies.as_json({"status": "alive"})

    async def _ready(self, _: web.BaseRequest) -> web.Response:
        body, status = readiness(
            hostagent_is_up=self.hostagent_is_up(),
            leaving=self.kernel.is_leaving,
            transports=self.beside,
        )
        return replies.as_json(body, status)

    async def _post(self, request: web.BaseRequest, principal: Principal) -> web.StreamResponse:
        bodies.check_kind(request)
        if not all(replies.accepts(request.headers.get(hdrs.ACCEPT, ""))):
            raise Refused(406, "Accept: must list application/json and text/event-stream")
        with self._room.taken_by(request):
            message = messages.read(await bodies.read(request))
            self._check_scopes(request, message, principal)
            if not self.kernel.is_listening(message):
                return await self._answer_while(self.tenures.call, request, message, principal)
        return await self._answer_while(self.tenures.stream, request, message, principal)

    async def _answer_while(
        self, holds: Holds, request: web.BaseRequest, message: Message, principal: Principal
    ) -> web.StreamResponse:
        """The answer, or a refusal where the sign-in is taken back before it has begun."""
        ending = Ending(request, self._loop)
        try:
            with holds(principal, ending):
                if self.kernel.is_modern(message, request.headers.get(VERSION_HEADER)):
                    reply = stateless.Reply(request, self._silent)
                    return await stateless.post(self.kernel, reply, message, principal)
                return await stateful.post(self.sessions, request, message, principal)
        except ProtocolFailure as why:
            return replies.failed(why, getattr(message, "id", None))
        except asyncio.CancelledError:
            if not ending.can_be_told():
                raise
        asked = message.id if isinstance(message, Request) else None
        ended = BadToken("the key or token was taken back while the call ran, and the call ended with it")
        headers = {"WWW-Authenticate": self.guard.challenge.unauthenticated(ended)}
        raise Refused(401, str(ended), headers=headers, request_id=asked)

    async def _get(self, request: web.BaseRequest, principal: Principal) -> web.StreamResponse:
        if websocket.is_asked_for(request):
            if not self.websocket:
                raise Refused(404, "WebSocket is switched off here: use Streamable HTTP")
            count = functools.partial(self.limits.count, principal)
            return await self.websockets.serve(request, principal, self.tenures, count)
        self._refuse_modern(request)
        if not replies.accepts(request.headers.get("Accept", ""))[1]:
            raise Refused(406, "Accept: must list text/event-stream")
        with self.tenures.stream(principal, functools.partial(hang_up, request)):
            return await stateful.get(self.sessions, request, principal)

    async def _delete(self, request: web.BaseRequest, principal: Principal) -> web.StreamResponse:
        self._refuse_modern(request)
        return await stateful.delete(self.sessions, request, principal)

    async def _get_sse(self, request: web.BaseRequest, principal: Principal) -> web.StreamResponse:
        if not replies.accepts(request.headers.get("Accept", "*/*"))[1]:
            raise Refused(406, "Accept: must list text/event-stream")
        with self.tenures.stream(principal, functools.partial(hang_up, request)):
            return await self.streams.get(request, principal)

    async def _post_sse(self, request: web.BaseRequest, principal: Principal) -> web.StreamResponse:
        bodies.check_kind(request)
        message = messages.read(await bodies.read(request))
        self._check_scopes(request, message, principal)
        return self.streams.take(request, principal, message)

    async def _sign_in(self, request: web.BaseRequest) -> Principal:
        """Who asks, unless they ask too often."""
        address = self._address(request)
        self.limits.count_address(address)
        try:
            principal = self.guard.known(request.headers)
            if principal is None:
                principal = await self.guard.principal(_asked(request, address))
        except Misdirected as why:
            raise Refused(421, str(why)) from why
        except Denied as why:
            raise Refused(403, str(why)) from why
        except Unavailable as why:
            raise Refused(503, str(why), code=BUSY, headers={"Retry-After": "5"}) from why
        except NeedsNonce as why:  # which nobody can know before: no failed sign-in
            headers = {NONCE_HEADER: why.nonce, "WWW-Authenticate": self.guard.challenge.unauthenticated(why)}
            raise Refused(401, str(why), headers=headers) from why
        except Unauthenticated as why:
            self.refused(address, str(why.message))
            if hdrs.AUTHORIZATION in request.headers and not isinstance(why, TooLate):
                await self.limits.count_failure(address)
            headers = {"WWW-Authenticate": self.guard.challenge.unauthenticated(why)}
            raise Refused(401, str(why), headers=headers) from why
        self.limits.count(principal)
        return principal

    def _address(self, request: web.BaseRequest) -> str:
        """Where a request comes from, through the proxies that we believe."""
        peer = request.remote or ""
        if not self.proxies:
            return peer
        return forwarded.origin(peer, request.headers.getall(forwarded.HEADER, []), self.proxies)

    def _check_scopes(self, request: web.BaseRequest, message: Message, principal: Principal) -> None:
        try:
            self.kernel.check(message, principal)
        except InsufficientScope as why:
            self.refused(self._address(request), f"{principal.name}: {why.message}")
            headers = {"WWW-Authenticate": self.guard.challenge.insufficient(why, principal.scopes)}
            asked = message.id if isinstance(message, Request) else None
            raise Refused(403, str(why), code=FORBIDDEN, headers=headers, request_id=asked) from why

    def _refuse_modern(self, request: web.BaseRequest) -> None:
        if self.kernel.is_modern_version(request.headers.get(VERSION_HEADER)):
            message = f"{request.method} is no part of that protocol version: use POST"
            raise Refused(405, message, headers={"Allow": "POST"})


def _asked(request: web.BaseRequest, address: str) -> Asked:
    is_secure, certificate = tls.certificate_of(request)
    return Asked(
        headers=request.headers,
        peer=address,
        method=request.method,
        path=request.raw_path,
        is_secure=is_secure,
        certificate=certificate,
    )


class _Closed(asyncio.Protocol):
    """Hangs up at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        log.warning("connection refused", extra={"ceiling": CONNECTIONS_CEILING})
        transport.close()
