"""What somebody else's transport is built on: a door that lets nobody in who has not signed in.

A transport never sees the kernel. `Door.sign_in` is the one way to a `Visit`, and `Visit.serve` the one way
to an answer; limits, ceilings, the end of a key and of the server are seen to here, for all of them alike.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

from wand_proto.errors import Exhausted, Unauthenticated, Unavailable
from wand_server.auth.asked import TooLate
from wand_server.auth.guard import Guard
from wand_server.kinds import Frozen
from wand_server.model import Principal
from wand_server.protocol import failures, messages
from wand_server.protocol.failures import INVALID_REQUEST, MessageId, ProtocolFailure
from wand_server.protocol.kernel import Kernel
from wand_server.protocol.messages import BYTES_CEILING, Message
from wand_server.transports.limits import Limits
from wand_server.transports.replies import Refused
from wand_server.transports.tenures import Tenures
from wand_server.transports.unanswered import LAST_SECONDS, Unanswered

log = logging.getLogger(__name__)

MESSAGE_BYTES = BYTES_CEILING  # the most that one message may have
VISITS_CEILING = 256  # of one transport, at once
WRITE_SECONDS = 30.0  # a client that reads nothing for so long is gone
Texts = AsyncIterator[bytes]  # of a client, one JSON-RPC message each
Send = Callable[
    [bytes], Awaitable[None]
]  # one message to the client; raises ConnectionError where it is gone
Table = TypeVar("Table", bound=Frozen)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What all transports share: who may come in, how often, for how long, and who answers."""

    kernel: Kernel
    guard: Guard
    limits: Limits
    tenures: Tenures
    refused: Callable[[str, str], None] = lambda *_: None  # hears from where, and why


class Door:
    """The way in, of one transport."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.visits: set[asyncio.Task[None]] = set()
        self.unanswered: set[Unanswered] = set()  # of each visit
        self._is_closed = False

    async def sign_in(self, token: str, *, peer: str) -> "Visit":
        """Let in who brings an API key or an access token; `peer` is the address that it came from.

        Raises:
            Unauthenticated: the token lets nobody in.
            Exhausted: sign-ins or connections are too many.
            Unavailable: nobody can say now, or the server stops.
        """
        self.check_open()
        try:
            return Visit(await self._principal(token, peer), self._house, self)
        except Refused as why:
            raise Exhausted(str(why)) from why

    async def _principal(self, token: str, peer: str) -> Principal:
        house = self._house
        house.limits.count_address(peer)
        try:
            principal = await house.guard.principal_of(token, peer)
        except Unauthenticated as why:
            house.refused(peer, why.message)
            if not isinstance(why, TooLate):
                await house.limits.count_failure(peer)
            raise
        house.limits.count(principal)
        return principal

    def check_open(self) -> None:
        """Let one more visit begin.

        Raises:
            Exhausted: there are too many already.
            Unavailable: the server stops.
        """
        if self._is_closed:
            raise Unavailable("the server stops: come back later")
        if len(self.visits) >= VISITS_CEILING:
            raise Exhausted(f"{VISITS_CEILING} clients are connected, which is the most at once")

    async def close(self) -> None:
        """Let nobody in any more, and end every visit."""
        self._is_closed = True
        await asyncio.gather(*(one.settled(LAST_SECONDS) for one in self.unanswered))
        visits = list(self.visits)
        for visit in visits:
            visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)


class Visit:
    """One client that has signed in, on one connection."""

    def __init__(self, principal: Principal, house: House, door: Door) -> None:
        self.principal = principal
        self._house = house
        self._door = door
        self._unanswered = Unanswered()
        self._one_at_a_time = asyncio.Lock()

    async def serve(self, texts: Texts, send: Send) -> None:
        """Answer until the texts end, the key or token counts no more, or the server stops; then hang up.

        Messages are sent one at a time. Calls that run end with it.

        Raises:
            Exhausted: there are too many visits already.
            Unavailable: the server stops.
        """
        self._door.check_open()
        self._task = asyncio.create_task(self._serve(texts, send), name="visit")
        self._door.visits.add(self._task)
        self._door.unanswered.add(self._unanswered)
        log.info("client connected", extra={"principal": self.principal.name})
        try:
            with self._house.tenures.stream(self.principal, self._task.cancel):
                await asyncio.wait({self._task})
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._door.visits.discard(self._task)
            self._door.unanswered.discard(self._unanswered)
            log.info("client gone", extra={"principal": self.principal.name})
        if not self._task.cancelled():
            self._task.result()

    async def _serve(self, texts: Texts, send: Send) -> None:
        async def out(text: bytes, answered: MessageId) -> None:
            try:
                await self._send(send, text)
            finally:
                self._unanswered.settle(answered)

        await self._house.kernel.serve(self._messages(texts, send), out, self.principal)

    async def _messages(self, texts: Texts, send: Send) -> AsyncIterator[Message]:
        """Every message that can be read; one that cannot is answered at once."""
        async for text in texts:
            await asyncio.sleep(0)  # a turn for everybody else: many texts may be here already
            if not await self._house.tenures.stands(self.principal):
                log.warning("connection ended", extra={"principal": self.principal.name})
                return
            try:
                message = self._read(text)
            except ProtocolFailure as why:
                await self._fail(send, why)
            else:
                yield message

    def _read(self, untrusted: bytes) -> Message:
        if len(untrusted) > BYTES_CEILING:
            raise ProtocolFailure(INVALID_REQUEST, f"the message is larger than {BYTES_CEILING} bytes")
        message: Message | None = None
        try:
            message = messages.read(untrusted)
        finally:  # it is counted whether or not it can be read
            self._count(getattr(message, "id", None))
        self._unanswered.note(message)
        return message

    def _count(self, asked: MessageId) -> None:
        try:
            self._house.limits.count(self.principal)
        except Refused as why:
            why.failure.request_id = asked
            raise why.failure from why

    async def _fail(self, send: Send, why: ProtocolFailure) -> None:
        try:
            await self._send(send, messages.write(failures.error(why)))
        except ConnectionError:
            log.debug("answer dropped")

    async def _send(self, send: Send, text: bytes) -> None:
        try:
            async with self._one_at_a_time, asyncio.timeout(WRITE_SECONDS):
                await send(text)
        except TimeoutError as late:
            self._task.cancel()
            raise ConnectionResetError("the client reads nothing") from late


@dataclass(frozen=True, slots=True)
class Transport(Generic[Table]):
    """What an entry point of the group `wand_server.transports` names.

    `open` listens while it is entered: it raises OSError or an error of `wand_proto.errors` where it cannot,
    and has hung up on everybody when it is left. Where what it gives has a method `is_serving`, as servers of
    asyncio have, /readyz asks that whether it still listens. `settings` is the table that it is given.
    """

    settings: type[Table]
    open: Callable[[Door, Table], AbstractAsyncContextManager[object]]
