"""HTTP with Server-Sent Events, the two endpoints of protocol version 2024-11-05; off unless switched on.

A client opens a stream with GET /sse, is told there where to POST its messages, and hears every answer on the
stream. See "HTTP with SSE" in the specification of that version.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web

from wand_server.model import Principal
from wand_server.protocol.failures import BUSY, MessageId
from wand_server.protocol.kernel import Kernel
from wand_server.protocol.messages import Message
from wand_server.transports import replies
from wand_server.transports.replies import PING, PING_SECONDS, Refused
from wand_server.transports.unanswered import CEILING, LAST_SECONDS, Unanswered

log = logging.getLogger(__name__)

STREAM_PATH, MESSAGES_PATH = "/sse", "/messages"
STREAMS_CEILING = 256
OF_ONE_CEILING = 128
_SESSION = "session_id"


@dataclass
class EventStreams:
    """Every stream that is open, by an id that cannot be guessed."""

    kernel: Kernel
    _open: dict[str, "Conversation"] = field(init=False, default_factory=dict)

    async def get(self, request: web.BaseRequest, principal: Principal) -> web.StreamResponse:
        """Open a stream and answer its client until it hangs up.

        Raises:
            Refused: there are too many streams.
        """
        of_one = sum(one.principal.identity == principal.identity for one in self._open.values())
        if len(self._open) >= STREAMS_CEILING or of_one >= OF_ONE_CEILING:
            busy = f"{STREAMS_CEILING} streams are the most at once, {OF_ONE_CEILING} of one principal"
            raise Refused(503, busy, code=BUSY, headers={"Retry-After": "60"})
        session_id = uuid.uuid4().hex
        response = await replies.begin_stream(request)
        conversation = self._open[session_id] = Conversation(request, response, principal)
        log.info("client connected", extra={"principal": principal.name, "means": "sse"})
        try:
            await conversation.tell_place(f"{MESSAGES_PATH}?{_SESSION}={session_id}")
            async with asyncio.TaskGroup() as tasks:
                pings = tasks.create_task(conversation.ping())
                await self.kernel.serve(conversation.messages(), conversation.send, principal)
                pings.cancel()
            await replies.write(request, response, replies.COME_BACK)
            await replies.end_stream(request, response)
        except* ConnectionError:
            pass  # the client hung up, and its calls have ended with it
        finally:
            del self._open[session_id]
            log.info("client gone", extra={"principal": principal.name})
        return response

    def take(self, request: web.BaseRequest, principal: Principal, message: Message) -> web.Response:
        """Take a message for the stream that the request names; its answer comes there.

        Raises:
            Refused: there is no such stream, or it is somebody else's, or it has not kept up.
            ProtocolFailure: too many of its requests are running.
        """
        conversation = self._open.get(request.query.get(_SESSION, ""))
        if conversation is None or conversation.principal.identity != principal.identity:
            raise Refused(404, f"{_SESSION}: there is no such stream: begin again with GET {STREAM_PATH}")
        conversation.take(message)
        return web.Response(status=202)

    def close(self) -> None:
        """End every stream."""
        for conversation in self._open.values():
            conversation.end()


class Conversation:
    """One client's messages as they were posted, and its stream."""

    def __init__(self, request: web.BaseRequest, response: web.StreamResponse, principal: Principal) -> None:
        self.principal = principal
        self._request = request
        self._response = response
        self._taken: asyncio.Queue[Message | None] = asyncio.Queue(2 * CEILING)
        self._unanswered = Unanswered()

    def take(self, message: Message) -> None:
        if self._taken.full():
            raise Refused(
                429, "messages come faster than they are read", code=BUSY, headers={"Retry-After": "1"}
            )
        self._unanswered.note(message)
        self._taken.put_nowait(message)

    def end(self) -> None:
        while self._taken.full():
            self._taken.get_nowait()
        self._taken.put_nowait(None)

    async def messages(self) -> AsyncIterator[Message]:
        """Every message that is posted, until the stream is to end."""
        while (message := await self._taken.get()) is not None:
            yield message
        await self._unanswered.settled(LAST_SECONDS)

    async def send(self, body: bytes, answered: MessageId) -> None:
        """Send one message, and note the request that it answers.

        Raises:
            ConnectionError: the client is gone, or was.
        """
        try:
            await replies.write(self._request, self._response, replies.event(body))
        finally:
            self._unanswered.settle(answered)

    async def tell_place(self, place: str) -> None:
        """Say where messages are to be posted; the first event of a stream."""
        frame = f"event: endpoint\r\ndata: {place}\r\n\r\n".encode()
        await replies.write(self._request, self._response, frame)

    async def ping(self) -> None:
        """For ever: let the client, and what lies between, know that the stream lives."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            await replies.write(self._request, self._response, PING)
