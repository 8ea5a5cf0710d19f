"""Gathers what is asked for at the same time, so that one durable write serves all of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from wand_proto.errors import Broken, Unavailable, WandError
from wand_server.ports import Wake
from wand_server.storage.asking import Doing

log = logging.getLogger(__name__)
_MOST = 128  # in one write

Publish = Callable[[Sequence[Wake]], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Waiting:
    """An act for whose end somebody waits; whoever runs it sets `result` or `failure`, and its wakes."""

    doing: Doing
    future: "asyncio.Future[Any]"
    result: Any = None
    failure: BaseException | None = None
    wakes: Sequence[Wake] = ()

    def tell(self) -> None:
        """Tell who waits how it ended, unless nobody does any more."""
        if self.future.done():
            return
        if self.failure is not None:
            self.future.set_exception(self.failure)
        else:
            self.future.set_result(self.result)


def broken(why: Exception) -> WandError:
    """What is told of a defect of ours, which the log has whole."""
    log.error("an act failed", exc_info=why)
    return Broken(f"the task store failed ({type(why).__name__})")


class Gatherer:
    """Runs acts in batches, one batch at a time: those that came while the last one ran."""

    def __init__(self, run: Callable[[list[Waiting]], Awaitable[None]], publish: Publish) -> None:
        self._run = run
        self._publish = publish
        self._waiting: list[Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def do(self, doing: Doing) -> Any:
        """What the act returns, once it is durable. It is done even where nobody waits for it any more."""
        if self._closed:
            raise Unavailable("the task store is closed")
        one = Waiting(doing, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._task is None:
            self._task = asyncio.create_task(self._all(), name="storage-writer")
        return await one.future

    async def _all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._batch(batch)
        finally:
            self._task = None

    async def _batch(self, batch: list[Waiting]) -> None:
        try:
            await self._run(batch)
        except WandError as why:
            _fail(batch, why)
        except Exception as why:  # noqa: BLE001 - it is logged, and told to those who wait
            _fail(batch, broken(why))
        finally:  # nobody may be left waiting, whatever it was
            for one in batch:
                one.tell()
        wakes = [wake for one in batch if one.failure is None for wake in one.wakes]
        if wakes:
            await self._publish(wakes)

    async def close(self) -> None:
        """Let what was asked for be done, and take nothing more."""
        self._closed = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)


def _fail(batch: list[Waiting], why: WandError) -> None:
    for one in batch:
        one.failure = one.failure or why
