"""The stream on which the runs of all callers go to the host agent, each with a window of its own."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import grpc
from grpc import aio

from wand_proto import errors
from wand_proto.errors import Ambiguous, WandError
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1 import execution_pb2_grpc
from wand_server.hostlink.failures import NeverSent

log = logging.getLogger(__name__)

WINDOW_BYTES = 512 * 1024
_TELL_AT_BYTES = WINDOW_BYTES // 4  # so much has been taken before the host agent is told of it
_EVENT_BYTES = 64  # that an Output counts beside its data; the host agent counts alike
_MOST_BATCH_BYTES = 1024 * 1024
_LOOK = "look at what it changed before you try again"

Metadata = Iterable[tuple[str, str | bytes]]
Fill = Callable[[wire.CallMessage], int]
"""Write a message into its place, so that it is copied once; how large its data is."""
TakeAtOnce = Callable[[wire.Event], bool]
"""Take an event where nothing is to be awaited for it; whether it was taken. It may raise a WandError."""


@dataclass(slots=True)
class Opening:
    """What a call begins with."""

    run: wire.RunRequest
    metadata: Metadata
    deadline_seconds: float

    def fill(self, into: wire.CallOpening) -> None:
        """Write it into its place in a message."""
        into.run.CopyFrom(self.run)
        into.deadline_seconds = self.deadline_seconds
        into.window_bytes = WINDOW_BYTES
        for key, value in self.metadata:
            into.metadata[key] = value if isinstance(value, bytes) else value.encode()


class FollowedCall:
    """One call on a stream: its events as they come, then its error if it has one; `cancel` ends its job.

    What `take_at_once` takes goes there as it comes, and wakes nobody.
    """

    def __init__(
        self, stream: "Stream", number: int, opening: Opening, take_at_once: TakeAtOnce | None
    ) -> None:
        self.number = number
        self.is_sent = False
        self._stream = stream
        self._opening: Opening | None = opening
        self._take_at_once = take_at_once
        self._came: deque[wire.Event] = deque()
        self._taken_bytes = 0
        self._is_over = False
        self._failure: Exception | None = None
        self._news = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[wire.Event]:
        while True:
            while self._came:
                event = self._came.popleft()
                self._count(event)
                yield event
            if self._is_over:
                break
            self._news.clear()
            await self._news.wait()
        if self._failure is not None:
            raise self._failure

    def open(self, into: wire.CallMessage) -> int:
        """Here it leaves; how large its data is."""
        assert self._opening is not None
        self.is_sent, opening, self._opening = True, self._opening, None
        opening.fill(into.opening)
        return len(opening.run.stdin)

    def _count(self, event: wire.Event) -> None:
        """Have the host agent told, now and then, how much of the output has been taken."""
        if not event.HasField("output"):
            return
        self._taken_bytes += _EVENT_BYTES + event.ByteSize()  # a little more than the host agent has counted
        if self._taken_bytes >= _TELL_AT_BYTES and not self._is_over:
            self._stream.say(self.number, partial(_say_taken, self._taken_bytes))
            self._taken_bytes = 0

    def give(self, event: wire.Event, *, alone: bool) -> None:
        """Here is the next event, `alone` in its message or not."""
        if self._take_at_once is not None and not self._came:
            try:
                if self._take_at_once(event):
                    return self._count(event)
            except WandError as error:
                self.cancel()
                return self.end(error)
        self._came.append(event if alone else _copy(event))
        self._news.set()
        return None

    def end(self, failure: Exception | None) -> None:
        """Nothing more will come."""
        self._is_over, self._failure = True, failure
        self._news.set()

    def leave(self) -> None:
        """End the call and not its job, which runs on by itself; what has come can still be taken."""
        if not self._is_over:
            self._stream.leave(self.number)
            self.end(None)

    def cancel(self) -> None:
        """Give the call up, and the job with it; where it is over, this does nothing."""
        if not self._is_over:
            self._is_over = True
            self._stream.give_up(self)


class Stream:
    """One stream to the host agent, which lasts until it breaks or the host agent wants another."""

    def __init__(self, stub: Any) -> None:  # its stubs do not know that one may write by oneself
        self.is_open = True  # to another call
        self.is_over = False
        self.is_served = True  # an older host agent knows no such stream
        self._call = stub.Calls()
        self._numbers = count(1)
        self._calls: dict[int, FollowedCall] = {}
        self._outgoing: deque[tuple[int, Fill]] = deque()
        self._news = asyncio.Event()
        self._tasks = [asyncio.create_task(self._read_in()), asyncio.create_task(self._write_out())]

    def begin(self, opening: Opening, take_at_once: TakeAtOnce | None) -> FollowedCall:
        """Send a call on its way."""
        call = FollowedCall(self, next(self._numbers), opening, take_at_once)
        self._calls[call.number] = call
        self.say(call.number, call.open)
        return call

    def say(self, call: int, fill: Fill) -> None:
        """Say this of a call next."""
        self._outgoing.append((call, fill))
        self._news.set()

    def give_up(self, call: FollowedCall) -> None:
        """Cancel the call; one that has not left yet never leaves."""
        self._calls.pop(call.number, None)
        if call.is_sent:
            self.say(call.number, _say_cancel)
        else:
            self._outgoing = deque(each for each in self._outgoing if each[0] != call.number)

    def leave(self, number: int) -> None:
        """Have the job of a call run on without it."""
        self._calls.pop(number, None)
        self.say(number, _say_leave)

    async def close(self) -> None:
        """Take the stream down, and with it whatever still runs on it."""
        self.is_open = False
        self._call.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- out and in ---------------------------------------------------------------------------------------

    async def _write_out(self) -> None:
        with suppress(aio.AioRpcError, asyncio.InvalidStateError):  # it broke, and `_read_in` tells everybody
            while True:
                await self._news.wait()
                self._news.clear()
                while self._outgoing:
                    await self._call.write(self._next_batch())

    def _next_batch(self) -> wire.CallMessages:
        batch = wire.CallMessages()
        size = 0
        while self._outgoing and size < _MOST_BATCH_BYTES:
            call, fill = self._outgoing.popleft()
            message = batch.messages.add()
            message.call = call
            size += fill(message)
        return batch

    async def _read_in(self) -> None:
        broke: Exception | None = None
        try:
            while (batch := await self._call.read()) is not aio.EOF:
                alone = len(batch.events) == 1
                for event in batch.events:
                    self._give(event, alone=alone)
        except aio.AioRpcError as error:
            self.is_served = error.code() is not grpc.StatusCode.UNIMPLEMENTED
            broke = error
        except asyncio.CancelledError:
            broke = Ambiguous("the link to the host agent was taken down while the command ran")
            raise
        except Exception:  # the top of a task; gRPC hands on as None what it cannot read
            log.exception("stream of calls broke")
            broke = Ambiguous(
                "what the host agent said cannot be read; what was done is not known", hint=_LOOK
            )
            self._call.cancel()  # else its jobs would run on, and nobody would follow them
        finally:
            self.is_open, self.is_over = False, True
            self._tasks[1].cancel()
            self._tell_of_the_end(broke)

    def _give(self, event: wire.CallEvent, *, alone: bool) -> None:
        kind, call = event.WhichOneof("kind"), self._calls.get(event.call)
        if kind == "leaving":
            self.is_open = False
        elif call is None:
            pass  # it was given up
        elif kind == "event":
            call.give(event.event, alone=alone)
        elif kind == "end":
            del self._calls[event.call]
            call.end(_failure_of(event.end))

    def _tell_of_the_end(self, broke: Exception | None) -> None:
        """Nothing comes any more. A stream that ended well has answered all that it took."""
        calls, self._calls = self._calls, {}
        for call in calls.values():
            untouched = broke is None or not self.is_served or not call.is_sent
            call.end(NeverSent("the host agent takes no calls on this stream") if untouched else broke)


def _say_cancel(into: wire.CallMessage) -> int:
    into.cancel.SetInParent()
    return 0


def _say_leave(into: wire.CallMessage) -> int:
    into.leave.SetInParent()
    return 0


def _say_taken(taken_bytes: int, into: wire.CallMessage) -> int:
    into.taken_bytes = taken_bytes
    return 0


def _copy(event: wire.Event) -> wire.Event:
    """An event of its own: as long as a part of a message is held, all of that stays in memory."""
    copy = wire.Event()
    copy.CopyFrom(event)
    return copy


def _failure_of(end: wire.CallEnd) -> Exception | None:
    if not end.HasField("failure"):
        return None
    failure = end.failure
    if end.untouched:
        return NeverSent(failure.message, hint=failure.hint)
    return errors.named(failure.kind, failure.message, hint=failure.hint, field=failure.field)


class Calls:
    """The calls of one connection, on a stream that the first of them opens; on another when that is gone."""

    def __init__(self, stub: execution_pb2_grpc.ExecutionStub) -> None:
        self._stub = stub
        self._stream: Stream | None = None
        self._left: list[Stream] = []

    @property
    def are_served(self) -> bool:
        """Whether the host agent knows such a stream, as far as is known."""
        return self._stream is None or self._stream.is_served

    def begin(self, opening: Opening, take_at_once: TakeAtOnce | None = None) -> FollowedCall:
        """A run on its way; follow it, or cancel it."""
        return self._open_stream().begin(opening, take_at_once)

    def _open_stream(self) -> Stream:
        if self._stream is None or not self._stream.is_open:
            self._left = [each for each in (*self._left, self._stream) if each and not each.is_over]
            self._stream = Stream(self._stub)
        return self._stream

    async def close(self) -> None:
        """Close what is open."""
        for stream in (*self._left, self._stream):
            if stream is not None:
                await stream.close()
