"""MCP for programs on this machine: JSON-RPC lines on a unix socket; `wand-server stdio` is a pipe to it."""

import asyncio
import contextlib
import logging
import os
import pwd
import select
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from wand_proto import unixsocket
from wand_proto.errors import Denied, Exhausted, WandError
from wand_server import scopes
from wand_server.model import Principal
from wand_server.protocol import failures, messages
from wand_server.protocol.failures import INVALID_REQUEST, MessageId, ProtocolFailure
from wand_server.protocol.kernel import Kernel
from wand_server.protocol.messages import BYTES_CEILING, Message
from wand_server.transports.unanswered import LAST_SECONDS, Unanswered

log = logging.getLogger(__name__)

CONNECTIONS_CEILING = 64
WRITE_SECONDS = 60.0  # a client that reads nothing for so long is gone
DRAIN_SECONDS = 1.5  # for calls still running when a client has said its last; clients kill after two
_STOP_SECONDS = 5.0
_HANG_UP_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Which users may use the socket: those named, and the members of groups."""

    uids: frozenset[int]
    gids: frozenset[int] = frozenset()

    @property
    def mode(self) -> int:
        """The socket's: where others may use it too, every user can reach it, and `may` decides."""
        return 0o600 if self.uids <= {os.geteuid()} and not self.gids else 0o666

    def may(self, uid: int) -> bool:
        """Whether that user may; their groups are those that the system lists now, without a new login."""
        return uid in self.uids or not self.gids.isdisjoint(_groups(uid) if self.gids else ())


class UnixTransport:
    """Serves MCP on a unix socket while entered, for the users that may."""

    def __init__(
        self,
        kernel: Kernel,
        path: Path,
        *,
        admitted: Admitted,
        refused: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        """`refused` hears of who is not let in: by which socket, and why."""
        self._kernel = kernel
        self._path = path
        self._admitted = admitted
        self._refused = refused
        self._clients: dict[asyncio.Task[None], int] = {}  # whose each is
        self._conversations: set[Conversation] = set()

    async def __aenter__(self) -> Self:
        listener, self._inode = await asyncio.to_thread(self._bound)
        self._server = await asyncio.start_unix_server(self._welcome, sock=listener, limit=BYTES_CEILING)
        log.info("listening", extra={"path": str(self._path)})
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self._server.close()
        last = [one.unanswered.settled(LAST_SECONDS) for one in self._conversations]
        await asyncio.gather(*last)
        for client in self._clients:
            client.cancel()
        if self._clients:
            await asyncio.wait(self._clients, timeout=_STOP_SECONDS)
        unixsocket.remove(self._path, self._inode)

    def _bound(self) -> tuple[socket.socket, int]:
        hint = "name another as stdio.socket"
        return unixsocket.bound(self._path, self._admitted.mode, backlog=CONNECTIONS_CEILING, hint=hint)

    def is_serving(self) -> bool:
        """Whether clients can still connect: it listens, and its socket is where it was."""
        return self._server.is_serving() and unixsocket.is_there(self._path, self._inode)

    def allow(self, admitted: Admitted) -> None:
        """Let those users in, from now on; whoever is in and may not be any more is hung up on."""
        if admitted == self._admitted:
            return
        self._admitted = admitted
        self._path.chmod(admitted.mode)
        for client, uid in self._clients.items():
            if not admitted.may(uid):
                log.warning("connection ended", extra={"principal": _user_name(uid)})
                client.cancel()

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, uid = unixsocket.peer_of(writer.get_extra_info("socket"))
        client = asyncio.create_task(self._serve(reader, writer, uid))
        self._clients[client] = uid
        client.add_done_callback(self._clients.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, uid: int) -> None:
        conversation = Conversation(reader, writer)
        self._conversations.add(conversation)
        try:
            principal = self._principal(uid)
            log.info("client connected", extra={"principal": principal.name})
            await self._kernel.serve(conversation.messages(), conversation.send, principal)
            log.info("client gone", extra={"principal": principal.name})
        except WandError as why:
            log.warning("client refused", extra={"why": str(why)})
            await conversation.fail(ProtocolFailure(INVALID_REQUEST, str(why)))
        except Exception:
            log.exception("connection broke")
        finally:
            self._conversations.discard(conversation)
            await _hang_up(writer)

    def _principal(self, uid: int) -> Principal:
        if not self._admitted.may(uid):
            hint = "stdio.allowed_users and stdio.allowed_groups in the server's settings say who may"
            why = f"user {_user_name(uid)} may not use this socket"
            self._refused(f"unix:{self._path}", why)
            raise Denied(why, hint=hint)
        if len(self._clients) > CONNECTIONS_CEILING:
            raise Exhausted(f"{CONNECTIONS_CEILING} clients are connected, which is the most at once")
        return Principal(name=_user_name(uid), means="unix_peer", scopes=scopes.EVERYDAY)


class Conversation:
    """One client's lines, read and answered."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.unanswered = Unanswered()

    async def messages(self) -> AsyncIterator[Message]:
        """Every message that can be read; one that cannot is answered at once."""
        async for line in self._lines():
            try:
                message = messages.read(line)
                self.unanswered.note(message)
            except ProtocolFailure as why:
                await self.fail(why)
            else:
                yield message
        await self._drain()

    async def send(self, line: bytes, answered: MessageId) -> None:
        """Send one message, and note the request that it answers.

        Raises:
            ConnectionError: the client is gone, or was.
        """
        self._writer.write(messages.one_line(line) + b"\n")
        self.unanswered.settle(answered)
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._writer.drain()
        except TimeoutError as late:
            self._writer.transport.abort()
            raise ConnectionResetError("the client reads nothing") from late

    async def fail(self, why: ProtocolFailure) -> None:
        """Answer with an error; a client that is gone needs none."""
        with contextlib.suppress(ConnectionError):
            await self.send(messages.write(failures.error(why)), None)

    async def _lines(self) -> AsyncIterator[bytes]:
        while True:
            try:
                line = await self._reader.readuntil()
            except asyncio.IncompleteReadError as ended:
                if ended.partial.strip():
                    yield ended.partial
                return
            except asyncio.LimitOverrunError:
                await self._skip_line()
                large = f"the message is larger than {BYTES_CEILING} bytes"
                await self.fail(ProtocolFailure(INVALID_REQUEST, large))
                continue
            except ConnectionError:
                return
            await asyncio.sleep(0)  # a turn for everybody else: many lines may be here already
            if line.strip():
                yield line

    async def _skip_line(self) -> None:
        while True:
            try:
                await self._reader.readuntil()
            except asyncio.LimitOverrunError as over:
                await self._reader.readexactly(over.consumed)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            else:
                return

    async def _drain(self) -> None:
        """Give calls a moment where the client has closed one direction only: it may still read."""
        if self.unanswered and not _has_hung_up(self._writer.get_extra_info("socket")):
            await self.unanswered.settled(DRAIN_SECONDS)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    """Close the connection once what was written has left, or soon."""
    writer.close()
    try:
        async with asyncio.timeout(_HANG_UP_SECONDS):
            await writer.wait_closed()
    except (TimeoutError, ConnectionError):
        writer.transport.abort()


def _groups(uid: int) -> list[int]:
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return []
    return os.getgrouplist(user.pw_name, user.pw_gid)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"


def _has_hung_up(connected: socket.socket) -> bool:
    """Whether the other end is closed both ways."""
    if connected.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connected.fileno(), 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))
