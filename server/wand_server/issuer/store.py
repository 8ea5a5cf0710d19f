"""What has to outlive the server: users, browsers, clients, grants and their tokens, in one file of SQLite.

A token or a cookie is here as its SHA-256 alone. Who reads the file can act as nobody.
"""

import asyncio
import contextlib
import hashlib
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiosqlite

from wand_proto.errors import Unavailable
from wand_server import privatefiles

Row = sqlite3.Row
_VERSION = 1
_BUSY_MILLISECONDS = 5000
_SCHEMA = """
CREATE TABLE user (
    name TEXT PRIMARY KEY, password TEXT NOT NULL, groups TEXT NOT NULL, created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE browser (
    hash BLOB PRIMARY KEY, user TEXT NOT NULL, expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE client (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, redirect_uris TEXT NOT NULL, secret_sha256 TEXT NOT NULL,
    may_refresh INTEGER NOT NULL, created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE grant_ (
    id TEXT PRIMARY KEY, user TEXT NOT NULL, groups TEXT NOT NULL, client_id TEXT NOT NULL,
    client_name TEXT NOT NULL, scopes TEXT NOT NULL, resource TEXT NOT NULL, may_refresh INTEGER NOT NULL,
    created INTEGER NOT NULL, expires INTEGER NOT NULL, revoked INTEGER, key TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX grant_of_user ON grant_ (user);
CREATE INDEX grant_of_client ON grant_ (client_id);
CREATE INDEX grant_revoked ON grant_ (revoked) WHERE revoked IS NOT NULL;
CREATE TABLE code (
    hash BLOB PRIMARY KEY, grant_id TEXT NOT NULL REFERENCES grant_ ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL, challenge TEXT NOT NULL, expires INTEGER NOT NULL, used INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE refresh (
    hash BLOB PRIMARY KEY, grant_id TEXT NOT NULL REFERENCES grant_ ON DELETE CASCADE,
    expires INTEGER NOT NULL, used INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX code_of_grant ON code (grant_id);
CREATE INDEX refresh_of_grant ON refresh (grant_id);
"""


def new_secret(prefix: str = "") -> str:
    """A text that nobody guesses."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """By what a secret is found again."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()


class Store:
    """The file, opened; `async with` it. One transaction runs at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = asyncio.Lock()
        self.before_commit: Callable[[], Awaitable[None]] | None = None  # where it raises, nothing is changed

    async def __aenter__(self) -> Self:
        """Open it, or make it.

        Raises:
            Denied: others may read or write it.
            Unavailable: it cannot be opened, or is of a later version.
        """
        privatefiles.make(self._path)
        self._database = await aiosqlite.connect(self._path, isolation_level=None)
        try:
            await self._prepare()
        except sqlite3.Error as error:
            await self._database.close()
            raise Unavailable(f"{self._path} cannot be used: {error}") from error
        except BaseException:
            await self._database.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._database.close()

    async def _prepare(self) -> None:
        self._database.row_factory = sqlite3.Row
        for pragma in (
            f"busy_timeout = {_BUSY_MILLISECONDS}",
            "journal_mode = WAL",
            "synchronous = FULL",  # a token that was replaced must not be back after a power failure
            "foreign_keys = ON",
            "trusted_schema = OFF",
            "secure_delete = ON",
        ):
            await self._database.execute(f"PRAGMA {pragma}")
        async with self.changing():
            version = (await self.row("PRAGMA user_version") or (0,))[0]
            if version > _VERSION:
                raise Unavailable(f"{self._path} was written by a later version of Wand")
            if version == 0:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    await self._database.execute(statement)
                await self._database.execute(f"PRAGMA user_version = {_VERSION}")

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """All that the block does, or nothing of it; on the disk when it is left."""
        async with self._turn:
            try:
                await self._database.execute("BEGIN IMMEDIATE")
                changes = self._database.total_changes
                yield
                if self.before_commit and self._database.total_changes > changes:
                    await self.before_commit()
                await self._database.execute("COMMIT")
            except BaseException:  # a hang-up too; what was sent to the file's thread before it is done first
                with contextlib.suppress(sqlite3.OperationalError):  # nothing had begun, or all was done
                    await self._database.execute("ROLLBACK")
                raise

    async def run(self, statement: str, *values: Any) -> int:
        """Change something, within `changing`; how many rows it was."""
        return (await self._database.execute(statement, values)).rowcount

    async def row(self, statement: str, *values: Any) -> Row | None:
        """The first row, if there is one."""
        async with self._database.execute(statement, values) as cursor:
            return await cursor.fetchone()

    async def rows(self, statement: str, *values: Any) -> Iterable[Row]:
        """All of them."""
        return await self._database.execute_fetchall(statement, values)
