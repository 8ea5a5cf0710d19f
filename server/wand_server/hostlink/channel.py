"""The channel to the host agent: one always open, renewed with its certificates; it tells why it is down."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import Self

import grpc
from grpc import aio

from wand_proto import wire
from wand_proto.alarms import Alarms
from wand_proto.credentials import Identity
from wand_proto.errors import Unavailable, WandError
from wand_proto.tls import Watched, channel_credentials
from wand_proto.v1 import execution_pb2_grpc, files_pb2_grpc, host_pb2_grpc
from wand_server.hostlink.calls import Calls
from wand_server.hostlink.explain import explain_failure

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 1.5  # how long a call waits for a link that is down, so that a quick restart goes unseen
_TICK_SECONDS = 0.25  # of the deadlines of calls
_EXPLAIN_SECONDS = 4.0
_EXPLAIN_AGAIN_SECONDS = 5.0
_LOOK_AT_FILES_SECONDS = 2.0


class Connection:
    """One channel and the services behind it, made with the certificates of one moment."""

    def __init__(self, address: str, identity: Identity) -> None:
        self.watched = Watched(identity)  # before the files are read: no renewal falls in between
        self.channel = aio.secure_channel(address, channel_credentials(identity), options=wire.CHANNEL)
        self.execution = execution_pb2_grpc.ExecutionStub(self.channel)
        self.calls = Calls(self.execution)
        self.files = files_pb2_grpc.FilesStub(self.channel)
        self.host = host_pb2_grpc.HostStub(self.channel)
        self.users = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def close(self) -> None:
        await self.calls.close()
        await self.channel.close()


class Link:
    """The way to the host agent; `async with` it."""

    def __init__(
        self, address: str, identity: Identity, *, patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        self._address = address
        self._identity = identity
        self._patience_seconds = patience_seconds
        self._up = asyncio.Event()
        self._lost_told = False
        self._why = ""
        self._explained_at = float("-inf")
        self._explaining: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[Connection] = set()

    async def __aenter__(self) -> Self:
        self.alarms = Alarms(_TICK_SECONDS)
        self._connection = self._connect()
        self._watcher = self._spawn(self._watch(self._connection))
        self._spawn(self._renew())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self._open:
            await connection.close()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _connect(self) -> Connection:
        connection = Connection(self._address, self._identity)
        self._open.add(connection)
        return connection

    @property
    def is_up(self) -> bool:
        """Whether the host agent answers, as far as is known."""
        return self._up.is_set()

    @property
    def why_down(self) -> str:
        """Why the host agent does not answer; empty while it does."""
        return "" if self.is_up else self._why or f"no connection to {self._address}"

    def connection(self) -> "Use":
        """A connection that stays open until the end of the block, whatever is renewed meanwhile.

        Raises:
            Unavailable: the host agent cannot be reached; the hint says why.
        """
        return Use(self)

    async def current(self) -> Connection:
        """The connection that new calls use, once it is up."""
        if not self._up.is_set():
            await self._wait_until_up()
        return self._connection

    def note_broken(self) -> None:
        """Look again whether the host agent answers: a call has broken before the channel has noticed."""
        self._up.clear()
        self._watch_again()

    def unavailable(self) -> Unavailable:
        """The error of a call that was never sent."""
        return Unavailable("the host agent cannot be reached; nothing was done", hint=self.why_down)

    async def _wait_until_up(self) -> None:
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._up.wait()
        except TimeoutError:
            raise self.unavailable() from None

    async def _watch(self, connection: Connection) -> None:
        """Follow the channel's state, and have it connect again whenever it has let go."""
        while True:
            state = connection.channel.get_state(try_to_connect=True)
            if state is grpc.ChannelConnectivity.READY:
                self._note_up()
            elif state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                self._note_down()
            elif state is grpc.ChannelConnectivity.SHUTDOWN:
                return
            await connection.channel.wait_for_state_change(state)

    def _watch_again(self) -> None:
        self._watcher.cancel()
        self._watcher = self._spawn(self._watch(self._connection))

    def _note_up(self) -> None:
        if not self._up.is_set():
            log.info("host agent connected", extra={"address": self._address, "again": self._lost_told})
        self._why, self._lost_told, self._explained_at = "", False, float("-inf")
        self._up.set()

    def _note_down(self) -> None:
        self._up.clear()
        now = time.monotonic()
        is_busy = self._explaining is not None and not self._explaining.done()
        if not is_busy and now - self._explained_at >= _EXPLAIN_AGAIN_SECONDS:
            self._explained_at = now
            self._explaining = self._spawn(self._explain())

    async def _explain(self) -> None:
        """Find out why there is no connection, by a handshake that tells more than gRPC does."""
        try:
            async with asyncio.timeout(_EXPLAIN_SECONDS):
                why = await asyncio.to_thread(explain_failure, self._address, self._identity)
        except TimeoutError:
            why = f"no answer at {self._address}"
        if self._up.is_set():
            return
        self._why = why or f"it has only just begun to answer at {self._address}; try again"
        if not self._lost_told:
            self._lost_told = True
            log.warning("host agent lost", extra={"address": self._address, "why": self._why})

    async def _renew(self) -> None:
        """Open a new channel when the certificates have been renewed; calls on the old one end in peace."""
        while True:
            await asyncio.sleep(_LOOK_AT_FILES_SECONDS)
            if not self._connection.watched.stale():
                continue
            try:
                new = self._connect()
            except WandError as error:  # they are just being replaced once more
                log.warning("no new channel yet", extra={"why": str(error)})
                continue
            old, self._connection = self._connection, new
            log.info("new channel with renewed certificates", extra={"calls_on_the_old": old.users})
            self._watch_again()
            self._spawn(self._drain(old))

    async def _drain(self, old: Connection) -> None:
        await old.idle.wait()
        self._open.discard(old)
        await old.close()


class Use:
    """The block in which a connection is used; see `Link.connection`."""

    __slots__ = ("_connection", "_link")

    def __init__(self, link: Link) -> None:
        self._link = link

    async def __aenter__(self) -> Connection:
        self._connection = await self._link.current()
        self._connection.users += 1
        self._connection.idle.clear()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.users -= 1
        if self._connection.users == 0:
            self._connection.idle.set()
