"""One command from its start to its end, over a link that may break in the middle."""

import asyncio
import logging
import signal
import time

from grpc import aio

from wand_proto.alarms import Alarm
from wand_proto.errors import Ambiguous, Conflict, NotFound, Unavailable, WandError
from wand_proto.v1 import execution_pb2
from wand_server import ports
from wand_server.hostlink import translate
from wand_server.hostlink.calls import FollowedCall, Opening, TakeAtOnce
from wand_server.hostlink.channel import Link
from wand_server.hostlink.failures import NeverSent, error_from, is_from_host_agent
from wand_server.hostlink.gathered import Gathered, Kept
from wand_server.model import Call

log = logging.getLogger(__name__)

GRACE_SECONDS = 30.0  # beyond the wall clock, for starting, ending and telling
_REJOIN_SECONDS = 20.0  # how long a host agent that went away may take to come back
_AGAIN_SECONDS = 0.25
_KILL_SECONDS = 10.0
_BACK_SECONDS = 4.0  # for a host agent to come back, where the call has to be answered

Stream = (
    aio.UnaryStreamCall[execution_pb2.RunRequest, execution_pb2.Event]
    | aio.UnaryStreamCall[execution_pb2.AttachRequest, execution_pb2.Event]
    | FollowedCall
)


class Running:
    """A command on its way; `to_its_end` once."""

    def __init__(self, link: Link, call: Call, on_output: ports.OnOutput | None, kept: Kept) -> None:
        self._link = link
        self._metadata = translate.metadata(call)
        self._on_output = on_output
        self._gathered = Gathered(kept)
        self._only_to_start = False
        self._followed: FollowedCall | None = None
        self._has_left = False
        self._late: Alarm | None = None

    async def to_its_end(
        self, command: ports.Command, wall_seconds: float, answer_seconds: float | None = None
    ) -> ports.CommandOutcome:
        """Start it and follow it; where the host agent is lost on the way, find the job when it is back.

        After `answer_seconds` it is left to run on by itself, and the outcome is how far it has come.

        Raises:
            Unavailable: it was not started.
            Ambiguous: it may have been, and how it went is not known.
            WandError: the host agent said no.
        """
        request = translate.run_request(command, wall_seconds)
        began = asyncio.get_running_loop().time()
        deadline = began + wall_seconds + GRACE_SECONDS
        if answer_seconds is not None and answer_seconds < wall_seconds:
            self._late = self._link.alarms.set(answer_seconds, self._leave)
        try:
            await self._start(request, wall_seconds + GRACE_SECONDS)
        except Ambiguous:
            if not self._gathered.job:
                raise
        finally:
            if self._late is not None:
                self._late.cancel()
        if not (self._has_left or self._gathered.is_over):
            await self._rejoin(deadline, None if answer_seconds is None else began + answer_seconds)
        return self._gathered.outcome() if self._gathered.is_over else self._gathered.so_far()

    def _leave(self) -> None:
        """Time to answer: what has started runs on by itself."""
        if self._followed is not None and self._gathered.job and not self._gathered.is_over:
            self._has_left = True
            self._followed.leave()
        else:
            self._late = self._link.alarms.set(_AGAIN_SECONDS, self._leave)

    async def to_its_start(self, command: ports.Command, wall_seconds: float) -> ports.StartedJob:
        """Start it and leave it alone.

        Raises:
            Unavailable: it was not started.
            Ambiguous: it may have been.
            WandError: the host agent said no.
        """
        self._only_to_start = True
        request = translate.run_request(command, wall_seconds)
        request.detached = True
        await self._start(request, GRACE_SECONDS)
        return self._gathered.started()

    async def _start(self, request: execution_pb2.RunRequest, deadline_seconds: float) -> None:
        try:
            await self._run_once(request, deadline_seconds)
        except NeverSent:
            try:
                await self._run_once(request, deadline_seconds)
            except NeverSent:
                raise self._link.unavailable() from None

    async def _run_once(self, request: execution_pb2.RunRequest, deadline_seconds: float) -> None:
        async with self._link.connection() as connection:
            if not connection.calls.are_served:
                run = connection.execution.Run
                return await self._follow(run(request, metadata=self._metadata, timeout=deadline_seconds))
            try:
                opening = Opening(request, self._metadata, deadline_seconds)
                with self._link.alarms.within(deadline_seconds):
                    self._followed = connection.calls.begin(opening, self._take_at_once())
                    await self._follow(self._followed)
            except TimeoutError:
                raise Ambiguous(
                    "the host agent did not answer in time; what was done is not known",
                    hint="look at what it changed before you try again",
                ) from None
            return None

    def _take_at_once(self) -> TakeAtOnce | None:
        """What takes each event as it comes, where nobody is told of the output and the end is waited for."""
        if self._only_to_start or self._on_output is not None:
            return None
        return self._gathered.take_at_once

    async def _follow(self, stream: Stream) -> None:
        """Take in events until there are no more; whoever cancels this cancels the call as well."""
        try:
            async for event in stream:
                written = self._gathered.take(event)
                if self._only_to_start and self._gathered.job:
                    return
                if written is not None and self._on_output is not None:
                    await self._on_output(*written)
        except aio.AioRpcError as error:
            if not is_from_host_agent(error):
                self._link.note_broken()
            raise error_from(error, "change") from error
        finally:
            stream.cancel()

    async def _rejoin(self, deadline: float, answer_by: float | None) -> None:
        """Follow the job through a host agent that has come back; cancelling ends the job here too."""
        if answer_by is not None:
            deadline = min(deadline, max(answer_by, asyncio.get_running_loop().time() + _BACK_SECONDS))
        log.warning("link broke in the middle of a job", extra={"job": self._gathered.job})
        try:
            async with asyncio.timeout_at(deadline):
                await self._attach_until_over()
        except TimeoutError:
            if answer_by is None or not await self._left_alone():
                raise self._lost() from None
            self._has_left = True
        except asyncio.CancelledError:
            await self._kill()
            raise

    async def _left_alone(self) -> bool:
        """Whether the job runs on by itself from now on."""
        request = execution_pb2.FeedRequest(job=self._gathered.job, alone=True)
        try:
            async with self._link.connection() as connection:
                await connection.execution.Feed(request, metadata=self._metadata, timeout=_BACK_SECONDS)
        except (WandError, aio.AioRpcError):
            return False
        return True

    async def _attach_until_over(self) -> None:
        patience_until = time.monotonic() + _REJOIN_SECONDS
        while True:
            try:
                await self._attach()
                patience_until = time.monotonic() + _REJOIN_SECONDS
            except (Unavailable, Ambiguous, NotFound) as error:
                if time.monotonic() > patience_until:
                    raise self._lost() from error
            except Conflict as error:  # it no longer knows how far it had read
                raise self._lost() from error
            if self._gathered.is_over:
                return
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _attach(self) -> None:
        request = execution_pb2.AttachRequest(
            job=self._gathered.job,
            stdout_offset=self._gathered.offset("stdout"),
            stderr_offset=self._gathered.offset("stderr"),
        )
        async with self._link.connection() as connection:
            await self._follow(connection.execution.Attach(request, metadata=self._metadata))

    async def _kill(self) -> None:
        """End a job that no stream of ours holds any more; without a host agent its time limit ends it."""
        why = ""
        try:
            async with asyncio.timeout(_KILL_SECONDS):
                while True:
                    why = await self._kill_once()
                    if not why:
                        return
                    await asyncio.sleep(_AGAIN_SECONDS)
        except TimeoutError:
            log.warning("job could not be ended", extra={"job": self._gathered.job, "why": why})

    async def _kill_once(self) -> str:
        """Kill the job; why that did not work, or nothing."""
        request = execution_pb2.SignalRequest(job=self._gathered.job, signal=signal.SIGKILL)
        try:
            async with self._link.connection() as connection:
                await connection.execution.Signal(request, metadata=self._metadata, timeout=_KILL_SECONDS)
        except (WandError, aio.AioRpcError) as error:
            return str(error)
        return ""

    def _lost(self) -> Ambiguous:
        return Ambiguous(
            f"the link to the host agent broke while job {self._gathered.job} ran; how it went is not known",
            hint=f"read wand://jobs/{self._gathered.job}/stdout, and look at what it changed",
        )
