"""MCP over WebSocket (RFC 6455): an upgrade on the endpoint, one JSON-RPC message a text frame, both eras.

The specification leaves this to custom transports; the subprotocol `mcp` and one message a frame are what
clients that speak it do. Who may come in is decided on the request for the upgrade, by the same guard, and
again with each message: a connection ends with the key that opened it.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from aiohttp import WSCloseCode, WSMsgType, web

from wand_server.model import Principal
from wand_server.protocol import failures, messages
from wand_server.protocol.failures import BUSY, MessageId, ProtocolFailure
from wand_server.protocol.kernel import Kernel
from wand_server.protocol.messages import BYTES_CEILING, Message
from wand_server.transports.replies import Refused
from wand_server.transports.tenures import Tenures
from wand_server.transports.unanswered import LAST_SECONDS, Unanswered

log = logging.getLogger(__name__)

SUBPROTOCOL = "mcp"
CONNECTIONS_CEILING = 256
OF_ONE_CEILING = 128
PING_SECONDS = 15.0  # a client that leaves a ping unanswered for half as long is gone
WRITE_SECONDS = 30.0  # so is one that reads nothing for so long
CLOSE_SECONDS = 1.0
Count = Callable[[], None]  # raises Refused where messages come too often


def is_asked_for(request: web.BaseRequest) -> bool:
    """Whether a request wants to be a WebSocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


@dataclass
class WebSockets:
    """Every connection, each served until its client leaves or `close` ends them all."""

    kernel: Kernel
    _open: set["Conversation"] = field(init=False, default_factory=set)

    async def serve(
        self, request: web.BaseRequest, principal: Principal, tenures: Tenures, count: Count
    ) -> web.WebSocketResponse:
        """Upgrade a request and answer its client to the end, each of whose messages is counted.

        Raises:
            Refused: the subprotocol is not offered, or there are too many connections.
        """
        self._check(request, principal)
        response = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,), heartbeat=PING_SECONDS, max_msg_size=BYTES_CEILING,
            timeout=CLOSE_SECONDS, compress=False, autoping=False,
        )  # fmt: skip
        await response.prepare(request)
        conversation = Conversation(request, response, (principal, tenures), count)
        self._open.add(conversation)
        log.info("client connected", extra={"principal": principal.name, "means": "websocket"})
        try:
            with tenures.stream(principal, conversation.end):
                await self.kernel.serve(conversation.messages(), conversation.send, principal)
        finally:
            self._open.discard(conversation)
            with contextlib.suppress(ConnectionError):
                await response.close()
            log.info("client gone", extra={"principal": principal.name, "code": response.close_code})
        return response

    def _check(self, request: web.BaseRequest, principal: Principal) -> None:
        offered = {word.strip() for word in request.headers.get("Sec-WebSocket-Protocol", "").split(",")}
        if SUBPROTOCOL not in offered:
            raise Refused(400, f"Sec-WebSocket-Protocol: must offer {SUBPROTOCOL}")
        of_one = sum(one.principal.identity == principal.identity for one in self._open)
        if len(self._open) >= CONNECTIONS_CEILING or of_one >= OF_ONE_CEILING:
            busy = f"{CONNECTIONS_CEILING} WebSockets are the most at once, {OF_ONE_CEILING} of one principal"
            raise Refused(503, busy, code=BUSY, headers={"Retry-After": "60"})

    async def close(self) -> None:
        """Tell every client to come back later, and end its connection."""
        going = [conversation.leave() for conversation in self._open]
        await asyncio.gather(*going, return_exceptions=True)


class Conversation:
    """One client's frames, read and answered."""

    def __init__(
        self,
        request: web.BaseRequest,
        response: web.WebSocketResponse,
        who: tuple[Principal, Tenures],
        count: Count,
    ) -> None:
        self._request = request
        self._response = response
        self.principal, self._tenures = who
        self._count = count
        self._unanswered = Unanswered()
        self._ending: asyncio.Task[None] | None = None

    async def leave(self) -> None:
        """Send the answers that are ready, and close the connection: the client may come back later."""
        await self._unanswered.settled(LAST_SECONDS)
        await self._response.close(code=WSCloseCode.GOING_AWAY, message=b"restart")

    def end(self) -> None:
        """Close the connection because its key or token counts no more."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())

    async def messages(self) -> AsyncIterator[Message]:
        """Every message that can be read; one that cannot is answered at once, what is no text ends it."""
        async for frame in self._response:
            await asyncio.sleep(0)  # a turn for everybody else: many frames may be here already
            if frame.type is WSMsgType.PING:
                with contextlib.suppress(ConnectionError):
                    await self._response.pong(frame.data)
                continue
            if frame.type is WSMsgType.PONG:
                continue
            if frame.type is not WSMsgType.TEXT:
                await self._response.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"text frames only")
                return
            if not await self._may_go_on():
                return
            try:
                message = self._read(frame.data.encode(errors="surrogatepass"))
            except ProtocolFailure as why:
                with contextlib.suppress(ConnectionError):
                    await self.send(messages.write(failures.error(why)), None)
            else:
                yield message

    def _read(self, untrusted: bytes) -> Message:
        """The message, which is counted whether or not it can be read."""
        message: Message | None = None
        try:
            message = messages.read(untrusted)
        finally:
            self._counted(getattr(message, "id", None))
        self._unanswered.note(message)
        return message

    def _counted(self, asked: MessageId) -> None:
        try:
            self._count()
        except Refused as why:
            why.failure.request_id = asked
            raise why.failure from why

    async def send(self, text: bytes, answered: MessageId) -> None:
        """Send one message, and note the request that it answers.

        Raises:
            ConnectionError: the client is gone, or was.
        """
        if self._response.closed:
            raise ConnectionResetError("the client is gone")
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._response.send_str(text.decode())
        except TimeoutError as late:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionResetError("the client reads nothing") from late
        finally:
            self._unanswered.settle(answered)

    async def _may_go_on(self) -> bool:
        if await self._tenures.stands(self.principal):
            return True
        log.warning("connection ended", extra={"principal": self.principal.name})
        await self._end()
        return False

    async def _end(self) -> None:
        await self._response.close(code=WSCloseCode.POLICY_VIOLATION, message=b"the key has ended")
