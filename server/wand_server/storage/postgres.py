"""Acts on PostgreSQL.

What is asked for at the same time goes in one transaction: the acts walk in step, and where several ask the
same statement, it is sent once with the values of all. So a flush, and most of the waiting, serves all.
An act that cannot share goes alone, in a transaction of its own.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self, TypeVar

import asyncpg

from wand_proto.errors import Ambiguous, Exhausted, Unavailable, WandError
from wand_server.storage.asking import Act, Doing, Moment
from wand_server.storage.gathering import Gatherer, Publish, Waiting, broken
from wand_server.storage.migrating import migrate
from wand_server.storage.schema import STEPS
from wand_server.storage.walking import (
    DIALECT,
    ApartError,
    Walker,
    can_part,
    of_different_subjects,
    step,
    walk,
    walk_together,
)

T = TypeVar("T")
_CONNECTIONS = 4  # for what is read, and what goes alone
_CALL_SECONDS = 30.0
_PATIENCE_SECONDS = 15.0  # with a server that is gone
_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0)
_ALIKE_SECONDS = 0.25  # clocks that differ by less than what measuring them may take
_MOST_TRIES = 8  # where others stood in the way
GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection ended in the middle of many values
    asyncpg.exceptions.OperatorInterventionError,
    OSError,
    TimeoutError,
)
_SESSION = {
    "synchronous_commit": "on",  # whatever the server's default: what we have told is durable
    "jit": "off",
    "enable_seqscan": "off",  # plans are made when tables are small, and kept when they are large
    "enable_bitmapscan": "off",
    "enable_sort": "off",
}
_WRITING = {"enable_hashjoin": "off", "enable_mergejoin": "off"}  # so too: a few rows, found by an index
_IN_THE_WAY = (asyncpg.exceptions.TransactionRollbackError, asyncpg.exceptions.LockNotAvailableError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the database is; the password is told apart from the rest."""

    url: str
    password: str = field(default="", repr=False)


async def connected(
    address: Address, application: str = "wand-server", **session: str
) -> "asyncpg.Connection[Any]":
    """A connection of one's own, with those settings."""
    return await asyncpg.connect(address.url, **_options(address, application, **session))


def _options(address: Address, application: str = "wand-server", **session: str) -> dict[str, Any]:
    return {
        "password": address.password or None,
        "command_timeout": _CALL_SECONDS,
        "timeout": _CALL_SECONDS,
        "server_settings": {"application_name": application, **_SESSION, **session},
    }


class PostgresEngine:
    """The database, reached; `async with` it."""

    dialect = DIALECT

    def __init__(
        self,
        address: Address,
        publish: Publish,
        clock: Callable[[], float] = time.time,
        parts: Mapping[str, Sequence[str]] = STEPS,
    ) -> None:
        self._address = address
        self._publish = publish
        self._clock = clock
        self._ahead = 0.0  # of our clock: the database's, for others may be on other machines
        self._parts = parts
        self._gatherer = Gatherer(self._batch, publish)
        self._writer: asyncpg.Connection[Any] | None = None
        self._pool: asyncpg.Pool[Any] | None = None

    async def __aenter__(self) -> Self:
        """Reach it, and bring its tables to this version.

        Raises:
            Unavailable: it cannot be reached, or a newer Wand wrote it.
        """
        try:
            await self._open()
        except (asyncpg.PostgresError, *GONE) as why:
            await self.close()
            raise unreachable(why) from why
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _open(self) -> None:
        self._writer = await connected(self._address, **_WRITING)
        before = time.time()
        server: float = await self._writer.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
        ahead = server - (before + time.time()) / 2
        self._ahead = ahead if abs(ahead) > _ALIKE_SECONDS else 0.0
        options = _options(self._address)
        self._pool = await asyncpg.create_pool(
            self._address.url,
            min_size=1,
            max_size=_CONNECTIONS,
            max_inactive_connection_lifetime=60,
            **options,
        )
        for part, steps in self._parts.items():
            act = partial(migrate, part=part, steps=steps, dialect=self.dialect.name)
            await self.write(Doing(act, alone=True))

    def now(self) -> float:
        """As `asking.Engine` says: by the database's clock."""
        return self._clock() + self._ahead

    async def write(self, doing: Doing) -> Any:
        """As `asking.Engine` says."""
        if not doing.alone:
            return await self._gatherer.do(doing)
        one = Waiting(doing, asyncio.get_running_loop().create_future())
        await self._solo(one)
        one.tell()
        if one.failure is None and one.wakes:
            await self._publish(one.wakes)
        return await one.future

    async def read(self, act: Callable[[Moment], Act[T]]) -> T:
        """As `asking.Engine` says."""

        async def look(_trying: "_Trying") -> T:
            async with self._connection() as connection, connection.transaction(isolation="repeatable_read"):
                return await walk(connection, act(Moment(self.now(), random.random)))

        return await _patiently(look)

    async def close(self) -> None:
        """End every use of it."""
        await self._gatherer.close()
        if self._pool is not None:
            self._pool.terminate() if self._pool.is_closing() else await self._pool.close()
            self._pool = None
        if self._writer is not None:
            with contextlib.suppress(*GONE):
                await self._writer.close(timeout=5)
            self._writer = None

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        if self._pool is None:
            raise Unavailable("the task store is closed")
        async with self._pool.acquire(timeout=_CALL_SECONDS) as connection:
            yield connection

    async def _batch(self, batch: list[Waiting]) -> None:
        for group in of_different_subjects(batch):
            try:
                await _patiently(partial(self._in_step, group))
            except (asyncpg.PostgresError, ApartError):
                for one in group:
                    await self._solo(one)

    async def _in_step(self, group: Sequence[Waiting], trying: "_Trying") -> None:
        if self._writer is None or self._writer.is_closed():
            self._writer = await connected(self._address, **_WRITING)
        now = self.now()
        try:
            walking = [Walker(one, Moment(now, random.random, again=trying.again)) for one in group]
            if can_part(walking):
                trying.committing = True
                await step(self._writer, walking)
                for one in walking:
                    one.begins_anew()
            if any(one.ask for one in walking):
                await _transaction(self._writer, trying, lambda each: walk_together(each, walking))
        except ApartError:
            raise
        except BaseException:  # in what state the connection is, nobody knows
            self._writer.terminate()
            raise

    async def _solo(self, one: Waiting) -> None:
        """One act in a transaction of its own; again where others stood in its way."""
        for tries in range(_MOST_TRIES):
            try:
                one.result, one.wakes = await _patiently(partial(self._alone, one))
            except _IN_THE_WAY:
                await asyncio.sleep(random.random() * 0.01 * 2**tries)  # noqa: S311 - not a secret
                continue
            except asyncpg.PostgresError as why:
                one.failure = _explained(why)
            except Exception as why:  # noqa: BLE001 - it is logged, and told to who waits
                one.failure = why if isinstance(why, WandError) else broken(why)
            return
        one.failure = Unavailable("the database was too busy with others", hint="try it again")

    async def _alone(self, one: Waiting, trying: "_Trying") -> tuple[Any, Sequence[Any]]:
        at = Moment(self.now(), random.random, again=trying.again)
        async with self._connection() as connection:
            act = one.doing.act(at)
            return await _transaction(connection, trying, lambda each: walk(each, act)), at.wakes


@dataclass(slots=True)
class _Trying:
    """What is known of a try: whether one before may have been done, and whether this one may have."""

    again: bool = False
    committing: bool = False


async def _patiently(attempt: Callable[[_Trying], Awaitable[T]]) -> T:
    """Try until the server is there, for a while; whoever is tried again does nothing twice.

    Raises:
        Unavailable: it is not there. Ambiguous: nor when it was to make something durable.
    """
    give_up, unknown = time.monotonic() + _PATIENCE_SECONDS, False
    for number in range(10_000):
        trying = _Trying(again=unknown)
        try:
            return await attempt(trying)
        except GONE as why:
            unknown = unknown or trying.committing
            if time.monotonic() > give_up:
                raise unreachable(why, unknown=unknown) from why
            await asyncio.sleep(_PAUSES[min(number, len(_PAUSES) - 1)])
    raise AssertionError("the time is over long before")


async def _transaction(connection: Any, trying: _Trying, walk: Callable[[Any], Awaitable[T]]) -> T:
    transaction = connection.transaction()
    await transaction.start()
    try:
        result = await walk(connection)
    except BaseException:
        if not connection.is_closed():
            await transaction.rollback()
        raise
    trying.committing = True
    await transaction.commit()
    return result


def _explained(why: Exception) -> WandError:
    if isinstance(why, asyncpg.exceptions.InsufficientResourcesError):
        return Exhausted(f"the database has no room: {why}", hint="make room where PostgreSQL keeps it")
    return Unavailable(f"the database refused it: {type(why).__name__}: {why}")


def unreachable(why: BaseException, *, unknown: bool = False) -> WandError:
    """What is told where the database cannot be reached; `unknown`: it may have been done."""
    what = f"the database cannot be reached: {type(why).__name__}: {why}"
    if unknown:
        return Ambiguous(
            f"{what}; it was lost while it made the change durable", hint="look before you repeat"
        )
    return Unavailable(what, hint="see tasks.database in the settings, and whether PostgreSQL runs")
