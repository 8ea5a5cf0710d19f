"""Which jobs run now, how many may, how one is stopped, where its output is."""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Coroutine
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from wand_hostagent import past, recording
from wand_hostagent.backends.base import ExecutionBackend, Left
from wand_hostagent.backends.native import NativeBackend
from wand_hostagent.model import Event, Job
from wand_hostagent.past import Past
from wand_hostagent.policy.model import Permit
from wand_hostagent.recording import Recording
from wand_hostagent.reports import FoundJob
from wand_hostagent.runs import JobSummary, Origin, Run, first_to_go
from wand_hostagent.spool import JOB_NAME, Room, SpoolFolder, free_on
from wand_proto.alarms import Alarms
from wand_proto.errors import Broken, Conflict, Exhausted, NotFound, WandError

log = logging.getLogger(__name__)

SPILL_SECONDS = 1.0  # from this age on a job's output lies in files, which outlive the host agent
TICK_SECONDS = 0.1
SWEEP_SECONDS = 60.0
RETRY_SECONDS = 1.0
ALONE_SECONDS = 30.0  # how long a job whose call broke off waits for its caller; a server comes within 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much of jobs is kept; what ended first goes first, of whoever has the most."""

    jobs: int = 256  # that have ended, of all principals
    seconds: float = 3600.0  # after their end
    disk_bytes: int = 2 * 2**30  # of those that run too
    elsewhere: Collection[str] = ()  # on other backends, still to be taken up: their files are spared


class Jobs:
    """Every job that runs or has ended lately: one reader of its pipes each, any number of followers."""

    def __init__(self, folder: Path, native: NativeBackend, *, max_jobs: int, retention: Retention) -> None:
        self.max_jobs = max_jobs
        self._folder = SpoolFolder(
            folder, Room(retention.disk_bytes, self._make_way, partial(free_on, folder))
        )
        self._native = native
        self._link = native.link
        self._positions = native.positions
        self._retention = retention
        self._runs: dict[str, Run] = {}
        self._ended: dict[str, Run] = {}  # in order of their end
        self._adopted: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._alarms = Alarms(TICK_SECONDS)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, folder: Path, native: NativeBackend, *, max_jobs: int = 64, retention: Retention | None = None
    ) -> AsyncIterator[Self]:
        """The jobs, those of an earlier host agent taken up; in the end, detached ones are left to run."""
        jobs = cls(folder, native, max_jobs=max_jobs, retention=retention or Retention())
        jobs._know_the_past()
        jobs._spawn(jobs._keep_recovering(await jobs._recover_first()), "recover jobs")
        jobs._spawn(jobs._keep_sweeping(), "sweep jobs")
        try:
            yield jobs
        finally:
            await jobs._close()

    async def _close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for run in self._runs.values():
            run.close()
        for run in self._ended.values():
            if run.is_in_files:  # for our successor
                run.close()
            else:
                run.remove()

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- running --------------------------------------------------------------------------------------------

    @property
    def running(self) -> int:
        """How many run now."""
        return len(self._runs)

    def running_on(self, backend: str) -> int:
        """How many run on that backend."""
        return sum(run.origin.backend.name == backend for run in self._runs.values())

    def run(self, permit: Permit, backend: ExecutionBackend) -> AsyncGenerator[Event, None]:
        """Run the permitted job and follow it; closed early, it ends the job unless that is detached.

        Raises:
            Exhausted: as many jobs run as may.
        """
        job = permit.act
        assert isinstance(job, Job)
        if job.detached:
            return self._run_detached(permit, job, backend)
        return self._run_followed(permit, job, backend)

    async def _run_followed(
        self, permit: Permit, job: Job, backend: ExecutionBackend
    ) -> AsyncGenerator[Event, None]:
        run = self._enter(permit, job, backend)
        spill = self._alarms.set(SPILL_SECONDS, run.to_files)
        try:
            async with aclosing(backend.run(permit)) as events:
                async for event in events:
                    run.take(event)
                    if not run.alone:
                        yield event
        except WandError as error:
            run.fail(error)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            if run.alone:
                self._leave_to_successor(run)
            raise
        finally:
            spill.cancel()
            if job.id in self._runs:
                self._leave(run)

    def let_go(self, job: str, reader: "asyncio.Task[Any]") -> bool:
        """Have a job run on without its call, whose task goes on reading it; False: it does not run.

        From now on the call's events end with nothing, when the job does.
        """
        run = self._runs.get(job)
        if run is None or run.started is None:
            return False
        run.alone = True
        run.to_files()
        self._folder.set_alone(job)
        run.origin.backend.let_go(job)
        self._tasks.add(reader)
        reader.add_done_callback(self._tasks.discard)
        return True

    async def _run_detached(
        self, permit: Permit, job: Job, backend: ExecutionBackend
    ) -> AsyncGenerator[Event, None]:
        run = self._enter(permit, job, backend)
        run.to_files()
        self._spawn(self._read(run, backend.run(permit)), f"job {job.id}")
        async with aclosing(run.follow(0, 0)) as events:
            async for event in events:
                yield event

    async def _read(self, run: Run, reading: AsyncGenerator[Event, None]) -> None:
        """Be the reader of a job that no call holds."""
        try:
            async with aclosing(reading) as events:
                async for event in events:
                    run.take(event)
        except WandError as error:
            run.fail(error)
        except Exception as error:
            log.exception("job cannot be followed", extra={"job": run.origin.job})
            run.fail(Broken(f"job {run.origin.job} cannot be followed: {error}"))
        except asyncio.CancelledError:
            self._leave_to_successor(run)
            raise
        self._leave(run)

    def _leave_to_successor(self, run: Run) -> None:
        """We end and it runs on: its files are not ours any more."""
        self._runs.pop(run.origin.job, None)
        run.close()

    def _enter(self, permit: Permit, job: Job, backend: ExecutionBackend) -> Run:
        if self.running >= self.max_jobs:
            raise Exhausted(
                f"{self.running} jobs run already, and no more may",
                hint="wait until one ends; the ceiling is max_jobs in the host agent's settings",
            )
        if job.id in self._runs or job.id in self._ended:
            raise Conflict(f"there is a job {job.id} already", field="job")
        origin = Origin(
            job=job.id,
            principal=permit.caller.principal,
            argv=job.argv,
            profile=permit.profile,
            backend=backend,
            began_unix_seconds=time.time(),
        )
        spools = self._folder.spools(job.id)
        run = self._runs[job.id] = Run(origin, spools, self._recording(job, origin))
        self._positions.take(job.id)
        return run

    def _recording(self, job: Job, origin: Origin) -> Recording | None:
        if job.terminal is None:
            return None
        begun = Recording(self._folder.times(job.id), job.terminal, origin.began_unix_seconds)
        begun.begin()
        return begun

    def _leave(self, run: Run) -> None:
        """It ended: the slot is free, and what it wrote is kept for a while."""
        run.end()
        self._runs.pop(run.origin.job, None)
        self._adopted.discard(run.origin.job)
        self._positions.free(run.origin.job)
        if run.started is None:
            run.remove()
        else:
            self._ended[run.origin.job] = run
            self._keep_end(run)
        self._sweep()

    def _keep_end(self, run: Run) -> None:
        """Where its output outlives us, let how it ended do so as well."""
        if run.is_in_files and run.started is not None and run.exited is not None:
            ended = Past(
                origin=run.origin, started=run.started, exited=run.exited, ended_unix_seconds=time.time()
            )
            self._folder.keep_end(run.origin.job, past.packed(ended))

    def _know_the_past(self) -> None:
        """Take in the ended jobs that an earlier host agent has kept."""
        for one in past.left_in(self._folder.ends()):
            job, age_seconds = one.origin.job, max(0.0, time.time() - one.ended_unix_seconds)
            if not JOB_NAME.fullmatch(job):
                continue
            times = recording.taken_up(self._folder.times(job), one.origin.began_unix_seconds)
            run = self._ended[job] = Run(one.origin, self._folder.spools(job), times)
            run.has_ended(one.started, one.exited, time.monotonic() - age_seconds)
        self._sweep()

    # -- what is kept ---------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        oldest = time.monotonic() - self._retention.seconds
        while self._ended and (first := next(iter(self._ended.values()))).ended_monotonic < oldest:
            self._drop(first)
        while len(self._ended) > self._retention.jobs and (run := first_to_go(self._ended.values())):
            self._drop(run)

    def _drop(self, run: Run) -> None:
        del self._ended[run.origin.job]
        run.remove()
        if run.is_in_files:  # where it is not, nothing else was kept either
            self._folder.forget(run.origin.job)

    def _make_way(self, wanted_bytes: int) -> None:
        """Drop ended jobs until so much of the disk is free, or none has any of it."""
        while wanted_bytes > 0:
            run = first_to_go(self._ended.values(), lambda one: one.kept_bytes, self._runs.values())
            if run is None:
                return
            wanted_bytes -= run.kept_bytes
            self._drop(run)

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._sweep()

    # -- those of an earlier host agent ---------------------------------------------------------------------

    async def recover(self) -> None:
        """Take up every job that the launcher has and we do not know; end those that we declared lost."""
        found_jobs = await self._link.jobs()
        for found in found_jobs:
            if found.job in self._ended:
                (self._link.abandon if found.running else self._link.release)(found.job)
            elif found.job not in self._runs and JOB_NAME.fullmatch(found.job):
                self._adopt(found)
        self._positions.free_others(self._runs.keys())
        self._folder.remove_others({*self._runs, *self._ended, *self._retention.elsewhere})

    def _adopt(self, found: FoundJob) -> None:
        origin = Origin(
            job=found.job,
            principal=str(found.why.get("principal", "")),
            argv=found.argv,
            profile=found.profile,
            backend=self._native,
            began_unix_seconds=found.started_unix_seconds,
        )
        times = recording.taken_up(self._folder.times(found.job), found.started_unix_seconds)
        run = self._runs[found.job] = Run(origin, self._folder.spools(found.job), times)
        lost_bytes = run.take_up(self._positions.counts(found.job))
        self._positions.take(found.job, run.offsets())
        self._adopted.add(found.job)
        self._spawn(self._read(run, self._native.adopt(found, run.offsets())), f"job {found.job}")
        if not found.why.get("detached") and not self._folder.is_alone(found.job):
            self._spawn(self._mind(run), f"mind {found.job}")
        log.info("job taken up", extra={"job": found.job, "running": found.running, "lost_bytes": lost_bytes})

    def take_up(self, left: Left, backend: ExecutionBackend) -> None:
        """Follow a job again that an earlier host agent has left on another backend, from its begin."""
        origin = Origin(
            job=left.job,
            principal=left.principal,
            argv=left.argv,
            profile=left.profile,
            backend=backend,
            began_unix_seconds=left.began_unix_seconds,
        )
        times = self._times_again(left) if left.is_terminal else None
        run = self._runs[left.job] = Run(origin, self._folder.fresh(left.job), times)
        self._positions.take(left.job)
        run.to_files()
        self._spawn(self._read(run, backend.follow_again(left)), f"job {left.job}")
        log.info("job taken up", extra={"job": left.job, "backend": left.backend})

    def leave_alone(self, run: Run) -> None:
        """Have a job run on that has lost its call with an earlier host agent.

        Raises:
            Conflict: a call of ours holds it.
        """
        if run.running and run.origin.job not in self._adopted:
            raise Conflict(f"job {run.origin.job} is held by a call", field="alone")
        run.alone = True
        self._folder.set_alone(run.origin.job)

    def _times_again(self, left: Left) -> Recording | None:
        """The times of a terminal from now on, for all that it has shown comes again."""
        before = recording.taken_up(self._folder.times(left.job), left.began_unix_seconds)
        if before is None:
            return None
        before.spool.remove()
        again = Recording(self._folder.times(left.job), before.size, left.began_unix_seconds)
        again.begin()
        return again

    async def _mind(self, run: Run) -> None:
        """End a job that was to end with its call, where nobody comes back for it."""
        while run.running and not run.alone:
            if (left := ALONE_SECONDS - run.alone_seconds) > 0:
                await asyncio.sleep(left)
                continue
            log.warning("job ended, its caller is gone", extra={"job": run.origin.job})
            with suppress(WandError):
                await self._link.kill(run.origin.job, signal.SIGKILL, "cancelled")
            await asyncio.sleep(RETRY_SECONDS)

    async def _recover_first(self) -> int:
        """Where the launcher is there, know its jobs before anybody asks; the connection that told them."""
        if not self._link.is_up:
            return 0
        seen = await self._link.next_connection(0)
        return seen if await self._try_to_recover() else seen - 1

    async def _keep_recovering(self, seen: int) -> None:
        """After every new connection to the launcher, look what it has."""
        while True:
            seen = await self._link.next_connection(seen)
            if not await self._try_to_recover():
                await asyncio.sleep(RETRY_SECONDS)
                seen -= 1

    async def _try_to_recover(self) -> bool:
        try:
            await self.recover()
        except WandError as error:
            log.warning("jobs not recovered", extra={"error": str(error)})
            return False
        return True

    # -- asking ---------------------------------------------------------------------------------------------

    def of(self, principal: str, job: str) -> Run:
        """A principal's own job.

        Raises:
            NotFound: there is none of that name, or it is somebody else's.
        """
        run = self._runs.get(job) or self._ended.get(job)
        if run is None or run.origin.principal != principal:
            raise NotFound(f"there is no job {job}", hint="ended jobs are kept for a while only", field="job")
        return run

    def all_of(self, principal: str) -> tuple[JobSummary, ...]:
        """A principal's jobs, running ones first."""
        runs = [*self._runs.values(), *reversed(self._ended.values())]
        return tuple(run.summary() for run in runs if run.origin.principal == principal)
