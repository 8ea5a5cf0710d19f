"""The host agent's end of the launcher's socket.

A request waits for its answer under a deadline. When the link is lost, whoever waits is told, every running
job is told that it is lost, and the link is made anew, again and again, with growing pauses.
"""

import asyncio
import logging
import random
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

from wand_hostagent import reports
from wand_hostagent.answers import HINT, Answer, Answers
from wand_hostagent.launcher import protocol
from wand_hostagent.model import Exited, Reason
from wand_hostagent.reports import FoundJob, ProfilesReport, RunRequest, StartedReport
from wand_hostagent.seqpacket import Connection, close_all, connect
from wand_proto.alarms import Alarms
from wand_proto.errors import Broken, Invalid, TimedOut, Unavailable, WandError

log = logging.getLogger(__name__)

ANSWER_SECONDS = 15.0
TICK_SECONDS = 0.25
CLOSE_SECONDS = 3.0
FIRST_PAUSE_SECONDS = 0.05
LAST_PAUSE_SECONDS = 2.0
STARTS = frozenset({"run", "worker"})  # sent and not answered, it cannot be known what they did


class LauncherLink:
    """Requests out; answers, and the ends of jobs, in."""

    def __init__(self, path: Path, *, answer_seconds: float = ANSWER_SECONDS, hint: str = HINT) -> None:
        self._path = path
        self._answer_seconds = answer_seconds
        self._connection: Connection | None = None
        self._connections = 0
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self._answers = Answers(hint)
        self._alarms = Alarms(TICK_SECONDS)
        self._abandoned: set[asyncio.Task[None]] = set()
        self._endings: dict[str, asyncio.Future[Exited]] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, answer_seconds: float = ANSWER_SECONDS, hint: str = HINT
    ) -> AsyncIterator[Self]:
        """A link that keeps itself up; where nobody listens yet, it is down and tries again.

        `hint` says where to look then.
        """
        link = cls(path, answer_seconds=answer_seconds, hint=hint)
        link._connect()
        keeper = asyncio.create_task(link._keep_up(), name="launcher link")
        try:
            yield link
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await link._finish_abandoned()
            if link._connection is not None:
                link._connection.close()
                link._let_go()

    # -- up and down --------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether the launcher can be asked now."""
        return self._connection is not None

    async def next_connection(self, seen: int) -> int:
        """Wait for a connection later than the one numbered `seen` (0 is none), and say its number."""
        while self._connections <= seen or not self.is_up:
            await (self._down if self.is_up else self._up).wait()
        return self._connections

    async def _keep_up(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            if self.is_up or self._connect():
                pause = FIRST_PAUSE_SECONDS
                await self._down.wait()
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads attempts, hides nothing
            pause = min(pause * 2, LAST_PAUSE_SECONDS)

    def _connect(self) -> bool:
        try:
            sock = connect(self._path)
        except OSError as error:
            log.warning("launcher not reached", extra={"path": str(self._path), "error": str(error)})
            return False
        self._connection = Connection(sock, protocol.MESSAGE_BYTES, self._received, self._lost)
        self._connections += 1
        self._down.clear()
        self._up.set()
        log.info("launcher connected", extra={"path": str(self._path)})
        return True

    def _lost(self) -> None:
        log.warning("launcher lost", extra={"requests": len(self._answers), "jobs": len(self._endings)})
        self._let_go()

    def _let_go(self) -> None:
        self._connection = None
        self._answers.give_up()
        endings, self._endings = self._endings, {}
        for job, ending in endings.items():
            if not ending.done():
                ending.set_result(Exited(job=job, reason=Reason.LOST))
        self._up.clear()
        self._down.set()

    async def _finish_abandoned(self) -> None:
        """Let kills on their way arrive, for a bounded while."""
        if self._abandoned:
            await asyncio.wait(self._abandoned, timeout=CLOSE_SECONDS)
        for task in list(self._abandoned):
            task.cancel()

    # -- what comes in ------------------------------------------------------------------------------------

    def _received(self, untrusted: bytes, descriptors: list[int]) -> None:
        try:
            message = protocol.decode(untrusted)
            if message.get("say") == "exited":
                return self._ended(reports.read_exited(message))
            if "exited" in message:  # it was over before there was anything to say
                self._ended(reports.read_exited(message["exited"]))
        except (protocol.Unreadable, WandError) as error:
            close_all(descriptors)
            log.error("launcher's message unreadable", extra={"error": str(error)})  # noqa: TRY400 - one line says it
            return None
        self._answers.give(message, descriptors)
        return None

    def _ended(self, exited: Exited) -> None:
        ending = self.ending(exited.job)
        if not ending.done():
            ending.set_result(exited)

    # -- what goes out ------------------------------------------------------------------------------------

    async def _ask(self, do: str, descriptors: Sequence[int] = (), **fields: Any) -> Answer:
        """Send one request and wait for its answer.

        Raises:
            Unavailable: the link is down, or broke before the answer; Ambiguous where it may have started.
            TimedOut: the launcher did not answer in time.
            Invalid: the request is larger than the socket carries.
        """
        number, answer = self._answers.expect()
        alarm = self._alarms.set(self._answer_seconds, partial(self._be_late, do, answer))
        try:
            queued = self._send({"do": do, "re": number, **fields}, descriptors)
            if queued is not None:
                await self._leave(queued, answer)
            if do in STARTS:
                self._answers.note_sent(number)
            return await answer
        except BaseException:
            self._answers.drop(number, answer)
            raise
        finally:
            alarm.cancel()

    def _send(self, message: Mapping[str, Any], descriptors: Sequence[int]) -> "asyncio.Future[bool] | None":
        if self._connection is None:
            raise Unavailable("the launcher cannot be reached", hint=self._answers.hint)
        try:
            return self._connection.send(protocol.encode(message), descriptors)
        except (protocol.Unreadable, OSError) as error:
            hint = "pass large text on stdin or in a file"
            raise Invalid("is too large together with the environment", hint=hint, field="argv") from error

    async def _leave(self, queued: "asyncio.Future[bool]", answer: "asyncio.Future[Answer]") -> None:
        """Wait until what is queued has left; where its answer is given up before, it never leaves."""
        try:
            await asyncio.wait((queued, answer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            queued.cancel()  # where it is done, this does nothing
        if not queued.cancelled() and not queued.result():
            raise Unavailable("the link to the launcher broke", hint=self._answers.hint)

    def _be_late(self, do: str, answer: "asyncio.Future[Answer]") -> None:
        if not answer.done():
            seconds = self._answer_seconds
            answer.set_exception(TimedOut(f"the launcher did not answer {do} within {seconds:g} s"))

    # -- what there is to ask -----------------------------------------------------------------------------

    async def run(self, request: RunRequest, descriptors: Sequence[int]) -> StartedReport:
        """Have a command recorded and started; the descriptors are `protocol`'s, and stay the caller's.

        Where this is cancelled or times out, whether the job runs is not known: `abandon` it.

        Raises:
            Ambiguous: the link broke before the answer.
        """
        return await self._start("run", descriptors, **reports.run_to_message(request))

    async def worker(self, job: str, profile: str, why: Mapping[str, Any], descriptor: int) -> StartedReport:
        """Have a file worker started, its end of a stream socket with it; otherwise as `run`."""
        return await self._start("worker", (descriptor,), job=job, profile=profile, why=why)

    async def _start(self, do: str, descriptors: Sequence[int], **fields: Any) -> StartedReport:
        ending = self.ending(fields["job"])
        try:
            answer = await self._ask(do, descriptors, **fields)
        except TimedOut:
            raise
        except WandError:
            if self._endings.get(fields["job"]) is ending:
                del self._endings[fields["job"]]
            raise
        close_all(answer.descriptors)
        return reports.read_started(answer.message)

    def ending(self, job: str) -> "asyncio.Future[Exited]":
        """How the job ends, its output not counted; with Reason.LOST where the link breaks before."""
        if job not in self._endings:
            self._endings[job] = asyncio.get_running_loop().create_future()
        return self._endings[job]

    async def kill(self, job: str, signum: int, reason: str) -> None:
        """Send a signal to every process of the job, for a reason of `protocol.KILL_REASONS`.

        Raises:
            NotFound: it does not run.
        """
        await self._ask("kill", job=job, signal=signum, reason=reason)

    def abandon(self, job: str) -> "asyncio.Task[None]":
        """Kill the job, wait for its end, forget it; goes on when whoever asked does not wait for it."""
        task = asyncio.create_task(self._abandon(job), name=f"abandon {job}")
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)
        return task

    async def _abandon(self, job: str) -> None:
        ending = self.ending(job)
        try:
            await self.kill(job, signal.SIGKILL, "cancelled")
            await asyncio.wait({ending}, timeout=self._answer_seconds)
        except WandError as error:
            log.info("job not killed", extra={"job": job, "error": str(error)})
        if ending.done():
            self.release(job)
        else:
            self._endings.pop(job, None)

    async def record(self, event: str, fields: Mapping[str, Any]) -> None:
        """Have a line written to the ledger; it is durable when this returns."""
        await self._ask("record", event=event, fields=dict(fields))

    def note(self, event: str, fields: Mapping[str, Any]) -> None:
        """The same of something that is over, without waiting; lost where the link is down."""
        if self._connection is not None:
            told = {"event": event, "fields": dict(fields), "quiet": True}
            self._connection.send(protocol.encode({"do": "note", "re": self._answers.next_number(), **told}))

    async def jobs(self) -> tuple[FoundJob, ...]:
        """Every command that the launcher has, running or not yet forgotten."""
        return reports.read_jobs((await self._ask("jobs")).message)

    async def adopt(self, job: str) -> tuple[int, ...]:
        """What was kept of a job, for the caller to close: the read ends of stdout and stderr, or the socket
        with its terminal.

        Raises:
            NotFound: there is no such job, or its ends were not kept.
        """
        self.ending(job)
        got = (await self._ask("adopt", job=job)).descriptors
        if len(got) not in {1, 2}:
            close_all(got)
            raise Broken(f"the launcher sent {len(got)} descriptors for {job}, not 1 or 2")
        return tuple(got)

    async def forget(self, job: str) -> None:
        """Tell the launcher that an ended job's report has been taken."""
        self._endings.pop(job, None)
        await self._ask("forget", job=job)

    def release(self, job: str) -> None:
        """Forget, without an answer."""
        self._endings.pop(job, None)
        if self._connection is not None:
            told = {"job": job, "quiet": True}
            self._connection.send(
                protocol.encode({"do": "forget", "re": self._answers.next_number(), **told})
            )

    async def ledger(self, before: int = 0) -> tuple[str, ...]:
        """The last lines of the ledger, or those before the record of that number, the oldest first."""
        told: dict[str, Any] = {"before": before} if before else {}
        return reports.read_lines((await self._ask("ledger", **told)).message)

    async def profiles(self) -> ProfilesReport:
        """The profiles as the launcher has read them, and what this machine guarantees."""
        return reports.read_profiles((await self._ask("profiles")).message)
