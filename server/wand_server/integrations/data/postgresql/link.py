"""Connections to one database: every statement alone, in a transaction that says whether it may change."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import asyncpg

from wand_proto.errors import Denied, Exhausted
from wand_server.integrations.data.postgresql.failures import telling

Mode = Literal["READ ONLY", "READ WRITE"]

# `default_transaction_read_only` holds where a statement ends our transaction; DISCARD ALL takes it back
_BEGIN = """
SET default_transaction_read_only = on; BEGIN TRANSACTION {mode};
SET LOCAL statement_timeout = {milliseconds}; SET LOCAL lock_timeout = {milliseconds};
SET LOCAL idle_in_transaction_session_timeout = {idle};
SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL timezone = 'UTC';
"""
_ROLE = """
SELECT rolsuper OR pg_has_role(oid, 'pg_execute_server_program', 'MEMBER')
    OR pg_has_role(oid, 'pg_write_server_files', 'MEMBER')
    OR pg_has_role(oid, 'pg_read_server_files', 'MEMBER')
FROM pg_roles WHERE rolname = current_user
"""
_NO_SUPERUSER = (
    "CREATE ROLE wand LOGIN PASSWORD '…'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO wand; "
    "or set superuser = true, where that is meant"
)
_AS_TEXT = (
    "date", "time", "timetz", "timestamp", "timestamptz", "interval", "numeric", "money", "uuid", "bytea",
    "inet", "cidr", "macaddr", "macaddr8", "bit", "varbit", "xml", "point", "line", "lseg", "box", "path",
    "polygon", "circle", "tsvector", "tsquery",
)  # fmt: skip
_ACQUIRE_SECONDS = 10.0
_CONNECT_SECONDS = 10.0
_GRACE_SECONDS = 5.0  # in which the database ends a statement by itself
_MOST_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where it is, and who signs in."""

    host: str
    port: int
    database: str
    user: str
    password: str
    tls: ssl.SSLContext | None
    connections: int
    is_superuser_meant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """The most that one statement may take and give."""

    seconds: float
    rows: int
    bytes: int
    whole: bool = False  # it is done to its end, and says how many it was


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a statement gave back."""

    columns: tuple[tuple[str, str], ...]  # name and type
    rows: list[list[Any]]
    is_cut: bool
    status: str


class Meter(asyncio.Protocol):
    """Stands between a connection and its reader, and ends it where an answer would fill our memory.

    A row is held whole before anybody can look at it, and may have a gigabyte.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._reader = transport.get_protocol()
        self._left: int | None = None
        self.is_over = False
        transport.set_protocol(self)

    def allow(self, most_bytes: int) -> None:
        """So many from now on."""
        self._left = most_bytes

    def leave(self) -> None:
        """Let all pass again."""
        self._transport.set_protocol(self._reader)

    def data_received(self, data: bytes) -> None:
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self.is_over = True
                self._transport.abort()
                return
        self._reader.data_received(data)

    def eof_received(self) -> bool | None:
        ended: bool | None = self._reader.eof_received()
        return ended

    def connection_lost(self, exc: Exception | None) -> None:
        self._reader.connection_lost(exc)

    def pause_writing(self) -> None:
        self._reader.pause_writing()

    def resume_writing(self) -> None:
        self._reader.resume_writing()


class Link:
    """The connections of one instance; they are opened when they are needed, and closed when they idle."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pool: Any = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()

    async def run(self, mode: Mode, sql: str, given: Sequence[Any], most: Ceilings) -> Given:
        """What one statement gives back, as much of it as may be.

        Raises:
            WandError: the database refuses it, cannot be reached, or it takes or gives too much.
        """
        with telling():
            pool = await self._opened()
            async with (
                pool.acquire(timeout=_ACQUIRE_SECONDS) as connection,
                _transaction(connection, mode, most.seconds),
            ):
                return await _rows(connection, sql, given, most)

    async def _opened(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await self._open()
        return self._pool

    async def _open(self) -> Any:
        """Everything is said, for what is not is looked for in the environment and in files."""
        one = self._server
        return await asyncpg.create_pool(
            host=one.host, port=one.port, database=one.database, user=one.user, password=one.password,
            ssl=one.tls or False, direct_tls=False, target_session_attrs="any", krbsrvname="postgres",
            gsslib="gssapi", timeout=_CONNECT_SECONDS, statement_cache_size=0, min_size=0,
            max_size=one.connections, max_inactive_connection_lifetime=60.0, init=self._prepare, reset=_reset,
            server_settings={"application_name": "wand"},
        )  # fmt: skip

    async def _prepare(self, connection: Any) -> None:
        """What a new connection needs.

        Raises:
            Denied: its role may do what no transaction holds back.
        """
        if not self._server.is_superuser_meant and await connection.fetchval(_ROLE):
            said = f"the role {self._server.user} is a superuser, or may use the server's files and programs"
            raise Denied(f"{said}: no read-only transaction holds it", hint=_NO_SUPERUSER)
        for name in _AS_TEXT:
            await connection.set_type_codec(
                name, schema="pg_catalog", encoder=str, decoder=str, format="text"
            )
        for name in ("json", "jsonb"):
            await connection.set_type_codec(
                name, schema="pg_catalog", encoder=_encoded, decoder=json.loads, format="text"
            )


async def _reset(connection: Any) -> None:
    await connection.execute("DISCARD ALL", timeout=_GRACE_SECONDS)


@asynccontextmanager
async def _transaction(connection: Any, mode: Mode, seconds: float) -> AsyncIterator[None]:
    """One that is kept only where it may change something, and nothing went wrong."""
    milliseconds = int(seconds * 1000)
    begin = _BEGIN.format(mode=mode, milliseconds=milliseconds, idle=milliseconds + 60_000)
    await connection.execute(begin, timeout=_GRACE_SECONDS)
    try:
        yield
    except BaseException:
        with suppress(asyncpg.InterfaceError):  # there is no connection, and it has ended with that
            await connection.execute("ROLLBACK", timeout=_GRACE_SECONDS)
        raise
    if mode == "READ ONLY":
        await connection.execute("ROLLBACK", timeout=_GRACE_SECONDS)
        return
    with telling(may_be_done=True):
        await connection.execute("COMMIT", timeout=seconds + _GRACE_SECONDS)


async def _rows(connection: Any, sql: str, given: Sequence[Any], most: Ceilings) -> Given:
    """What a statement gives, as far as it fits."""
    seconds = most.seconds + _GRACE_SECONDS
    statement = await connection.prepare(sql, timeout=seconds)
    meter = Meter(connection._transport)  # noqa: SLF001 - asyncpg has no other way to it
    meter.allow(most.bytes * 4 + 1024 * 1024)
    try:
        async with asyncio.timeout(seconds):
            return await _read(statement, given, most, meter)
    except Exception:
        if meter.is_over:
            hint = "ask for fewer columns, or for a part of them: left(body, 1000)"
            raise Exhausted("the rows are larger than may be read", hint=hint) from None
        raise
    finally:
        meter.leave()


async def _read(statement: Any, given: Sequence[Any], most: Ceilings, meter: Meter) -> Given:
    """Rows until one of the ceilings; what is read at once grows, so that it cannot be far above them."""
    columns = tuple((one.name, one.type.name) for one in statement.get_attributes())
    if most.whole:
        kept = _Kept(most)
        for row in await statement.fetch(*given):
            kept.take(row)
        return Given(columns=columns, rows=kept.rows, is_cut=kept.is_full, status=statement.get_statusmsg())
    cursor, kept, step = await statement.cursor(*given), _Kept(most), 1
    while not kept.is_full:
        wanted = min(step, most.rows + 1 - len(kept.rows))
        read = await cursor.fetch(wanted)
        for row in read:
            kept.take(row)
        if len(read) < wanted:
            break
        meter.allow(most.bytes * 4 + 1024 * 1024)
        step = min(step * 2, _MOST_AT_ONCE)
    return Given(columns=columns, rows=kept.rows, is_cut=kept.is_full, status="")


class _Kept:
    """Rows, as many as may be."""

    def __init__(self, most: Ceilings) -> None:
        self._most = most
        self._size = 0
        self.rows: list[list[Any]] = []
        self.is_full = False

    def take(self, row: Iterable[Any]) -> None:
        """Keep it, unless there are enough."""
        plain = list(map(_plain, row))
        self._size += len(json.dumps(plain, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        too_large = bool(self.rows) and self._size > self._most.bytes
        self.is_full = self.is_full or len(self.rows) >= self._most.rows or too_large
        if not self.is_full:
            self.rows.append(plain)


def _plain(value: Any) -> Any:
    """A value as JSON has it; others than those that we have read as text are rare."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)  # noqa: PLR0124 - NaN
    if value is None or isinstance(value, str | int | dict):
        return value
    if isinstance(value, list | tuple | asyncpg.Record):
        return [_plain(one) for one in value]
    if isinstance(value, asyncpg.Range):
        return _range(value)
    return str(value)


def _range(value: asyncpg.Range) -> str:
    """As PostgreSQL spells it, such as [1,5)."""
    if value.isempty:
        return "empty"
    ends = ("" if end is None else str(end) for end in (value.lower, value.upper))
    return f"{'[' if value.lower_inc else '('}{','.join(ends)}{']' if value.upper_inc else ')'}"


def _encoded(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
