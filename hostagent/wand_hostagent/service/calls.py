"""The calls of one stream: each a task of its own, none waiting for another, all ended with the stream."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from functools import partial

from grpc import aio

from wand_hostagent.gate import Gate
from wand_hostagent.model import Output
from wand_hostagent.service import fields, translate
from wand_hostagent.service.intercept import Context, answerable
from wand_hostagent.service.outbox import Outbox
from wand_hostagent.service.peers import Peer
from wand_proto import context as metadata
from wand_proto.alarms import Alarm, Alarms
from wand_proto.errors import Exhausted, Invalid, TimedOut, Unavailable, WandError
from wand_proto.v1 import execution_pb2 as wire

log = logging.getLogger(__name__)

MOST_CALLS = 1024  # at once on one stream
DEFAULT_WINDOW_BYTES = 256 * 1024
MOST_WINDOW_BYTES = 1024 * 1024
TICK_SECONDS = 0.25
_ANY_BYTES = 2**62
EVENT_BYTES = 64  # that an Output counts beside its data, or many small ones would be a lot of memory
METHOD = "Calls/run"


class Window:
    """How much of a call's output may be on its way."""

    def __init__(self, window_bytes: int) -> None:
        self._most_bytes = self._left_bytes = window_bytes or DEFAULT_WINDOW_BYTES
        self._opened: asyncio.Event | None = None  # while somebody waits for it

    def open(self, taken_bytes: int) -> None:
        """The other end has taken so much."""
        self._left_bytes = min(self._left_bytes + taken_bytes, self._most_bytes)
        if self._opened is not None:
            self._opened.set()

    def open_wide(self) -> None:
        """Nothing goes through it any more, and nobody is to wait for that."""
        self._most_bytes = self._left_bytes = _ANY_BYTES
        self.open(0)

    async def let_through(self, output_bytes: int) -> None:
        """Wait until some of it is open, then take so much of it away."""
        while self._left_bytes <= 0:
            self._opened = asyncio.Event()
            await self._opened.wait()
        self._left_bytes -= output_bytes


class Call:
    """One call while it is served."""

    __slots__ = ("_clock", "caller", "job", "number", "opening", "task", "why", "window")

    def __init__(self, number: int, opening: wire.CallOpening, window: Window) -> None:
        self.number = number
        self.opening = opening
        self.window = window
        self.task: asyncio.Task[None] | None = None
        self.caller: metadata.Caller | None = None
        self.job = ""
        self.why: WandError | None = None  # it was cancelled, where that was not the peer's wish
        self._clock: Alarm | None = None

    def begin(self, task: "asyncio.Task[None]", deadline_seconds: float | None, alarms: Alarms) -> None:
        """The task serves it, and is cancelled at the deadline."""
        self.task = task
        if deadline_seconds is not None:
            self._clock = alarms.set(deadline_seconds, self._be_late)

    def _be_late(self) -> None:
        self.cancel(TimedOut("the call was not over within its deadline"))

    def cancel(self, why: WandError | None = None) -> None:
        """End it, and its job; the peer is told why, unless it was its own wish."""
        self.why = why
        if self.task is not None:
            self.task.cancel()

    def end(self) -> None:
        """It is over, and cannot be late any more."""
        if self._clock is not None:
            self._clock.cancel()


class CallStream:
    """The calls of one stream; `serve` ends when the peer says no more, or we leave, and all have ended."""

    def __init__(self, gate: Gate, peer: Peer, new_id: Callable[[], str]) -> None:
        self._gate = gate
        self._peer = peer
        self._new_id = new_id
        self._calls: dict[int, Call] = {}
        self._last_number = 0
        self._outbox = Outbox()
        self._alarms = Alarms(TICK_SECONDS)
        self._leaving = False
        self._over = asyncio.Event()

    async def serve(self, context: Context) -> None:
        """Serve what the peer asks until it is over; cancelled, end every call with its job."""
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read(context))
                writing = group.create_task(self._outbox.write_out(context.write))
                await self._over.wait()
                self._outbox.finish()
                await asyncio.wait([writing])
                reading.cancel()
        except* (WandError, aio.BaseError) as errors:
            raise errors.exceptions[0] from None
        finally:
            self._outbox.close()
            await self._end_all()

    async def _end_all(self) -> None:
        tasks = [call.task for call in self._calls.values() if call.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def leave(self) -> None:
        """Take no more calls; the stream ends when those that run have ended."""
        if not self._leaving:
            self._leaving = True
            self._outbox.put(_say_leaving, EVENT_BYTES)
            self._see_whether_over()

    def _see_whether_over(self) -> None:
        if self._leaving and not self._calls:
            self._over.set()

    # -- what comes in ------------------------------------------------------------------------------------

    async def _read(self, context: Context) -> None:
        while (untrusted := await context.read()) is not aio.EOF:
            for message in untrusted.messages:
                self._take(message)
            await self._outbox.room()  # who takes no answers asks no more
        self._leaving = True
        self._see_whether_over()

    def _take(self, untrusted: wire.CallMessage) -> None:
        kind, call = untrusted.WhichOneof("kind"), self._calls.get(untrusted.call)
        if kind == "opening":
            self._open(untrusted.call, untrusted.opening)
        elif call is None:
            pass  # it has ended meanwhile
        elif kind is None:
            call.cancel(Invalid("says something of the call that is not known here", field="messages"))
        elif kind == "taken_bytes":
            call.window.open(untrusted.taken_bytes)
        elif kind == "leave":
            self._leave_alone(call)
        else:
            call.cancel()

    def _leave_alone(self, call: Call) -> None:
        """The call is over; its job runs on, read by the task that has served it."""
        if (
            call.caller is None
            or call.task is None
            or not self._gate.let_go(call.caller, call.job, call.task)
        ):
            return call.cancel()
        call.window.open_wide()
        return self._forget(call)

    def _open(self, number: int, untrusted: wire.CallOpening) -> None:
        if number <= self._last_number:
            raise Invalid(f"is {number}, and {self._last_number} was there already", field="call")
        self._last_number = number
        try:
            self._admit()
            call = Call(number, untrusted, Window(_window_bytes(untrusted)))
            deadline_seconds = _deadline_seconds(untrusted)
        except WandError as error:
            return self._end(number, error, untouched=self._leaving)
        self._calls[number] = call
        task = asyncio.create_task(self._serve(call))
        task.add_done_callback(lambda _: self._forget(call))
        call.begin(task, deadline_seconds, self._alarms)
        return None

    def _admit(self) -> None:
        """See that one more call may be served on this stream."""
        if self._leaving:
            raise Unavailable("this stream takes no more calls", hint="open another")
        if len(self._calls) >= MOST_CALLS:
            raise Exhausted(f"{MOST_CALLS} calls are open on this stream, and no more may be")
        self._peer.check()

    def _forget(self, call: Call) -> None:
        call.end()
        self._calls.pop(call.number, None)
        self._see_whether_over()

    # -- serving one --------------------------------------------------------------------------------------

    async def _serve(self, call: Call) -> None:
        error: WandError | None = None
        try:
            told = call.opening.metadata
            asking = metadata.from_metadata([(key, told[key]) for key in told], peer=self._peer.uri)
            call.caller = asking
            metadata.REQUEST_ID.set(asking.request_id)
            await self._run(call, asking)
            log.debug("call served", extra={"method": METHOD})  # the ledger tells of it
        except asyncio.CancelledError:
            if call.why is None:
                raise
            error = answerable(call.why, METHOD)
        except Exception as failed:  # noqa: BLE001 - the top of a task
            error = answerable(failed, METHOD)
        if call.number in self._calls:
            self._end(call.number, error)

    async def _run(self, call: Call, asking: metadata.Caller) -> None:
        if call.opening.WhichOneof("request") != "run":
            raise Invalid("is missing: a call of this stream is a run", field="request")
        call.job = self._new_id()
        job = translate.job_from_wire(call.opening.run, call.job)
        async with aclosing(self._gate.run(asking, job)) as events:
            async for event in events:
                fill, size = partial(translate.fill_event, call.number, event), EVENT_BYTES
                if isinstance(event, Output):
                    size += len(event.data)
                    await call.window.let_through(size)
                    await self._outbox.room()
                self._outbox.put(fill, size, urgent=isinstance(event, Output))

    def _end(self, number: int, error: WandError | None, *, untouched: bool = False) -> None:
        self._outbox.put(partial(translate.fill_end, number, error, untouched), EVENT_BYTES)


def _say_leaving(into: wire.CallEvent) -> None:
    into.leaving.SetInParent()


def _window_bytes(untrusted: wire.CallOpening) -> int:
    return fields.whole(untrusted.window_bytes, "window_bytes", most=MOST_WINDOW_BYTES)


def _deadline_seconds(untrusted: wire.CallOpening) -> float | None:
    if not untrusted.deadline_seconds:
        return None
    return fields.seconds(untrusted.deadline_seconds, "deadline_seconds", most=translate.MOST_SECONDS)
