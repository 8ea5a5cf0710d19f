"""The host agent's side of the file tools: warm workers, one ask at a time each, replaced when they fail."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from wand_hostagent.filesystem import wire
from wand_hostagent.filesystem.model import (
    Alias,
    Aliases,
    AliasesAnswer,
    Answer,
    Arrange,
    ArrangeAnswer,
    Ask,
    Edit,
    List,
    ListAnswer,
    Read,
    ReadAnswer,
    Scan,
    Search,
    SearchAnswer,
    Survey,
    SurveyAnswer,
    Write,
    WriteAnswer,
)  # fmt: skip
from wand_hostagent.filesystem.refusal import Refused
from wand_hostagent.reports import ProfilesReport
from wand_proto import errors
from wand_proto.errors import Ambiguous, Broken, Exhausted, TimedOut, Unavailable

ASK_SECONDS = 30.0
WORKERS = 2  # of one profile for what looks for a pattern, which may take long, and as many for all else
_END_SECONDS = 2.0
_ANSWERS: dict[type[Ask], type[Answer]] = {
    Read: ReadAnswer, Write: WriteAnswer, Edit: WriteAnswer, List: ListAnswer, Search: SearchAnswer,
    Scan: SearchAnswer, Arrange: ArrangeAnswer, Survey: SurveyAnswer,
    Aliases: AliasesAnswer,
}  # fmt: skip
_T = TypeVar("_T")
_MOST_POOLS = 32  # idle workers of those that were used longest ago are let go

_Key = tuple[str, str]  # a profile, and for whom


class Link(Protocol):
    """What is needed of the link to the launcher."""

    async def worker(self, job: str, profile: str, why: Mapping[str, Any], descriptor: int, /) -> object:
        """Have a worker started with that end of a stream socket."""

    async def profiles(self) -> ProfilesReport:
        """The profiles as the launcher has read them."""

    def ending(self, job: str, /) -> "asyncio.Future[Any]":
        """How the worker ends."""

    def release(self, job: str, /) -> None:
        """Forget a worker that has ended."""

    def abandon(self, job: str, /) -> "asyncio.Task[None]":
        """Kill a worker, wait for its end, and forget it."""


class _Gone(Exception):
    """The worker died under the ask."""


@dataclass(slots=True)
class _Exchange:
    """One ask on its way; once it is sent, a change may have been made."""

    frame: bytes
    is_change: bool
    seeks: bool
    answer: type[Answer]
    sent: bool = False


class _Worker:
    def __init__(self, job: str, sock: socket.socket, ending: "asyncio.Future[Any]") -> None:
        self.job = job
        self.sock = sock
        self.ending = ending

    def is_fit(self) -> bool:
        """Whether it lives and owes nothing: neither an end nor a byte waits to be read."""
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    async def ask(self, exchange: _Exchange) -> Answer:
        exchange.sent = True
        try:
            await asyncio.get_running_loop().sock_sendall(self.sock, exchange.frame)
        except OSError as error:
            exchange.sent = False  # a part of a frame is never acted on
            raise _Gone from error
        answer = await self._receive()
        if isinstance(answer, Refused):
            raise answer
        if not isinstance(answer, exchange.answer):
            raise Broken("the file tools answered something else")
        return answer

    async def _receive(self) -> Ask | Answer | Refused:
        """What the worker says; it is not trusted, for commands that run as its user may have got at it."""
        lengths = wire.LENGTHS.unpack(await self._exactly(wire.LENGTHS.size))
        try:
            wire.check_lengths(*lengths)
            header, body = [await self._exactly(length) for length in lengths]
            return wire.unpack(header, body)
        except Refused as refused:
            raise Broken(f"the file tools' answer cannot be read: {refused.message}") from refused

    async def _exactly(self, count: int) -> bytes:
        got = bytearray(count)
        view = memoryview(got)
        while view:
            try:
                received = await asyncio.get_running_loop().sock_recv_into(self.sock, view)
            except OSError as error:
                raise _Gone from error
            if received == 0:
                raise _Gone
            view = view[received:]
        return bytes(got)


@dataclass(slots=True)
class _Pool:
    """The workers of one profile and one principal: in some profiles each has a user of its own."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WORKERS))
    seeking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WORKERS))
    users: int = 0  # asks that have it in their hands
    idle: list[_Worker] = field(default_factory=list)
    aliases: tuple[Alias, ...] | None = (
        None  # as a worker told them that was started last; None: not asked yet
    )


class FileWorkers:
    """File tools for whoever has a permit; workers are started at the first use of a profile."""

    def __init__(self, link: Link, *, ask_seconds: float = ASK_SECONDS) -> None:
        self._link = link
        self._ask_seconds = ask_seconds
        self._pools: dict[_Key, _Pool] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    async def use(self, profile: str, ask: Ask, *, principal: str = "") -> Answer:
        """Have a worker of the profile, or of the default one, do what is asked, for that principal.

        A change that is under way is finished even where this is cancelled.

        Raises:
            Invalid, Denied, NotFound, Conflict, Exhausted: the worker refused.
            TimedOut: it did not answer in time, and nothing was changed.
            Ambiguous: the answer to a change was lost.
            Unavailable: no worker could be started.
        """
        try:
            is_change, seeks = isinstance(ask, Write | Edit | Arrange), isinstance(ask, Search | Scan)
            exchange = _Exchange(wire.pack(ask), is_change, seeks, _ANSWERS[type(ask)])
            key = await self._named(profile), principal
            if not exchange.is_change:
                return await self._use(key, exchange)
            return await asyncio.shield(self._keep(asyncio.create_task(self._use(key, exchange))))
        except Refused as refused:
            raise errors.named(
                refused.kind, refused.message, hint=refused.hint, field=refused.field
            ) from refused

    async def aliases(self, profile: str, *, principal: str = "") -> tuple[Alias, ...]:
        """Those folders of the profile that are links, or lie behind one; a worker acts by no other name."""
        profile = await self._named(profile)
        pool = self._pool((profile, principal))
        if pool.aliases is None:
            answer = await self.use(profile, Aliases(), principal=principal)
            assert isinstance(answer, AliasesAnswer)
            pool.aliases = answer.aliases
        return pool.aliases

    async def _named(self, profile: str) -> str:
        """The name of the profile that is meant: a rule that names none means the default one."""
        return profile or (await self._link.profiles()).default

    async def aclose(self) -> None:
        """Let changes under way be finished, for a bounded while, and end every worker."""
        self._is_closed = True
        if self._background:
            await asyncio.wait(self._background, timeout=self._ask_seconds)
        for pool in self._pools.values():
            self._dismiss_after_close(pool)
        if self._background:
            await asyncio.wait(self._background, timeout=2 * _END_SECONDS)
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    def _keep(self, task: "asyncio.Task[_T]") -> "asyncio.Task[_T]":
        self._background.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever asked may have gone

    async def _use(self, key: _Key, exchange: _Exchange) -> Answer:
        async with self._slot(key, seeks=exchange.seeks) as pool:
            try:
                async with asyncio.timeout(self._ask_seconds):
                    return await self._try_twice(key, pool, exchange)
            except TimeoutError:
                if exchange.sent and exchange.is_change:
                    raise Ambiguous(_lost(f"did not answer within {self._ask_seconds:g} s")) from None
                raise TimedOut(f"the file tools did not answer within {self._ask_seconds:g} s") from None

    async def _try_twice(self, key: _Key, pool: _Pool, exchange: _Exchange) -> Answer:
        for _ in range(2):
            try:
                return await self._once(key, pool, exchange)
            except _Gone:
                if exchange.sent and exchange.is_change:
                    raise Ambiguous(_lost("died")) from None
        raise Unavailable("the file tools died twice over this", hint="the launcher's log may say why")

    async def _once(self, key: _Key, pool: _Pool, exchange: _Exchange) -> Answer:
        worker = await self._fit_worker(key, pool)
        try:
            answer = await worker.ask(exchange)
        except Refused:
            pool.idle.append(worker)
            raise
        except BaseException:
            worker.sock.close()
            self._keep(self._link.abandon(worker.job))
            raise
        pool.idle.append(worker)
        return answer

    @asynccontextmanager
    async def _slot(self, key: _Key, *, seeks: bool) -> AsyncIterator[_Pool]:
        if self._is_closed:
            raise Unavailable("the host agent is stopping")
        pool = self._pool(key)
        slots = pool.seeking if seeks else pool.slots
        pool.users += 1
        try:
            await self._wait_for(key[0], slots)
            try:
                yield pool
            finally:
                slots.release()
        finally:
            pool.users -= 1
            self._dismiss_after_close(pool)

    async def _wait_for(self, profile: str, slots: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._ask_seconds):
                await slots.acquire()
        except TimeoutError:
            raise Exhausted(
                f"the file tools of {profile} were busy for {self._ask_seconds:g} s", hint="try again later"
            ) from None

    def _pool(self, key: _Key) -> _Pool:
        """The pool of that name, which is now the one used last; one that is idle may have to go for it."""
        pool = self._pools.pop(key, None) or _Pool()
        idle = [name for name, one in self._pools.items() if not one.users]
        for name in idle[: max(0, len(self._pools) + 1 - _MOST_POOLS)]:
            self._dismiss_all(self._pools.pop(name))
        self._pools[key] = pool
        return pool

    async def _fit_worker(self, key: _Key, pool: _Pool) -> _Worker:
        while pool.idle:
            worker = pool.idle.pop()
            if worker.is_fit():
                return worker
            self._dismiss(worker)
        pool.aliases = None
        return await self._start(*key)

    async def _start(self, profile: str, principal: str) -> _Worker:
        job = f"files-{secrets.token_hex(8)}"
        why = {"for": "file tools", **({"principal": principal} if principal else {})}
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                await self._link.worker(job, profile, why, theirs.fileno())
        except BaseException as error:
            ours.close()  # a worker that did start ends by itself
            if isinstance(error, asyncio.CancelledError | TimedOut | Ambiguous):
                self._keep(self._link.abandon(job))
            if isinstance(error, Ambiguous | TimedOut):
                raise Unavailable(f"the file tools could not be started: {error.message}") from error
            raise
        return _Worker(job, ours, self._link.ending(job))

    def _dismiss_after_close(self, pool: _Pool) -> None:
        if self._is_closed:
            self._dismiss_all(pool)

    def _dismiss_all(self, pool: _Pool) -> None:
        while pool.idle:
            self._dismiss(pool.idle.pop())

    def _dismiss(self, worker: _Worker) -> None:
        """Close its socket, upon which it ends, and see to it that it does."""
        worker.sock.close()
        self._keep(asyncio.create_task(self._see_off(worker)))

    async def _see_off(self, worker: _Worker) -> None:
        await asyncio.wait({worker.ending}, timeout=_END_SECONDS)
        if worker.ending.done():
            self._link.release(worker.job)
        else:
            with suppress(errors.WandError):
                await self._link.abandon(worker.job)


def _lost(how: str) -> str:
    return f"the file tools {how} in the middle of a change; whether it was made is to be looked up"
