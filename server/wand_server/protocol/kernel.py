"""The seam between transports and the SDK: a message and its way back in, an answer out.

A transport knows only this. What answers faster than the SDK (`lane.py`) stands behind `answer`.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from mcp.server.connection import Connection
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.runner import ServerRunner, serve_dual_era_loop
from mcp.shared.inbound import (
    InboundLadderRejection,
    InboundModernRoute,
    classify_inbound_request,
    find_duplicated_routing_header,
    find_invalid_x_mcp_header,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
    x_mcp_header_map,
)
from mcp_types import PROTOCOL_VERSION_META_KEY
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from multidict import MultiMapping, istr

from wand_server.model import Principal
from wand_server.protocol import tasking
from wand_server.protocol.asking import Asking
from wand_server.protocol.exchange import Exchange, Notify
from wand_server.protocol.failures import HEADER_MISMATCH, ProtocolFailure
from wand_server.protocol.handshake import Aside, Handshake, result_of
from wand_server.protocol.lane import METHOD, Client, Lane
from wand_server.protocol.listening import METHOD as LISTEN
from wand_server.protocol.listening import Listening
from wand_server.protocol.messages import Message, Notification, Request, meta
from wand_server.protocol.methods import Methods
from wand_server.protocol.reading import check_method
from wand_server.protocol.streams import MessagesIn, MessagesOut, Send
from wand_server.protocol.tasks import IsOver, Tasks
from wand_server.protocol.telling import WISH, Wish
from wand_server.protocol.watching import WATCHES, Watches

log = logging.getLogger(__name__)

VERSION_HEADER = istr("MCP-Protocol-Version")
_CUT_SECONDS = 2.0  # for calls that are cut off: the host agent ends their jobs meanwhile

Route = InboundModernRoute | Client
"""Of a request of the stateless era whose envelope and headers agree: the SDK's way, or the short one."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What goes on beside the requests."""

    tasks: Tasks
    streams: Listening


class Kernel:
    """The server of MCP without its transports."""

    def __init__(
        self, server: Server[Any], methods: Methods, lane: Lane | None = None, beside: Beside | None = None
    ) -> None:
        self.version = server.version
        self._server = server
        self._methods = methods
        self._lane = lane
        self._beside = beside
        self._listeners: set[Notify] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self._with_headers: dict[str, tuple[dict[str, Any], bool]] = {}

    @property
    def is_leaving(self) -> bool:
        """Whether no new calls are taken, because the server is about to stop."""
        return self._methods.is_leaving

    async def leave(self, seconds: float) -> bool:
        """Take no new calls, and wait for so long until the last one has ended; whether it has."""
        self._methods.leave()
        try:
            async with asyncio.timeout(seconds):
                await self._methods.idle()
        except TimeoutError:
            return False
        return True

    async def cut_off(self) -> None:
        """End the calls that still run; each is answered with that, within a moment."""
        self._methods.cut_off()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CUT_SECONDS):
                await self._methods.idle()

    async def close(self) -> None:
        """Cancel what runs without a request."""
        if self._beside:
            await self._beside.tasks.close()

    def end_streams(self) -> None:
        """Tell those who listen that they will hear no more."""
        if self._beside:
            self._beside.streams.close()

    async def end_over(self, is_over: IsOver) -> None:
        """Cancel the tasks of sign-ins that were taken back."""
        if self._beside:
            await self._beside.tasks.end_over(is_over)

    def tools_changed(self) -> None:
        """Tell those who listen, and those who have shaken hands, that the list of tools is another."""
        if self._beside:
            self._beside.streams.tools_changed()
        message = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        for notify in self._listeners:
            task = asyncio.create_task(_tell(notify, message), name="tools changed")
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def is_listening(self, message: Message) -> bool:
        """Whether a message opens a stream, which stays open until one of the two has enough."""
        return isinstance(message, Request) and message.method == LISTEN

    def is_modern(self, message: Message, version_header: str | None) -> bool:
        """Whether a message belongs to the stateless era: by its body first, then by its header."""
        if isinstance(message, Request) and message.method != "initialize":
            return PROTOCOL_VERSION_META_KEY in meta(message.params) or self.is_modern_version(version_header)
        return self.is_modern_version(version_header)

    def is_modern_version(self, version_header: str | None) -> bool:
        """Whether the version is none that begins with a handshake."""
        return version_header is not None and version_header not in HANDSHAKE_PROTOCOL_VERSIONS

    def route(self, request: Request, headers: MultiMapping[str]) -> Route:
        """Check a stateless request's envelope, and its headers against it.

        Raises:
            ProtocolFailure: the envelope is incomplete, a header disagrees, or the version is unknown.
        """
        lane = self._lane
        client = lane.client_of(request.params) if lane and request.method == METHOD else None
        is_short = lane and client and lane.is_agreed(client, request, headers, self._classified)
        route = client if client and is_short else self._classified(request, headers)
        self._check_arguments(request, headers)
        return route

    def _classified(self, request: Request, headers: MultiMapping[str]) -> InboundModernRoute:
        if twice := find_duplicated_routing_header(headers.items()):
            raise ProtocolFailure(HEADER_MISMATCH, f"{twice} header appears more than once")
        if PROTOCOL_VERSION_META_KEY not in meta(request.params):
            self.accept_version(headers.get(VERSION_HEADER))
        body = {"method": request.method, "params": request.params}
        found = classify_inbound_request(body, headers=headers)
        if isinstance(found, InboundLadderRejection):
            raise _rejected(found)
        tasking.check_name(request, headers)
        return found

    def check(self, message: Message, principal: Principal) -> None:
        """Let a message pass that the principal's scopes open; what is no request opens nothing.

        Raises:
            InsufficientScope: they do not; the error says which scope would.
        """
        if not isinstance(message, Request):
            return
        if message.method == METHOD:
            self._methods.check(principal, (message.params or {}).get("name"))
        else:
            check_method(principal, message.method)

    def accept_version(self, version_header: str | None) -> None:
        """Let a message pass that names its version in the header only, as notifications do.

        Raises:
            ProtocolFailure: the version is unknown; the failure names those that are known.
        """
        if wrong := unsupported_protocol_version_rejection(version_header or ""):
            raise _rejected(wrong)

    def answer(
        self, route: Route, request: Request, exchange: Exchange
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """The result of a stateless request, to be awaited.

        Raises:
            ProtocolFailure: the answer is an error.
        """
        if isinstance(route, Client):
            assert self._lane is not None
            return self._lane.call(route.version, route.claim, request, exchange)
        connection = Connection.from_envelope(
            route.protocol_version, route.client_info, route.client_capabilities
        )
        return result_of(ServerRunner(self._server, connection, None), exchange, request)

    def handshake(self, session_id: str, notify: Notify) -> Handshake:
        """A client of the handshake era, which has yet to say initialize; `notify` reaches it at any time."""
        asking = Asking()
        connection = Connection.for_loop(Aside(notify, asking), session_id=session_id)
        runner = ServerRunner(self._server, connection, None, init_options=self._greeting())
        return Handshake(connection, runner, asking, self._lane)

    def listen(self, notify: Notify) -> Callable[[], None]:
        """Have a client of the handshake era told when the list of tools changes; what ends that."""
        self._listeners.add(notify)
        return functools.partial(self._listeners.discard, notify)

    def _greeting(self) -> InitializationOptions:
        return self._server.create_initialization_options(NotificationOptions(tools_changed=True))

    async def serve(self, messages: AsyncIterator[Message], send: Send, principal: Principal) -> None:
        """Answer one client on a pipe, of either era, until its messages end; its calls end with them."""
        watches = Watches()
        WATCHES.set(watches)
        WISH.set(Wish())
        out = MessagesOut(send)
        incoming = MessagesIn(_noting(messages, out.greet), principal)
        end = self.listen(out.notify)
        try:
            await serve_dual_era_loop(
                self._server, incoming, out, lifespan_state=None, init_options=self._greeting()
            )
        finally:
            end()
            await watches.close()

    def _check_arguments(self, request: Request, headers: MultiMapping[str]) -> None:
        """Compare the arguments of a call with the headers in which some of them stand as well."""
        if request.method != METHOD or request.params is None:
            return
        name, arguments = request.params.get("name"), request.params.get("arguments") or {}
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return
        schema = self._methods.input_schema(name)
        if schema is None or not self._wants_headers(name, schema):
            return
        if wrong := validate_mcp_param_headers(schema, arguments, headers):
            raise _rejected(wrong)

    def _wants_headers(self, name: str, schema: dict[str, Any]) -> bool:
        known = self._with_headers.get(name)
        if known is None or known[0] is not schema:
            wants = find_invalid_x_mcp_header(schema) is None and bool(x_mcp_header_map(schema))
            known = self._with_headers[name] = (schema, wants)
        return known[1]


async def _noting(messages: AsyncIterator[Message], greeted: Callable[[], None]) -> AsyncIterator[Message]:
    """The messages; the one that ends a handshake is told of."""
    async for message in messages:
        if isinstance(message, Notification) and message.method == "notifications/initialized":
            greeted()
        yield message


async def _tell(notify: Notify, message: dict[str, Any]) -> None:
    """Send a client a notification; one that is gone misses nothing."""
    try:
        await notify(message)
    except ConnectionError:
        log.debug("notification dropped")


def _rejected(why: InboundLadderRejection) -> ProtocolFailure:
    return ProtocolFailure(why.code, why.message, data=why.data)
