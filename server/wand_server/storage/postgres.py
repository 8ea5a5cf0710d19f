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
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeVar

import asyncpg

from wand_proto.errors import Ambiguous, Exhausted, Unavailable, WandError
from wand_server.storage.asking import Act, Ask, Dialect, Doing, Moment, Row
from wand_server.storage.gathering import Gatherer, Publish, Waiting, broken
from wand_server.storage.migrating import migrate
from wand_server.storage.schema import STEPS

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
_PLANNING = {  # plans are made when the tables are small, and kept when they are large: by indexes, always
    "jit": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
}
_IN_THE_WAY = (asyncpg.exceptions.TransactionRollbackError, asyncpg.exceptions.LockNotAvailableError)
DIALECT = Dialect(
    "postgres",
    (
        (r"@lock", "FOR UPDATE"),
        (r"@skip", "FOR UPDATE SKIP LOCKED"),
        (r"@serialized", "pg_advisory_xact_lock(7316524)"),
        (r"@able\((\$\d+)\)", r"needs <@ CAST(\1 AS JSONB)"),
        (r"@label\((\$\d+), (\$\d+)\)", r"labels ->> \1 = \2"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the database is; the password is told apart from the rest."""

    url: str
    password: str = ""


async def connected(address: Address, application: str = "wand-server") -> "asyncpg.Connection[Any]":
    """A connection of one's own."""
    return await asyncpg.connect(address.url, **_options(address, application))


def _options(address: Address, application: str = "wand-server") -> dict[str, Any]:
    return {
        "password": address.password or None,
        "command_timeout": _CALL_SECONDS,
        "timeout": _CALL_SECONDS,
        "server_settings": {"application_name": application, **_PLANNING},
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
        self._writer = await connected(self._address)
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
                return await _walk(connection, act(Moment(self.now(), random.random)))

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
        for group in _of_different_subjects(batch):
            try:
                await _patiently(partial(self._in_step, group))
            except (asyncpg.PostgresError, _ApartError):
                for one in group:
                    await self._solo(one)

    async def _in_step(self, group: Sequence[Waiting], trying: "_Trying") -> None:
        if self._writer is None or self._writer.is_closed():
            self._writer = await connected(self._address)
        try:
            await _transaction(self._writer, trying, lambda each: self._walk_together(each, group))
        except _ApartError:
            raise
        except BaseException:  # in what state the connection is, nobody knows
            self._writer.terminate()
            raise

    async def _walk_together(self, connection: Any, group: Sequence[Waiting]) -> None:
        now = self.now()
        walking = [_Walker(one, Moment(now, random.random)) for one in group]
        while asking := [one for one in walking if one.ask is not None]:
            for sql in dict.fromkeys(one.ask.sql for one in asking if one.ask):
                same = [one for one in asking if one.ask and one.ask.sql == sql]
                answers = await _answers(connection, [one.ask for one in same if one.ask])
                for one, answer in zip(same, answers, strict=True):
                    one.goes_on(answer)

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
        at = Moment(self.now(), random.random)
        async with self._connection() as connection:
            act = one.doing.act(at)
            return await _transaction(connection, trying, lambda each: _walk(each, act)), at.wakes


@dataclass(slots=True)
class _Trying:
    """What is known of a try that failed: whether it had asked to make its changes durable."""

    committing: bool = False


class _ApartError(Exception):
    """An act failed after it had changed something; those beside it have to be done again without it."""


class _Walker:
    """An act on its way, among others."""

    def __init__(self, one: Waiting, at: Moment) -> None:
        self._one = one
        self._at = at
        self._act = one.doing.act(at)
        self._changed = False
        self.ask: Ask | None = None
        one.result, one.failure, one.wakes = None, None, ()
        self._step(lambda: next(self._act))

    def goes_on(self, answer: Sequence[Row]) -> None:
        """Give it its answer, and see what it asks next."""
        self._changed = self._changed or bool(self.ask and self.ask.is_change)
        self._step(lambda: self._act.send(answer))

    def _step(self, walk: Callable[[], Ask]) -> None:
        self.ask = None
        try:
            self.ask = walk()
        except StopIteration as end:
            self._one.result, self._one.wakes = end.value, self._at.wakes
        except Exception as why:
            if self._changed or not isinstance(why, WandError):
                raise _ApartError from why
            self._one.failure = why


def _of_different_subjects(batch: Sequence[Waiting]) -> list[list[Waiting]]:
    """The batch in groups within which no two have one subject, in the order in which they came."""
    groups: list[tuple[set[str], list[Waiting]]] = [(set(), [])]
    for one in batch:
        subject = one.doing.subject
        behind = max((n for n, (taken, _) in enumerate(groups) if subject and subject in taken), default=-1)
        if behind + 1 == len(groups):
            groups.append((set(), []))
        groups[behind + 1][0].add(subject)
        groups[behind + 1][1].append(one)
    return [sorted(group, key=lambda one: one.doing.subject) for _, group in groups]


async def _patiently(attempt: Callable[[_Trying], Awaitable[T]]) -> T:
    """Try until the server is there, for a while; whoever is tried again does nothing twice.

    Raises:
        Unavailable: it is not there. Ambiguous: nor when it was to make something durable.
    """
    give_up, unknown = time.monotonic() + _PATIENCE_SECONDS, False
    for number in range(10_000):
        trying = _Trying()
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


async def _walk(connection: Any, act: Act[T]) -> T:
    try:
        ask = next(act)
        while True:
            ask = act.send(await _answer(connection, ask))
    except StopIteration as end:
        result: T = end.value
        return result


async def _answer(connection: Any, ask: Ask) -> Sequence[Row]:
    text = DIALECT.text(ask.sql)
    if ask.gives_rows:
        found: Sequence[Row] = await connection.fetch(text, *ask.values)
        return found
    await connection.execute(text, *ask.values)
    return ()


async def _answers(connection: Any, asks: Sequence[Ask]) -> list[Sequence[Row]]:
    """The answers to one statement with many values, in one go."""
    if len(asks) == 1:
        return [await _answer(connection, asks[0])]
    first, text = asks[0], DIALECT.text(asks[0].sql)
    if not first.gives_rows:
        await connection.executemany(text, [ask.values for ask in asks])
        return [()] * len(asks)
    told = f"WITH a AS ({text}) SELECT a.*, CAST(${len(first.values) + 1} AS INTEGER) AS asked FROM a"
    values = [(*ask.values, number) for number, ask in enumerate(asks)]
    answers: list[list[Row]] = [[] for _ in asks]
    for found in await connection.fetchmany(told, values):
        answers[found["asked"]].append(found)
    return list(answers)


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
