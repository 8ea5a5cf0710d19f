"""What tools answer about tasks, projects and agents: an object for programs, and lines for a model."""

import json
from typing import Any

from pydantic import Field

from wand_server.ports.projects import Crew, Handed, ProjectShown, TaskShown
from wand_server.tools import render, unseen
from wand_server.tools.base import Answer, Part

_SHOWN = 50  # tasks, in a text


class TaskPart(Part):
    """One task."""

    id: str
    title: str = ""
    project: str = ""
    state: str
    agent: str = ""
    attempt: int = 0
    done: float = 0.0
    total: float | None = None
    message: str = ""
    kind: str = ""
    after: list[str] = Field(default=[])
    priority: int = 0
    updated: float = 0.0
    result: Any = None


def task_part(shown: TaskShown) -> TaskPart:
    """A task as it stands in an answer."""
    return TaskPart(
        **{name: getattr(shown, name) for name in TaskPart.model_fields if name != "after"},
        after=list(shown.after),
    )


def line_of(task: TaskPart | TaskShown) -> str:
    """A task in one line."""
    about = [task.state, *([f"by {task.agent}"] if task.agent and task.state == "running" else [])]
    if task.state == "running" and task.total:
        about.append(f"{task.done:g} of {task.total:g}")
    said = f": {' '.join(task.message.split())[:300]}" if task.message else ""
    return f"{task.id} {task.title or '(no title)'} [{', '.join(about)}]{said}"


class TaskAnswer(Answer):
    """One task, with what came of it."""

    is_sparse = True
    task: TaskPart
    told: str = Field(default="", exclude=True)  # the result as text

    def text(self) -> str:
        return f"{line_of(self.task)}\n{self.told}".rstrip()


class TasksAnswer(Answer):
    """Some tasks."""

    is_sparse = True
    tasks: list[TaskPart]
    cursor: str = ""

    def text(self) -> str:
        lines = list(map(line_of, self.tasks)) or ["There are no such tasks."]
        return "\n".join((*lines, *([f"More: cursor={self.cursor}"] if self.cursor else [])))


class ProjectAnswer(Answer):
    """A project at a glance."""

    is_sparse = True
    name: str
    workspace: str = ""
    budget_usd: float | None = None
    spent_usd: float = 0.0
    counts: dict[str, int] = Field(default={})
    is_over: bool
    attention: list[TaskPart] = Field(default=[])
    running: list[TaskPart] = Field(default=[])
    lacks_folder: bool = False

    def text(self) -> str:
        lacks = f"Its folder {self.workspace} is not there yet: no command of its tasks starts before it is."
        parts = (*self._part("Look at", self.attention), *self._part("Now", self.running))
        return "\n".join((self._head(), *([lacks] if self.lacks_folder else []), *parts))

    def _head(self) -> str:
        counts = ", ".join(f"{number} {state}" for state, number in self.counts.items()) or "no tasks yet"
        budget = (
            "" if self.budget_usd is None else f"; spent {self.spent_usd:.2f} of {self.budget_usd:.2f} USD"
        )
        return f"{self.name}: {counts}{budget}{'; all is over' if self.is_over and self.counts else ''}"

    def _part(self, heading: str, tasks: list[TaskPart]) -> list[str]:
        return [f"{heading}:", *map(line_of, tasks)] if tasks else []


def project_answer(shown: ProjectShown) -> ProjectAnswer:
    """A project as it stands in an answer."""
    return ProjectAnswer(
        name=shown.name, workspace=shown.workspace,
        budget_usd=shown.budget_usd, spent_usd=shown.spent_usd, counts=dict(shown.counts),
        is_over=shown.is_over, attention=list(map(task_part, shown.attention)),
        running=list(map(task_part, shown.running)), lacks_folder=shown.lacks_folder,
    )  # fmt: skip


class HandedPart(Part):
    """A task that was handed out."""

    id: str
    state: str
    key: str = ""
    title: str = ""
    is_new: bool = True


class HandedAnswer(Answer):
    """What was handed out."""

    is_sparse = True
    tasks: list[HandedPart]

    def text(self) -> str:
        known = sum(not one.is_new for one in self.tasks)
        head = f"Handed out: {render.count(len(self.tasks) - known, 'task')}"
        more = f"; {known} known already by their keys" if known else ""
        lines = (f"{one.id} [{one.state}] {one.key or one.title}".rstrip() for one in self.tasks[:_SHOWN])
        left = [f"and {len(self.tasks) - _SHOWN} more"] if len(self.tasks) > _SHOWN else []
        return "\n".join((f"{head}{more}.", *lines, *left))


def handed_part(one: Handed) -> HandedPart:
    """It as it stands in an answer."""
    return HandedPart(id=one.id, state=one.state, key=one.key, title=one.title, is_new=one.is_new)


class AgentPart(Part):
    """One agent."""

    name: str
    process: str
    state: str
    task: str = ""
    seen_seconds: float = 0.0
    finished: int = 0
    labels: list[str] = Field(default=[])
    capabilities: list[str] = Field(default=[])


class CrewAnswer(Answer):
    """All agents."""

    is_sparse = True
    agents: list[AgentPart]
    queued: int = 0
    wanted: int
    least: int
    most: int

    def text(self) -> str:
        head = f"{self.queued} queued; this server keeps {self.wanted} agents, {self.least} to {self.most}"
        return "\n".join((head, *(self._line(one) for one in self.agents)))

    def _line(self, one: AgentPart) -> str:
        does = f" {one.task}" if one.task else ""
        seen = "" if one.seen_seconds < 1 else f", seen {render.seconds(one.seen_seconds)} ago"
        about = "; ".join(filter(None, (" ".join(one.labels), " ".join(one.capabilities))))
        return f"{one.name} ({one.process}): {one.state}{does}{seen}{f' [{about}]' if about else ''}"


def crew_answer(crew: Crew) -> CrewAnswer:
    """All agents as they stand in an answer."""
    return CrewAnswer(
        agents=[
            AgentPart(
                name=one.name, process=one.process, state=one.state, task=one.task,
                seen_seconds=round(one.seen_seconds, 1), finished=one.finished,
                labels=list(one.labels), capabilities=list(one.capabilities),
            )
            for one in crew.agents
        ],
        queued=crew.queued, wanted=crew.wanted, least=crew.bounds[0], most=crew.bounds[1],
    )  # fmt: skip


def told(result: Any) -> str:
    """What came of a task, as text."""
    if isinstance(result, dict) and isinstance(result.get("text"), str) and result["text"]:
        return unseen.visible(result["text"])
    return "" if result is None else unseen.visible(json.dumps(result, ensure_ascii=False))


def task_answer(shown: TaskShown) -> TaskAnswer:
    """One task as it stands in an answer."""
    return TaskAnswer(task=task_part(shown), told=told(shown.result))
