"""A task manager that exists only in a test: it keeps the port's shape and remembers what it was asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wand_server.model import Call
from wand_server.ports.projects import (
    AgentShown,
    Crew,
    Handed,
    ProjectShown,
    ProjectWanted,
    TaskShown,
    TasksShown,
    Which,
)

TASK = TaskShown(id="t1", title="build", project="p", state="running", agent="agent-1", done=1, total=2)
PROJECT = ProjectShown(
    name="p", workspace="", budget_usd=None, spent_usd=0.0, counts={"running": 1}, over=0, is_over=False
)
CREW = Crew(
    agents=(AgentShown(name="agent-1", process="box:1", state="busy", task="t1"),),
    queued=2, wanted=3, bounds=(3, 8),
)  # fmt: skip


@dataclass
class FakeTasks:
    """Answers with what it was given; of `shown` and `stands` the next one each time, until the last."""

    shown: Sequence[TaskShown] = (TASK,)
    stands: Sequence[ProjectShown] = (PROJECT,)
    error: Exception | None = None
    asked: list[object] = field(default_factory=list)
    _looks: int = 0

    def _remember(self, *question: object) -> None:
        self.asked.append(question)
        if self.error is not None:
            raise self.error

    async def create_project(self, call: Call, wanted: ProjectWanted) -> ProjectShown:
        self._remember("create", wanted)
        return self.stands[-1]

    async def project(self, call: Call, name: str) -> ProjectShown:
        self._remember("project", name)
        return self.stands[min(self._looks, len(self.stands) - 1)]

    async def hand_out(
        self, call: Call, untrusted: Sequence[Mapping[str, Any]], project: str
    ) -> tuple[Handed, ...]:
        self._remember("hand out", list(untrusted), project)
        return tuple(Handed(id=f"t{number}", state="queued") for number, _ in enumerate(untrusted, 1))

    async def task(self, call: Call, task: str) -> TaskShown:
        self._remember("task", task)
        return self.shown[min(self._looks, len(self.shown) - 1)]

    async def find(self, call: Call, which: Which) -> TasksShown:
        self._remember("find", which)
        return TasksShown(tasks=tuple(self.shown), more="on")

    async def cancel(self, call: Call, task: str) -> TaskShown:
        self._remember("cancel", task)
        return self.shown[-1]

    async def retry(self, call: Call, task: str) -> TaskShown:
        self._remember("retry", task)
        return self.shown[-1]

    async def agents(self, call: Call) -> Crew:
        self._remember("agents")
        return CREW

    async def scale(self, call: Call, wanted: int) -> Crew:
        self._remember("scale", wanted)
        return CREW

    async def changed(self, seconds: float) -> None:
        self._looks += 1
