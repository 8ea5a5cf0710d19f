"""The task store: what the port promises, as acts on an engine."""

import itertools
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from wand_server.lifecycle import TaskState
from wand_server.ports import (
    AgentRecord,
    Checkpoint,
    Claimed,
    Hold,
    Json,
    Lease,
    NewProject,
    NewTask,
    Outcome,
    Project,
    Registration,
    Step,
    Submitted,
    Swept,
    Task,
    TaskError,
    TaskFilter,
    TaskPage,
    TaskProgress,
    TranscriptEntry,
)
from wand_server.storage import checking
from wand_server.storage.acts import caring, joining, reading, submitting, sweeping, working
from wand_server.storage.asking import Doing, Engine
from wand_server.storage.rows import names_out, packed

T = TypeVar("T")
WEEK = 7 * 86400.0


class Store:
    """`ports.TaskStore`, whose docstrings hold here, on an engine that is open."""

    def __init__(self, engine: Engine, *, keep_seconds: float = WEEK) -> None:
        self._engine = engine
        self._keep_seconds = keep_seconds

    async def submit(self, tasks: Sequence[NewTask]) -> tuple[Submitted, ...]:
        several = [submitting.prepare(one) for one in checking.tasks(tasks, self._engine.now())]
        act = partial(submitting.submit, several=several, keep_seconds=self._keep_seconds)
        simple = all(not (one.depends_on or one.parent or one.project or one.key) for one in tasks)
        done: tuple[Submitted, ...] = await self._engine.write(
            Doing(act, alone=not simple, parts=len(tasks) == 1)
        )
        by_id = {one.task.id: told for one, told in zip(several, done, strict=True)}
        return tuple(by_id[one.id] for one in tasks)

    async def claim(
        self, agent: str, capabilities: frozenset[str], lease_seconds: float, *, task: str = ""
    ) -> Claimed | None:
        wanted = working.Wanted(
            agent=agent,
            able=names_out(capabilities),
            lease_seconds=lease_seconds,
            task=task,
            mark=_mark(),
        )
        claimed: Claimed | None = await self._engine.write(
            Doing(partial(working.claim, wanted=wanted), parts=True)
        )
        return claimed

    async def renew(self, lease: Lease, lease_seconds: float, progress: TaskProgress | None = None) -> Hold:
        act = partial(working.renew, lease=lease, lease_seconds=lease_seconds, progress=progress)
        return Hold(await self._engine.write(Doing(act, lease.task, parts=True)))

    async def checkpoint(self, lease: Lease, checkpoint: Checkpoint) -> Hold:
        act = partial(working.checkpoint, lease=lease, given=checkpoint, mark=_mark())
        return Hold(await self._engine.write(Doing(act, lease.task)))

    async def transcribe(self, lease: Lease, entries: Sequence[tuple[str, Json]]) -> Hold:
        act = partial(working.transcribe, lease=lease, entries=tuple(entries), mark=_mark())
        return Hold(await self._engine.write(Doing(act, lease.task)))

    async def finish(self, lease: Lease, outcome: Outcome) -> TaskState | None:
        act = partial(working.finish, lease=lease, outcome=outcome, mark=_mark())
        parts = working.is_one_statement(outcome)
        went: TaskState | None = await self._engine.write(Doing(act, lease.task, parts=parts))
        return went

    async def retry_at(self, lease: Lease, run_at: float, error: TaskError | None = None) -> TaskState | None:
        act = partial(working.give_back, lease=lease, run_at=run_at, error=error)
        went: TaskState | None = await self._engine.write(Doing(act, lease.task))
        return went

    async def cancel(self, task: str, reason: str = "") -> tuple[str, ...]:
        stopped: tuple[str, ...] = await self._alone(partial(caring.cancel, task=task, reason=reason))
        return stopped

    async def retry(self, task: str) -> Task:
        again: Task = await self._alone(partial(caring.retry, task=task))
        return again

    async def settle(self, task: str, *, done: bool, result: Json = None, note: str = "") -> Task:
        kept = packed(result, "result", checking.RESULT_BYTES) if result is not None else None
        error = (
            None if done else TaskError(kind="Ambiguous", message=note or "somebody looked: it was not done")
        )
        settled: Task = await self._alone(partial(caring.settle, task=task, result=kept, error=error))
        return settled

    async def sweep(self) -> Swept:
        lost = await self._alone(sweeping.lost)
        overdue = await self._alone(sweeping.overdue)
        removed = await self._alone(sweeping.gone)
        due = await self._alone(sweeping.due)
        swept = Swept(lost=lost, overdue=overdue, removed=removed, due=due)
        return await self._engine.read(partial(sweeping.next_due, so_far=swept))

    async def get(self, task: str) -> Task:
        return await self._engine.read(partial(caring.get, task=task))

    async def list(self, wanted: TaskFilter, *, limit: int = 50, cursor: str = "") -> TaskPage:
        return await self._engine.read(partial(reading.listed, wanted=wanted, limit=limit, cursor=cursor))

    async def steps(self, task: str) -> tuple[Step, ...]:
        return await self._engine.read(partial(reading.steps, task=task))

    async def transcript(self, task: str, *, after: int = 0, limit: int = 200) -> tuple[TranscriptEntry, ...]:
        return await self._engine.read(partial(reading.transcript, task=task, after=after, limit=limit))

    async def counts(self, wanted: TaskFilter | None = None) -> Mapping[TaskState, int]:
        return await self._engine.read(partial(reading.counts, wanted=wanted or TaskFilter()))

    async def create_project(self, project: NewProject) -> Project:
        checking.project(project)
        made: Project = await self._alone(partial(joining.create_project, new=project))
        return made

    async def project(self, project: str) -> Project:
        return await self._engine.read(partial(joining.project, wanted=project))

    async def projects(self, identity: tuple[str, str, str] | None = None) -> tuple[Project, ...]:
        return await self._engine.read(partial(joining.projects, who=identity))

    async def register(self, agent: Registration) -> None:
        checking.agent(agent)
        await self._alone(partial(joining.register, agent=agent))

    async def beat(self, agent: str, state: str, task: str = "") -> bool:
        return bool(await self._alone(partial(joining.beat, agent=agent, state=state, task=task)))

    async def leave(self, agent: str) -> None:
        await self._alone(partial(joining.leave, agent=agent))

    async def agents(self) -> tuple[AgentRecord, ...]:
        return await self._engine.read(joining.agents)

    async def close(self) -> None:
        await self._engine.close()

    async def _alone(self, act: Any) -> Any:
        return await self._engine.write(Doing(act, alone=True))


_OURS, _NUMBERS = uuid.uuid4().hex, itertools.count()


def _mark() -> str:
    """A text that no other call has, in any process."""
    return f"{_OURS}.{next(_NUMBERS)}"
