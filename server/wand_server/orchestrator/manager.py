"""The task manager: what tools and resources ask about tasks, projects and agents, each for who calls."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wand_proto.errors import Conflict, Denied, Invalid, NotFound, WandError
from wand_server import scopes
from wand_server.lifecycle import ENDED, OPEN, RETRIABLE, TaskState
from wand_server.model import Call, Principal, TaskTold
from wand_server.orchestrator import folders
from wand_server.orchestrator.handing import UUID, Around, Inbox, keys_named
from wand_server.orchestrator.pool import Pool
from wand_server.orchestrator.showing import Seen, crew, project_shown, task_shown, told
from wand_server.orchestrator.work import form
from wand_server.ports import (
    NewProject,
    News,
    NewTask,
    Project,
    Submitted,
    Task,
    TaskBus,
    TaskFilter,
    TaskStore,
)
from wand_server.ports.projects import Crew, Handed, ProjectShown, ProjectWanted, TaskShown, TasksShown, Which
from wand_server.storage import checking

_MOST_OPEN = 10_000  # tasks of one principal that have not ended
_MOST_RUNNING = 1000
_MOST_KEYS, _AT_ONCE = 2000, 50  # of tasks of before that are named, and that are looked up together
_MOST_NAMED = 20  # tasks of a project that are named at a glance
_CHANGED = frozenset({News.CHANGED})
_LOOK_AT = frozenset({TaskState.WAITING, TaskState.FAILED, TaskState.AMBIGUOUS, TaskState.DEAD})

Scale = Callable[[str, int], Awaitable[None]]
"""Have it that so many agents are kept, at the word of somebody; raises where that may not be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """Offers `ports.projects.Tasks` and `offers.HandedOut`."""

    store: TaskStore
    bus: TaskBus
    inbox: Inbox
    pool: Pool
    scale_to: Scale

    # Projects -----------------------------------------------------------------------------------------

    async def create_project(self, call: Call, wanted: ProjectWanted) -> ProjectShown:
        """A new project of the caller's.

        Raises:
            Conflict: there is one of that name.
            Invalid: it cannot be called so.
            Denied: the folder is none of the caller's; the hint says which are.
        """
        if not wanted.name.strip() or not checking.is_line(wanted.name):
            raise Invalid("must be a name: 1 to 64 characters", field="project")
        is_there = not wanted.workspace or await folders.need(self.inbox.tools, call, wanted.workspace)
        budget = {} if wanted.budget_usd is None else {"cost_usd": wanted.budget_usd}
        new = NewProject(
            principal=call.principal, name=wanted.name, workspace=wanted.workspace, budget=budget
        )
        try:
            made = await self._at_a_glance(await self.store.create_project(new))
        except WandError as why:
            why.field = "project" if why.field == "name" else why.field  # as whoever makes one calls it
            raise
        return replace(made, lacks_folder=not is_there)

    async def project(self, call: Call, name: str) -> ProjectShown:
        """How a project of the caller's stands.

        Raises:
            NotFound: there is none of that name or id; the hint names those that there are.
        """
        return await self._at_a_glance(await self._project(call.principal, name))

    async def _at_a_glance(self, project: Project) -> ProjectShown:
        look_at = TaskFilter(project=project.id, states=_LOOK_AT)
        running = TaskFilter(project=project.id, states=frozenset({TaskState.RUNNING}))
        return project_shown(
            project,
            (await self.store.list(look_at, limit=_MOST_NAMED)).tasks,
            (await self.store.list(running, limit=_MOST_NAMED)).tasks,
        )

    async def _project(self, principal: Principal, name: str) -> Project:
        mine = await self.store.projects(_whose(principal))
        found = [one for one in mine if name in {one.name, one.id}]
        if not found:
            known = ", ".join(one.name for one in mine)[:300] or "none; create_project makes one"
            raise NotFound(f"you have no project {name!r:.80}", field="project", hint=f"there are: {known}")
        if len(found) > 1:
            ids = ", ".join(f"{one.id} of {one.principal.name}" for one in found)
            raise Conflict(f"several are called {name!r:.80}", field="project", hint=f"give the id: {ids}")
        return found[0]

    # Tasks --------------------------------------------------------------------------------------------

    async def hand_out(
        self, call: Call, untrusted: Sequence[Mapping[str, Any]], project: str
    ) -> tuple[Handed, ...]:
        """Hand out tasks, all or none; each was checked whole.

        Raises:
            WandError: one of them cannot be; the field names which, and what would be right.
        """
        where = (await self._project(call.principal, project)).id if project else ""
        above = await self._mine(call.principal, call.task, "parent") if call.task else None
        if above is not None and above.project:
            where = _stays(above.project, where)
        there = await self._there(call.principal, keys_named(untrusted))
        tasks: list[NewTask] = []
        around = Around(form.read(above.work) if above else None, there)
        for task in self.inbox.each(call, untrusted, where, around):
            tasks.append(task)
            await asyncio.sleep(0)  # let others have their turn
        await self._need_room(call.principal, len(tasks))
        named = {before for task in tasks if task.key not in there for before in task.depends_on}
        for before in named - {task.id for task in tasks} - {call.task, *there.values()}:
            await self._mine(call.principal, before, "after")
        handed = await self._submitted(tasks)
        return tuple(
            Handed(id=one.id, state=one.state, key=task.key, title=task.title, is_new=one.created)
            for task, one in zip(tasks, handed, strict=True)
        )

    async def _there(self, principal: Principal, keys: Collection[str]) -> Mapping[str, str]:
        """The ids of the tasks of that principal that have these keys, as far as there are any."""
        if len(keys) > _MOST_KEYS:
            raise Invalid(f"name {len(keys)} keys, at most {_MOST_KEYS} at once", field="tasks")
        found: dict[str, str] = {}
        rest = iter(keys)
        while some := frozenset(itertools.islice(rest, _AT_ONCE)):
            wanted = TaskFilter(identity=principal.identity, keys=some)
            found |= {one.key: one.id for one in (await self.store.list(wanted, limit=_AT_ONCE)).tasks}
        return found

    async def _submitted(self, tasks: Sequence[NewTask]) -> Sequence[Submitted]:
        try:
            return await self.store.submit(tasks)
        except WandError as why:
            why.field = "after" if why.field == "depends_on" else why.field  # as whoever hands out calls it
            raise

    async def _need_room(self, principal: Principal, more: int) -> None:
        counts = await self.store.counts(TaskFilter(identity=principal.identity, states=OPEN))
        waiting = sum(counts.get(state, 0) for state in OPEN)
        if waiting + more > _MOST_OPEN:
            message = f"{waiting} of your tasks have not ended, at most {_MOST_OPEN} may be"
            raise Denied(message, hint="wait for some to end, or cancel them", field="tasks")

    async def task(self, call: Call, task: str) -> TaskShown:
        """One task.

        Raises:
            NotFound: the caller has none of that id.
        """
        return await self._shown(await self._mine(call.principal, task))

    async def find(self, call: Call, which: Which) -> TasksShown:
        """Tasks of the caller's, the newest first."""
        wanted = TaskFilter(
            identity=_whose(call.principal),
            states=_states(which.state),
            project=(await self._project(call.principal, which.project)).id if which.project else "",
        )
        page = await self.store.list(wanted, limit=which.limit, cursor=which.after)
        names = await self._names(page.tasks)
        return TasksShown(tasks=tuple(task_shown(task, names) for task in page.tasks), more=page.cursor)

    async def cancel(self, call: Call, task: str) -> TaskShown:
        """Cancel a task, and those that it handed out.

        Raises:
            NotFound: the caller has none of that id.
            Conflict: it has ended.
        """
        mine = await self._mine(call.principal, task)
        if mine.state in ENDED:
            raise Conflict(f"it has ended: {mine.state}", field="task")
        await self.store.cancel(mine.id, f"cancelled by {call.principal.name}")
        return await self._shown(await self.store.get(mine.id))

    async def retry(self, call: Call, task: str) -> TaskShown:
        """Have a task done again that ended badly; steps that were done are not.

        Raises:
            NotFound: the caller has none of that id.
            Conflict: it has not ended, is done, or had to be done by a time that is over.
            InsufficientScope: it may do what this sign-in may not.
        """
        mine = await self._mine(call.principal, task)
        lacking = sorted(mine.principal.scopes - call.principal.scopes)
        if lacking and scopes.ADMIN not in call.principal.scopes:
            raise scopes.InsufficientScope("to have this task done again", lacking[0], call.principal.scopes)
        if mine.state not in RETRIABLE:
            raise Conflict(f"it is {mine.state}", field="task", hint="what ended badly can be done again")
        if mine.deadline is not None and mine.deadline <= time.time():
            hint = "hand it out anew, with another deadline_seconds"
            raise Conflict("its deadline has passed, so it would not be begun", field="task", hint=hint)
        return await self._shown(await self.store.retry(mine.id))

    async def _mine(self, principal: Principal, task: str, field: str = "task") -> Task:
        missing = NotFound(f"you have no task {task!r:.80}", field=field, hint="manage_tasks list names them")
        try:
            found = await self.store.get(task if UUID.fullmatch(task) else await self._keyed(principal, task))
        except NotFound as why:
            raise missing from why
        if _whose(principal) not in {None, found.principal.identity}:
            raise missing
        return found

    async def _keyed(self, principal: Principal, key: str) -> str:
        """The id of their task with that key."""
        ids = await self._there(principal, {key} if key and checking.is_line(key) else ())
        if key not in ids:
            raise NotFound(f"there is no task with the key {key!r:.80}")
        return ids[key]

    async def _shown(self, task: Task) -> TaskShown:
        return task_shown(task, await self._names([task]))

    async def _names(self, tasks: Sequence[Task]) -> Mapping[str, str]:
        """The names of their projects."""
        ids = {task.project for task in tasks} - {""}
        return {one: (await self.store.project(one)).name for one in ids}

    # Agents -------------------------------------------------------------------------------------------

    async def agents(self, call: Call) -> Crew:
        """Every agent that joined the store, as it is now; of others' tasks only that there are some."""
        whose = _whose(call.principal)
        running = await self.store.list(
            TaskFilter(states=frozenset({TaskState.RUNNING})), limit=_MOST_RUNNING
        )
        counts = await self.store.counts()
        seen = Seen(
            now=time.time(),
            gone_seconds=self.pool.habits.gone_seconds,
            running={
                one.agent: one.id if whose in {None, one.principal.identity} else "" for one in running.tasks
            },
            here=self.pool.agents,
        )
        shown = crew(await self.store.agents(), seen)
        queued = counts.get(TaskState.QUEUED, 0)
        size = self.pool.size
        return Crew(agents=shown, queued=queued, wanted=size.count, bounds=size.bounds)

    async def scale(self, call: Call, wanted: int) -> Crew:
        """Keep so many agents in this server, until it is told otherwise.

        Raises:
            InsufficientScope: the caller may not change how the server runs.
            WandError: the settings do not permit so many, or it cannot be recorded.
        """
        scopes.check(call.principal, "scale_agents", scopes.ADMIN)
        await self.scale_to(call.principal.name, wanted)
        return await self.agents(call)

    # For MCP's own tasks ---------------------------------------------------------------------------------

    async def told(self, principal: Principal, task: str) -> TaskTold:
        """As `offers.HandedOut` says."""
        return told(await self._mine(principal, task))

    async def end(self, principal: Principal, task: str) -> None:
        """As `offers.HandedOut` says."""
        mine = await self._mine(principal, task)
        await self.store.cancel(mine.id, f"cancelled by {principal.name}")

    async def changed(self, seconds: float) -> None:
        """Wait until a task changes, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self.bus.listen(_CHANGED) as wakes:
                async for _ in wakes:
                    return


def _whose(principal: Principal) -> tuple[str, str, str] | None:
    """Whose tasks and projects somebody may see: their own; all of them where they run the server."""
    return None if scopes.ADMIN in principal.scopes else principal.identity


def _stays(own: str, wished: str) -> str:
    """The project of what a task hands out: its own, for its budget holds for that as well.

    Raises:
        Denied: another is wished for.
    """
    if wished not in {"", own}:
        what = "what a task of a project hands out belongs to that project"
        raise Denied(what, hint="leave project out", field="project")
    return own


def _states(untrusted: str) -> frozenset[TaskState]:
    """The states that a word means.

    Raises:
        Invalid: it means none.
    """
    known = {"": frozenset[TaskState](), "open": OPEN, "ended": ENDED}
    if untrusted in known:
        return known[untrusted]
    if untrusted not in set(TaskState):
        hint = f"there are: open, ended, {', '.join(TaskState)}"
        raise Invalid(f"{untrusted!r:.80} is no state of a task", field="state", hint=hint)
    return frozenset({TaskState(untrusted)})
