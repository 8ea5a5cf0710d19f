"""Acts on a file of SQLite, which several processes may have open.

One thread writes. What is asked for while it writes is done in the next transaction, together: one flush of
the disk serves all of it. So nothing is told as done before the disk has it (`synchronous = FULL`).
"""

import random
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite

from wand_proto.errors import Exhausted, Unavailable, WandError
from wand_server import privatefiles
from wand_server.storage.asking import Act, Dialect, Doing, Moment
from wand_server.storage.gathering import Gatherer, Publish, Waiting, broken
from wand_server.storage.migrating import migrate
from wand_server.storage.schema import STEPS

T = TypeVar("T")
_BUSY_SECONDS = 30.0
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a step that had begun must not be forgotten when the power fails
    "trusted_schema = OFF",
    "temp_store = MEMORY",
    "cache_size = -16000",
    "journal_size_limit = 67108864",
)
_ABLE = r"(needs = '[]' OR NOT EXISTS (SELECT 1 FROM json_each(needs) AS n WHERE n.value NOT IN \
(SELECT c.value FROM json_each(\1) AS c)))".replace("\\\n", "")
_LABEL = r"EXISTS (SELECT 1 FROM json_each(labels) AS l WHERE l.key = \1 AND l.value = \2)"
DIALECT = Dialect(
    "sqlite",
    (
        (r" @lock| @skip", ""),  # the one writer is alone
        (r"@serialized", "1"),
        (r"@tables", "(SELECT name FROM sqlite_master WHERE type = 'table')"),
        (r"@able\((\$\d+)\)", _ABLE),
        (r"@label\((\$\d+), (\$\d+)\)", _LABEL),
        (r"\$(\d+)", r"?\1"),
    ),
)


class Connection(aiosqlite.Connection):
    """One connection; functions run on its thread."""

    async def opened(self) -> Self:
        """The same, once it is open."""
        await self
        return self

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns."""
        done: T = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return done


class SqliteEngine:
    """The file, opened; `async with` it."""

    dialect = DIALECT

    def __init__(
        self,
        path: Path,
        publish: Publish,
        clock: Callable[[], float] = time.time,
        parts: Mapping[str, Sequence[str]] = STEPS,
    ) -> None:
        self._path = path
        self._clock = clock
        self._parts = parts
        self._gatherer = Gatherer(self._together, publish)
        self._writer = Connection(self._connect, 64)
        self._reader = Connection(self._connect, 64)
        self._opened: list[Connection] = []

    async def __aenter__(self) -> Self:
        """Open it, or make it, and bring its tables to this version.

        Raises:
            Denied: others may read or write it.
            Unavailable: it cannot be opened, or a newer Wand wrote it.
        """
        privatefiles.make(self._path)
        try:
            self._opened.append(await self._writer.opened())
            await self._writer.run(_prepare)
            for part, steps in self._parts.items():
                act = partial(migrate, part=part, steps=steps, dialect=self.dialect.name)
                await self._gatherer.do(Doing(act))
            self._opened.append(await self._reader.opened())
            await self._reader.run(_prepare)
            await self._reader.run(lambda raw: raw.execute("PRAGMA query_only = ON").fetchall())
        except sqlite3.Error as why:
            await self.close()
            raise Unavailable(f"{self._path} cannot be used: {why}") from why
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def now(self) -> float:
        """As `asking.Engine` says: of one machine, this process's clock will do."""
        return self._clock()

    async def write(self, doing: Doing) -> Any:
        """As `asking.Engine` says."""
        return await self._gatherer.do(doing)

    async def read(self, act: Callable[[Moment], Act[T]]) -> T:
        """As `asking.Engine` says."""
        at = Moment(self._clock(), random.random)

        def look(raw: sqlite3.Connection) -> T:
            raw.execute("BEGIN")  # all that it reads is of one moment
            try:
                return _run(raw, act(at))
            finally:
                raw.execute("ROLLBACK")

        try:
            return await self._reader.run(look)
        except (sqlite3.Error, ValueError) as why:
            raise self._explained(why) from why

    async def close(self) -> None:
        """End every use of it."""
        await self._gatherer.close()
        while self._opened:
            await self._opened.pop().close()

    def _connect(self) -> sqlite3.Connection:
        raw = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_SECONDS, cached_statements=512)
        raw.row_factory = sqlite3.Row
        return raw

    async def _together(self, batch: list[Waiting]) -> None:
        now = self._clock()
        try:
            await self._writer.run(lambda raw: _transaction(raw, batch, now))
        except (sqlite3.Error, ValueError) as why:
            raise self._explained(why) from why

    def _explained(self, why: Exception) -> WandError:
        if "full" in str(why):
            return Exhausted(f"there is no room for {self._path}: {why}", hint="make room on its disk")
        return Unavailable(f"{self._path} cannot be used: {why}")


def _prepare(raw: sqlite3.Connection) -> None:
    for pragma in _PRAGMAS:
        raw.execute(f"PRAGMA {pragma}").fetchall()


def _transaction(raw: sqlite3.Connection, batch: list[Waiting], now: float) -> None:
    """Each act of the batch, one after the other, all of them durable at the end."""
    raw.execute("BEGIN IMMEDIATE")
    try:
        for one in batch:
            _one(raw, one, Moment(now, random.random))
        raw.execute("COMMIT")
    except BaseException:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raise


def _one(raw: sqlite3.Connection, one: Waiting, at: Moment) -> None:
    raw.execute("SAVEPOINT act")
    try:
        one.result = _run(raw, one.doing.act(at))
        one.wakes = at.wakes
    except sqlite3.Error:
        raise
    except Exception as why:  # noqa: BLE001 - it is logged, and told to who waits
        one.failure = why if isinstance(why, WandError) else broken(why)
        raw.execute("ROLLBACK TO act")
    raw.execute("RELEASE act")


def _run(raw: sqlite3.Connection, act: Act[T]) -> T:
    try:
        ask = next(act)
        while True:
            ask = act.send(raw.execute(DIALECT.text(ask.sql), ask.values).fetchall())
    except StopIteration as end:
        result: T = end.value
        return result
