"""A bus over PostgreSQL's LISTEN and NOTIFY: wakes those who wait in every process that has the database."""

import asyncio
import contextlib
import itertools
import json
import logging
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Self

import asyncpg

from wand_server.ports import News, Wake
from wand_server.storage.buses import InProcessBus
from wand_server.storage.postgres import GONE, Address, connected, unreachable

log = logging.getLogger(__name__)
CHANNEL = "wand_tasks"
_MOST_WAITING = 10_000  # wakes while nobody can be reached; the newest
_MOST_BYTES = 7900  # of a payload: PostgreSQL takes fewer than 8000
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_TOGETHER_SECONDS = 0.005  # what is told sooner than that after a message waits, and goes with the next
_PAUSES = (0.05, 0.2, 1.0, 3.0)
_NOTIFY = f"SELECT pg_notify('{CHANNEL}', one) FROM unnest(CAST($1 AS TEXT[])) AS one"


class NotifyBus(InProcessBus):
    """The bus, connected; `async with` it. A connection that is lost is made again, and then all look."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self._address = address
        self._name = secrets.token_hex(8)
        self._connection: asyncpg.Connection[Any] | None = None
        self._waiting: dict[Wake, None] = {}
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect it.

        Raises:
            Unavailable: the database cannot be reached.
        """
        try:
            await self._connect()
        except (asyncpg.PostgresError, *GONE) as why:
            raise unreachable(why) from why
        self._task = asyncio.create_task(self._serve(), name="notify-bus")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def publish(self, wakes: Sequence[Wake]) -> None:
        """As `ports.TaskBus` says; others hear it a moment later."""
        self.hand_out(wakes)
        for wake in wakes:
            self._waiting[wake] = None
        for _ in range(len(self._waiting) - _MOST_WAITING):
            self._waiting.pop(next(iter(self._waiting)))
        self._something.set()

    async def close(self) -> None:
        """End every use of it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._connection is not None:
            with contextlib.suppress(asyncpg.PostgresError, *GONE):
                await asyncio.wait_for(self._send(), 2)
                await self._connection.close(timeout=2)
            self._connection = None
        await super().close()

    async def _connect(self) -> None:
        connection = await connected(self._address, application="wand-bus")
        await connection.execute("SET synchronous_commit = off")  # a wake is nothing that must last
        await connection.add_listener(CHANNEL, self._hear)
        connection.add_termination_listener(lambda _: self._something.set())
        self._connection = connection

    async def _serve(self) -> None:
        """Send what is to be sent; connect again whenever that is needed."""
        while True:
            await self._something.wait()
            self._something.clear()
            if self._connection is None or self._connection.is_closed():
                await self._connect_again()
            await self._send()
            await asyncio.sleep(_TOGETHER_SECONDS)

    async def _connect_again(self) -> None:
        for pause in itertools.chain(_PAUSES, itertools.repeat(_PAUSES[-1])):
            try:
                await self._connect()
            except (asyncpg.PostgresError, *GONE) as why:
                log.warning("the bus is not connected", extra={"why": type(why).__name__})
                await asyncio.sleep(pause)
            else:
                self.look_again()  # what was told meanwhile, nobody here has heard
                return

    async def _send(self) -> None:
        wakes, self._waiting = list(self._waiting), {}
        if not wakes or self._connection is None:
            return
        try:
            await self._connection.execute(_NOTIFY, list(self._payloads(wakes)))
        except asyncio.CancelledError:
            self._waiting = dict.fromkeys(wakes) | self._waiting  # told twice, rather than not
            raise
        except (asyncpg.PostgresError, *GONE):
            self._waiting = dict.fromkeys(wakes) | self._waiting
            self._connection.terminate()
            self._something.set()

    def _payloads(self, wakes: Sequence[Wake]) -> Iterator[str]:
        """The wakes as texts that are short enough, and begin with who tells."""
        text = _ENCODE([self._name, *([wake.news, wake.task, *sorted(wake.needs)] for wake in wakes)])
        if len(text) <= _MOST_BYTES or len(wakes) == 1:
            yield text
        else:
            half = len(wakes) // 2
            yield from self._payloads(wakes[:half])
            yield from self._payloads(wakes[half:])

    def _hear(self, _connection: Any, _process: int, _channel: str, untrusted: Any) -> None:
        if untrusted.startswith(f'["{self._name}"'):
            return  # we have told it ourselves
        try:
            _, *told = json.loads(untrusted)
            self.hand_out([_wake(*one) for one in told])
        except (ValueError, TypeError):
            log.warning("what the bus heard is no wake")


def _wake(news: str, task: str, *needs: str) -> Wake:
    return Wake(news=News(news), task=task, needs=frozenset(needs))
