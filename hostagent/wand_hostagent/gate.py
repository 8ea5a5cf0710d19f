"""The one door: decide, record, act, record."""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from wand_hostagent import insiders, outputsearch, records
from wand_hostagent.approvals import Approvals
from wand_hostagent.backends.base import ExecutionBackend
from wand_hostagent.choosing import Backends
from wand_hostagent.filesystem.model import (
    Answer,
    Arrange,
    Ask,
    Scan,
    Search,
    SearchAnswer,
)
from wand_hostagent.fileuse import FileBackend, FileUse
from wand_hostagent.jobs import Jobs
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.model import Event, Exited, FileAct, Input, Job
from wand_hostagent.policy import operations
from wand_hostagent.policy.backends import NATIVE, chosen
from wand_hostagent.policy.decide import decide, file_profile
from wand_hostagent.policy.model import Answer as Decision
from wand_hostagent.policy.model import Permit, PolicySource, Question
from wand_hostagent.positions import Counts
from wand_hostagent.reports import ProfilesReport, who
from wand_hostagent.runs import Fed, JobSummary, OutputPart, Readable, Run, StreamName
from wand_proto.context import Caller
from wand_proto.errors import BrokenPolicy, Conflict, Denied, NotFound, Unavailable

log = logging.getLogger(__name__)

NO_INPUT = 'to type to a job, start it in the background with stdin, be it "", or in a terminal'


@dataclass(frozen=True, slots=True)
class Means:
    """What acts, given a permit."""

    backends: Backends
    files: FileBackend


class Gate:
    """Whoever wants something of this host comes through here; nothing happens unrecorded."""

    def __init__(
        self,
        policy: PolicySource,
        link: LauncherLink,
        jobs: Jobs,
        means: Means,
        approvals: Approvals,
    ) -> None:
        self._policy = policy
        self._link = link
        self._jobs = jobs
        self._backends = means.backends
        self._files = means.files
        self._approvals = approvals
        self._file_use = FileUse(policy, link, means.files, self._permit)

    # -- jobs -----------------------------------------------------------------------------------------------

    async def run(self, caller: Caller, job: Job) -> AsyncGenerator[Event, None]:
        """Run the job if the policy permits it; closed early, this ends it unless it is detached.

        Raises:
            Denied: the policy, or the system, says no.
        """
        first, *others = await self._permitted(caller, job)
        for place, (backend, permit) in enumerate((first, *others), start=1):
            started = False
            try:
                async with aclosing(self._jobs.run(permit, backend)) as events:
                    async for event in events:
                        started = True
                        yield event
            except (Unavailable, NotFound, Denied) as error:
                if not isinstance(error, Unavailable) and error.field != "backend":  # no such program, say
                    raise
                self._backends.could_not_reach(backend)
                if started or place > len(others):
                    raise
            else:
                return

    async def _permitted(self, caller: Caller, job: Job) -> list[tuple[ExecutionBackend, Permit]]:
        """The backends on which the job may run, the one to be tried first before the others."""
        meant = self._backends.best_first(self._asked(caller, job))
        if len(meant) > 1 and (permitted := self._undoubted(caller, job, meant)):
            return permitted
        return [(meant[0], await self._permit(caller, _on(job, meant[0])))]

    def _asked(self, caller: Caller, job: Job) -> str:
        """The backend that the job names, else that which the policy chooses; empty for the default."""
        try:
            return job.backend or chosen(self._policy.current, caller, job)
        except BrokenPolicy:
            return ""  # it is denied, wherever it would run

    def _undoubted(
        self, caller: Caller, job: Job, meant: Sequence[ExecutionBackend]
    ) -> list[tuple[ExecutionBackend, Permit]]:
        """Those of several backends that the policy permits without a question."""
        try:
            decided = [(one, decide(self._policy.current, caller, _on(job, one))) for one in meant]
        except BrokenPolicy:
            return []
        return [(one, permit) for one, permit in decided if isinstance(permit, Permit)]

    async def attach(
        self, caller: Caller, job: str, stdout_offset: int, stderr_offset: int
    ) -> AsyncGenerator[Event, None]:
        """Follow a job of the caller's from the given offsets; closing this leaves it alone."""
        run = self._jobs.of(caller.principal, job)
        async with aclosing(run.follow(stdout_offset, stderr_offset)) as events:
            async for event in events:
                yield event

    def let_go(self, caller: Caller, job: str, reader: "asyncio.Task[Any]") -> bool:
        """Have a job of the caller's run on without its call, whose task reads it; False: it does not run."""
        is_alone = self._jobs.let_go(job, reader)
        if is_alone:
            self._link.note("job_left", {**who(caller), "job": job})
        return is_alone

    def leave_alone(self, caller: Caller, job: str) -> None:
        """Have a job of the caller's run on whose call was lost with an earlier host agent."""
        self._jobs.leave_alone(self._jobs.of(caller.principal, job))
        self._link.note("job_left", {**who(caller), "job": job})

    async def signal(self, caller: Caller, job: str, signum: int) -> bool:
        """Send a signal to a job of the caller's; False where it has ended."""
        run = self._jobs.of(caller.principal, job)
        return run.running and await run.origin.backend.signal(job, signum)

    async def feed(self, caller: Caller, job: str, given: Input) -> Fed:
        """Give a job of the caller's something to read; it is on record before the job can see it.

        Raises:
            Conflict: its input has ended, or it has none.
            Exhausted: it has left too much unread.
        """
        run = self._jobs.of(caller.principal, job)
        async with run.feeding:
            before = run.offsets()
            if run.running:
                await self._feed(caller, run, given)
            return Fed(running=run.running, before=before)

    async def _feed(self, caller: Caller, run: Run, given: Input) -> None:
        """Check, record, give."""
        job, backend = run.origin.job, run.origin.backend
        taking = backend.input_of(job)
        if taking is not None:
            taking.check(given)
        elif given.data or given.end or given.resize:
            raise Conflict("the job has no open input, and no terminal", hint=NO_INPUT, field="job")
        if given.data or given.interrupt or given.end:
            await self._link.record("input", {**who(caller), **records.given(job, given)})
        if taking is not None:
            taking.give(given)
        if given.resize is not None and run.recording is not None:
            run.recording.resized(given.resize)
        if given.interrupt and not (taking and taking.is_terminal):
            await backend.signal(job, signal.SIGINT)

    async def wait(self, caller: Caller, job: str) -> Exited:
        """How a job of the caller's ended, once it has."""
        return await self._jobs.of(caller.principal, job).wait()

    async def watch(
        self, caller: Caller, job: str, known: Counts, wait_seconds: float
    ) -> tuple[Counts, bool]:
        """How much a job of the caller's has written, once that is more, and whether it runs."""
        run = self._jobs.of(caller.principal, job)
        return await run.watch(known, wait_seconds), run.running

    async def read_output(
        self, caller: Caller, job: str, stream: Readable, offset: int, max_bytes: int
    ) -> OutputPart:
        """A part of what a job of the caller's wrote."""
        return self._jobs.of(caller.principal, job).part(stream, offset, max_bytes)

    async def search_output(
        self, caller: Caller, job: str, stream: StreamName, offset: int, wanted: Search
    ) -> SearchAnswer:
        """The lines that match of what a job of the caller's wrote."""
        run = self._jobs.of(caller.principal, job)
        own = run.started.profile if run.started else run.origin.profile
        names = (own, self._file_profile(caller))  # one that ran elsewhere had another's profile, or none
        profile = outputsearch.profile_for(names, await self._link.profiles())

        async def ask(scan: Scan) -> Answer:
            return await self._files.use(profile, scan, principal=caller.principal)

        return await outputsearch.search(run, stream, offset, wanted, ask)

    def _file_profile(self, caller: Caller) -> str:
        try:
            return file_profile(self._policy.current, caller)
        except BrokenPolicy:
            return ""

    def list_jobs(self, caller: Caller, job: str = "") -> tuple[JobSummary, ...]:
        """The caller's jobs, running ones first; or the one of that name."""
        if job:
            return (self._jobs.of(caller.principal, job).summary(),)
        return self._jobs.all_of(caller.principal)

    # -- files ----------------------------------------------------------------------------------------------

    async def use_file(self, caller: Caller, act_id: str, ask: Ask) -> Answer:
        """Use a file if the policy permits it; a change is on record before it is made.

        Raises:
            Denied: the policy, or the system, says no.
        """
        return await self._file_use.use(caller, act_id, ask)

    async def arrange(self, caller: Caller, act_id: str, ask: Arrange) -> Answer:
        """Move, copy, remove or restore, if the policy permits it of every path that is touched.

        Raises:
            Denied: the policy, or the system, says no.
        """
        return await self._file_use.arrange(caller, act_id, ask)

    async def finish(self) -> None:
        """Let changes that have begun come to their end, whose callers have gone; for a bounded while."""
        await self._file_use.finish()

    # -- deciding -------------------------------------------------------------------------------------------

    async def _permit(
        self, caller: Caller, act: Job | FileAct, content: Mapping[str, Any] = MappingProxyType({})
    ) -> Permit:
        """The permit, or a Denied that is on record first; `content` is what would be written."""
        try:
            decided = decide(self._policy.current, caller, act)
        except BrokenPolicy as error:
            told = {"rule": "", "policy": "", **records.failure(error)}
            await self._link.record("refused", {**who(caller), **records.act(act), **told})
            raise
        if isinstance(decided, Permit):
            return decided
        if isinstance(decided, Question):
            permit = await self._approvals.permit(caller, decided, content)
            if permit.policy_digest == self.policy_digest:
                return permit
            return await self._permit(caller, act, content)  # by the policy that was read while it waited
        told = {"rule": decided.rule, "policy": decided.policy_digest, "message": decided.message}
        await self._link.record("refused", {**who(caller), **records.act(act), **told})
        raise Denied(decided.message, hint=decided.hint)

    def explain(self, caller: Caller, job: Job) -> Decision:
        """What would be decided, on the backend where it would run; nothing is recorded, nothing happens."""
        policy = self._policy.current
        decided = [
            decide(policy, caller, _on(job, one))
            for one in self._backends.best_first(self._asked(caller, job))
        ]
        return next((one for one in decided if isinstance(one, Permit)), decided[0])

    @property
    def policy_digest(self) -> str:
        """The digest of the policy; empty where it is broken."""
        try:
            return self._policy.current.digest
        except BrokenPolicy:
            return ""

    async def audit(self, caller: Caller, before: int = 0) -> tuple[str, ...]:
        """The last records of the ledger, or those before the one of that number, each a line of JSON.

        They are for who is in the group of auditors.

        Raises:
            Denied: the caller is not; that is on record.
            BrokenPolicy: nobody can say who is.
        """
        await insiders.only(self._policy.current, self._link, caller, insiders.AUDITORS, "read the ledger")
        await self._link.record("audit_read", {**who(caller), **({"before": before} if before else {})})
        return await self._link.ledger(before)

    def sign_in_refused(self, caller: Caller, told: Mapping[str, Any]) -> None:
        """Have it on record that the server let somebody not in; the server is the call's peer."""
        self._link.note("sign_in_refused", {"by": "server", "uri": caller.peer, **told})

    async def config_changed(self, caller: Caller, told: Mapping[str, Any]) -> None:
        """Have it on record that the server, the call's peer, is about to change its configuration.

        Raises:
            WandError: it could not be recorded, so it must not be changed.
        """
        await self._link.record("config", {"of": "server", "uri": caller.peer, **told})

    async def operation_begins(self, caller: Caller, told: Mapping[str, Any]) -> None:
        """Have it on record that the server, the call's peer, is about to ask a service for something.

        Raises:
            Denied: the policy says no; that is on record.
            WandError: it could not be recorded, so it must not be asked.
        """
        try:
            policy = self._policy.current
        except BrokenPolicy as error:
            fields = {"rule": "", "policy": "", **records.failure(error)}
            await self._link.record("refused", {**who(caller), **told, **fields})
            raise
        ruling = operations.decide(policy, caller, str(told["operation"]), changes=not told["read_only"])
        by = {"rule": ruling.rule, "policy": policy.digest}
        if not ruling.permitted:
            await self._link.record("refused", {**who(caller), **told, **by, "message": ruling.message})
            raise Denied(ruling.message, hint=ruling.hint)
        await self._link.record("operation", {**who(caller), **told, **(by if ruling.rule else {})})

    async def operation_ends(self, caller: Caller, told: Mapping[str, Any]) -> None:
        """Have it on record what came of that."""
        await self._link.record("operation_end", {**who(caller), **told})

    async def profiles(self) -> ProfilesReport:
        """The profiles as the launcher has read them, and what this machine guarantees."""
        return await self._link.profiles()


def _on(job: Job, backend: ExecutionBackend) -> Job:
    """The job as it is to run there, under that name: rules speak of names, and never of labels."""
    return job if (job.backend or NATIVE) == backend.name else replace(job, backend=backend.name)
