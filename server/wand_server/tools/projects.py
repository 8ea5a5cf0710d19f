"""Work that is handed out: projects, their tasks, and the agents that carry them out."""

import time
from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, WithJsonSchema

from wand_proto.errors import Invalid
from wand_server.model import Call
from wand_server.ports.projects import ProjectShown, ProjectWanted, Tasks, Which
from wand_server.tools.base import Answer, ToolModel
from wand_server.tools.registry import AskingEntry, Entry
from wand_server.tools.taskanswers import (
    CrewAnswer,
    HandedAnswer,
    ProjectAnswer,
    TaskAnswer,
    TasksAnswer,
    crew_answer,
    handed_part,
    line_of,
    project_answer,
    task_answer,
    task_part,
)

_LOOK_SECONDS, _PATIENCE_SECONDS = 5.0, 40.0
_MOST_TASKS, _MOST_LISTED, _LISTED, _MOST_WAITED = 1000, 500, 20, 86400


def _within(least: float, most: float) -> AfterValidator:
    """Bounds that stand in no schema: each client would pay for them."""

    def check(given: float) -> float:
        if not least <= given <= most:
            raise ValueError(f"must be {least:g} to {most:g}, not {given:g}")
        return given

    return AfterValidator(check)


def _short(most: int) -> AfterValidator:
    def check(given: str) -> str:
        if len(given) > most:
            raise ValueError(f"must have at most {most} characters, not {len(given)}")
        return given

    return AfterValidator(check)


def _paid() -> AfterValidator:
    def check(given: float | None) -> float | None:
        if given is not None and given < 0:
            raise ValueError("must not be negative")
        return given

    return AfterValidator(check)


Given = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]
Word = Annotated[str, _short(64)]
Seconds = Annotated[float, _within(0, _MOST_WAITED)]


class TaskTool(ToolModel):
    """A tool that asks the task manager."""

    toolset: ClassVar[str] = "tasks"
    open_world: ClassVar[bool] = True  # what they set going may reach anything

    @abstractmethod
    async def ask(self, tasks: Tasks, call: Call) -> Answer:
        """Do it.

        Raises:
            WandError: what went wrong, in words for whoever asked.
        """


class CreateProject(TaskTool):
    """A named set of tasks, with a folder and a budget for goals."""

    name = "create_project"
    title = "Create project"
    answer = ProjectAnswer

    project: Word
    workspace: Annotated[str, _short(4096)] = ""
    budget_usd: Annotated[float | None, _paid()] = None

    async def ask(self, tasks: Tasks, call: Call) -> ProjectAnswer:
        wanted = ProjectWanted(
            name=self.project,
            workspace=self.workspace,
            budget_usd=self.budget_usd,
        )
        return project_answer(await tasks.create_project(call, wanted))


class DistributeTask(TaskTool):
    """Agents go on with these. Each has `steps` ([{"id", "tool", "arguments"}]) or a `goal` in words,
    perhaps title, key (none is done twice), after (keys, ids), priority, deadline_seconds.
    More: skill://hand-out-work/SKILL.md.
    """

    name = "distribute_task"
    title = "Hand out tasks"
    answer = HandedAnswer
    destructive = True

    tasks: tuple[Given, ...]
    project: Word = ""

    async def ask(self, tasks: Tasks, call: Call) -> HandedAnswer:
        if not 1 <= len(self.tasks) <= _MOST_TASKS:
            raise Invalid(f"must be 1 to {_MOST_TASKS} tasks, not {len(self.tasks)}", field="tasks")
        handed = await tasks.hand_out(call, self.tasks, self.project)
        return HandedAnswer(tasks=list(map(handed_part, handed)))


class GetProjectStatus(TaskTool):
    """How its tasks stand; waits for their end."""

    name = "get_project_status"
    title = "Project status"
    answer = ProjectAnswer
    read_only = True
    may_last = True

    project: Word
    wait_seconds: Seconds = 0

    async def ask(self, tasks: Tasks, call: Call) -> ProjectAnswer:
        until = _until(self.wait_seconds, call)
        while True:
            shown = await tasks.project(call, self.project)
            await _tell(call, shown)
            left = until - time.monotonic()
            if shown.is_over or left <= 0:
                return project_answer(shown)
            await tasks.changed(min(left, _LOOK_SECONDS))


def _until(wait_seconds: float, call: Call) -> float:
    """When to answer at last: a client that waits for it, rather than for a task, gives up after a while."""
    return time.monotonic() + (wait_seconds if call.may_last else min(wait_seconds, _PATIENCE_SECONDS))


async def _tell(call: Call, shown: ProjectShown) -> None:
    if call.progress is None:
        return
    await call.progress(
        shown.over, sum(shown.counts.values()), project_answer(shown).text().partition("\n")[0]
    )


class ListAgents(TaskTool):
    """What each agent does."""

    name = "list_agents"
    title = "List agents"
    answer = CrewAnswer
    read_only = True

    async def ask(self, tasks: Tasks, call: Call) -> CrewAnswer:
        return crew_answer(await tasks.agents(call))


class ManageTasks(TaskTool):
    """get waits for the end and gives the result; list gives the newest."""

    name = "manage_tasks"
    title = "Manage tasks"
    answer = TaskAnswer
    destructive = True
    may_last = True

    action: Literal["get", "list", "cancel", "retry"]
    task: Word = ""
    wait_seconds: Seconds = 0
    project: Word = ""
    state: Word = ""
    limit: Annotated[int, _within(0, _MOST_LISTED)] = 0
    cursor: Annotated[str, _short(500)] = ""

    async def ask(self, tasks: Tasks, call: Call) -> Answer:
        if self.action == "list":
            return await self._list(tasks, call)
        if not self.task:
            raise Invalid(f"is missing: {self.action} is about one task", field="task")
        if self.action == "cancel":
            return task_answer(await tasks.cancel(call, self.task))
        if self.action == "retry":
            return task_answer(await tasks.retry(call, self.task))
        return await self._get(tasks, call)

    async def _get(self, tasks: Tasks, call: Call) -> TaskAnswer:
        until = _until(self.wait_seconds, call)
        while True:
            shown = await tasks.task(call, self.task)
            if call.progress is not None:
                await call.progress(shown.done, shown.total, line_of(shown))
            left = until - time.monotonic()
            if shown.is_over or left <= 0:
                return task_answer(shown)
            await tasks.changed(min(left, _LOOK_SECONDS))

    async def _list(self, tasks: Tasks, call: Call) -> TasksAnswer:
        which = Which(project=self.project, state=self.state, limit=self.limit or _LISTED, after=self.cursor)
        found = await tasks.find(call, which)
        return TasksAnswer(tasks=list(map(task_part, found.tasks)), cursor=found.more)


class ScaleAgents(TaskTool):
    """How many agents this server keeps."""

    name = "scale_agents"
    title = "Scale agents"
    toolset = "server"
    answer = CrewAnswer
    destructive = True  # the last to go may have had work

    count: Annotated[int, _within(0, 1000)]

    async def ask(self, tasks: Tasks, call: Call) -> CrewAnswer:
        return crew_answer(await tasks.scale(call, self.count))


KINDS: tuple[type[TaskTool], ...] = (
    CreateProject, DistributeTask, GetProjectStatus, ListAgents, ManageTasks, ScaleAgents,
)  # fmt: skip


def entries(tasks: Tasks) -> tuple[Entry, ...]:
    """The tools, bound to the task manager."""
    return tuple(AskingEntry(kind, lambda tool, call: tool.ask(tasks, call)) for kind in KINDS)
