"""One attempt at a task: the work, while its lease is held; stopped at once when it must not go on.

What holds is the lease, and nobody here decides whether it does: the store answers each word of ours with a
`Hold`. Where the store cannot be asked, the lease is taken for lost when it would have run out.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from wand_proto.errors import Unavailable, WandError
from wand_server.lifecycle import TaskState
from wand_server.ports import (
    Checkpoint,
    Claimed,
    Hold,
    Outcome,
    StepEnds,
    TaskError,
    TaskProgress,
    TaskStore,
)

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
_STOPPED = {  # in the words of `work.around.End`
    "text": "Conflict: it was stopped",
    "result": None,
    "is_error": True,
    "kind": "Conflict",
    "waits": "",
}
StillCounts = Callable[[], Awaitable[None]]
"""Raises Denied where the sign-in under which the task was handed out counts no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """How long an agent holds a task without a word, and how long what was stopped may take to end."""

    lease_seconds: float = 30.0
    stop_seconds: float = 5.0
    again_seconds: float = 0.1  # between two tries to reach the store

    @property
    def renew_seconds(self) -> float:
        """Three words in a lease: two may be lost."""
        return self.lease_seconds / 3


class Hanging(Exception):
    """The work was told to stop, and does not."""


class Attempt:
    """One claimed task in the hands of one agent; also what its work records by."""

    def __init__(self, store: TaskStore, claimed: Claimed, clocks: Clocks) -> None:
        self.claimed = claimed
        self._store = store
        self._clocks = clocks
        self._held_until = time.monotonic() + clocks.lease_seconds
        self._open: dict[str, None] = {}  # steps that have begun and not ended, as a set in order
        self._not_begun: dict[str, None] = {}  # recorded as begun, and then it was time to stop
        self._stop: asyncio.Future[Hold] = asyncio.get_running_loop().create_future()
        self._why: TaskError | None = None
        self._progress: TaskProgress | None = None
        self._look: asyncio.Event = asyncio.Event()

    # What the work says -------------------------------------------------------------------------------

    async def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Have it recorded; a step's effect comes after this. Where it must not, this does not return."""
        hold = await self._said(lambda: self._store.checkpoint(self.claimed.lease, checkpoint))
        for over in (*(ended.key for ended in checkpoint.ended), *checkpoint.undone):
            self._open.pop(over, None)
        must_stop = hold is not Hold.HELD or self._stop.done()
        begins = dict.fromkeys(begun.key for begun in checkpoint.begins)
        (self._not_begun if must_stop else self._open).update(begins)
        await self._obey(hold)

    async def transcribe(self, entries: Sequence[tuple[str, Any]]) -> None:
        """Add to the transcript."""
        await self._obey(await self._said(lambda: self._store.transcribe(self.claimed.lease, entries)))

    def tell(self, progress: TaskProgress) -> None:
        """Say how far it is; it goes with the next renewal, or the next thing that is recorded."""
        self._progress = progress

    # What others say ----------------------------------------------------------------------------------

    def look(self) -> None:
        """Ask the store at once whether this may go on."""
        self._look.set()

    def give_back(self) -> None:
        """Stop, and let another agent go on with it."""
        self._halt(Hold.HELD)

    # All of it ----------------------------------------------------------------------------------------

    async def carry_out(self, work: Awaitable[Outcome], still_counts: StillCounts) -> TaskState | None:
        """Work until it ends or must end, and record how; where the task went, None where that is not ours.

        Raises:
            Hanging: it was told to stop and does not end; its lease will run out.
        """
        working = asyncio.ensure_future(work)
        watching = asyncio.create_task(self._watch(still_counts), name="lease")
        try:
            both: tuple[asyncio.Future[Any], ...] = (working, self._stop)
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return await self._finish(_outcome(working))
            return await self._stopped(working)
        except asyncio.CancelledError:
            working.cancel()
            raise
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _stopped(self, working: "asyncio.Future[Outcome]") -> TaskState | None:
        """End the work, and record what the reason asks for."""
        hold = self._stop.result()
        working.cancel()
        await asyncio.wait({working}, timeout=self._clocks.stop_seconds)
        if not working.done():
            raise Hanging(f"task {self.claimed.task.id}")
        if not working.cancelled() and working.exception() is None and hold is not Hold.LOST:
            return await self._finish(working.result())  # it came to its end meanwhile
        if hold is Hold.LOST:
            return None
        if self._not_begun:
            last = Checkpoint(undone=tuple(self._not_begun))
            await self._said(lambda: self._store.checkpoint(self.claimed.lease, last))
        match hold:
            case Hold.CANCEL:
                return await self._finish(self._cancelled())
            case Hold.OVERDUE:
                error = self._why or TaskError(kind="TimedOut", message="its deadline passed while it ran")
                return await self._finish(Outcome(kind="failed", error=error))
        return await self._said(lambda: self._store.retry_at(self.claimed.lease, time.time()))

    def _cancelled(self) -> Outcome:
        """Somebody wanted that; what the open steps had done until then stands, and is said."""
        during = f" while {', '.join(self._open)} ran: what that had done stands" if self._open else ""
        ended = tuple(StepEnds(key=key, result=_STOPPED) for key in self._open)
        error = TaskError(kind="Conflict", message=f"it was cancelled{during}")
        return Outcome(kind="cancelled", error=error, last=Checkpoint(ended=ended))

    async def _finish(self, outcome: Outcome) -> TaskState | None:
        return await self._said(lambda: self._store.finish(self.claimed.lease, outcome))

    # The lease ----------------------------------------------------------------------------------------

    async def _watch(self, still_counts: StillCounts) -> None:
        """Hold the lease until the work is over or must end."""
        lease = self._clocks.lease_seconds
        try:
            while not self._stop.done():
                await self._rest()
                await self._look_at_sign_in(still_counts)
                progress, self._progress = self._progress, None
                began = time.monotonic()
                hold = await self._said(partial(self._store.renew, self.claimed.lease, lease, progress))
                if hold is not Hold.LOST:
                    self._held_until = began + lease
                self._judge(hold)
        except WandError as why:
            log.warning("lease lost", extra={"task": self.claimed.task.id, "why": str(why)})
            self._halt(Hold.LOST)
        except Exception:  # the top of this task: without it nobody would hold the lease
            log.exception("lease not watched")
            self._halt(Hold.LOST)

    async def _rest(self) -> None:
        """Until it is time for a word, the deadline passes, or somebody wants to know at once."""
        seconds = self._clocks.renew_seconds
        if (deadline := self.claimed.task.deadline) is not None:
            seconds = min(seconds, max(0.0, deadline - time.time()) + 0.001)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._look.wait()
        self._look.clear()

    async def _look_at_sign_in(self, still_counts: StillCounts) -> None:
        try:
            await still_counts()
        except WandError as why:
            self._why = error_of(why)
            self._halt(Hold.OVERDUE)

    def _judge(self, hold: Hold) -> None:
        if hold is not Hold.HELD:
            self._halt(hold)

    def _halt(self, hold: Hold) -> None:
        if not self._stop.done():
            self._stop.set_result(hold)

    async def _obey(self, hold: Hold) -> None:
        """Go on where the lease holds; else wait for the end, which comes at once."""
        if hold is Hold.HELD and not self._stop.done():
            return
        self._judge(hold)
        await asyncio.get_running_loop().create_future()  # cancelled by `_stopped`

    async def _said(self, say: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """What the store answers; where it cannot be reached, asked again as long as the lease can hold.

        Raises:
            Unavailable: the lease has run out meanwhile.
        """
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(max(0.01, self._held_until - began)):
                    answer = await say()
            except TimeoutError as late:
                raise Unavailable("the store does not answer, and the lease is over") from late
            except Unavailable:
                if time.monotonic() + self._clocks.again_seconds >= self._held_until:
                    raise
                await asyncio.sleep(self._clocks.again_seconds)
            else:
                return answer


def _outcome(working: "asyncio.Future[Outcome]") -> Outcome:
    """How the work ended; one that broke has failed, and its log has the rest."""
    if working.cancelled():
        return Outcome(kind="failed", error=TaskError(kind="Broken", message="it was given up"))
    match working.exception():
        case None:
            return working.result()
        case WandError() as why:
            return Outcome(kind="failed", error=error_of(why))
        case broken:
            log.error("task broke", exc_info=broken)
            return Outcome(
                kind="failed", error=TaskError(kind="Broken", message="a defect in Wand; see its log")
            )


def error_of(why: WandError) -> TaskError:
    """An error of the family as it is kept."""
    return TaskError(kind=type(why).__name__, message=placed(why)[:4000], hint=why.hint[:1000])


def placed(why: WandError) -> str:
    """The message with the field it is about."""
    return f"{why.field}: {why.message}" if why.field else why.message
