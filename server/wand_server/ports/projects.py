"""What a tool may ask of tasks, projects and agents: hand out, look, cancel, have done again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wand_server.model import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectWanted:
    """A project as somebody wants it."""

    name: str
    workspace: str = ""  # the folder in which its tasks begin
    budget_usd: float | None = None  # what all its goals together may cost


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskShown:
    """A task as one reads it."""

    id: str
    title: str
    project: str
    state: str
    agent: str = ""  # that has it now, or had it last
    attempt: int = 0
    done: float = 0.0  # of `total`, where that is known
    total: float | None = None
    message: str = ""  # how far it is, or why it ended so
    kind: str = ""  # of error, where it failed
    after: tuple[str, ...] = ()
    priority: int = 0
    created: float = 0.0  # in seconds of the Unix clock, as are the others
    updated: float = 0.0
    deadline: float | None = None
    result: Any = None
    is_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectShown:
    """A project at a glance."""

    name: str
    workspace: str
    budget_usd: float | None
    spent_usd: float
    counts: Mapping[str, int]  # tasks by their state
    over: int  # tasks that have ended
    is_over: bool  # whether none of them will change any more
    attention: tuple[TaskShown, ...] = ()  # that failed, are ambiguous or wait for a person
    running: tuple[TaskShown, ...] = ()
    created: float = 0.0
    lacks_folder: bool = False  # as far as is known when it is made


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentShown:
    """An agent as it is now."""

    name: str
    process: str  # on which host, in which process
    state: str  # idle, busy, sick, stopping, gone
    task: str = ""
    seen_seconds: float = 0.0  # since it last gave a sign of life
    finished: int = 0  # tasks, since it began
    labels: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """All agents, and how many this server keeps."""

    agents: tuple[AgentShown, ...]
    queued: int
    wanted: int
    bounds: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A task that is in the store now; `is_new` is false where its key was known already."""

    id: str
    state: str
    key: str = ""
    title: str = ""
    is_new: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which tasks are meant."""

    project: str = ""
    state: str = ""
    limit: int = 20
    after: str = ""  # what the page before said in `more`


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksShown:
    """Some tasks, the newest first; `more` asks for those that follow."""

    tasks: tuple[TaskShown, ...]
    more: str = ""


class Tasks(Protocol):
    """Work that is handed out, of whoever calls. Every method raises the family of `wand_proto.errors`."""

    async def create_project(self, call: Call, wanted: ProjectWanted) -> ProjectShown: ...

    async def project(self, call: Call, name: str) -> ProjectShown: ...

    async def hand_out(
        self, call: Call, untrusted: Sequence[Mapping[str, Any]], project: str
    ) -> tuple[Handed, ...]:
        """Hand out those tasks, all of them or none; each is checked before."""
        ...

    async def task(self, call: Call, task: str) -> TaskShown: ...

    async def find(self, call: Call, which: Which) -> TasksShown: ...

    async def cancel(self, call: Call, task: str) -> TaskShown: ...

    async def retry(self, call: Call, task: str) -> TaskShown: ...

    async def agents(self, call: Call) -> Crew: ...

    async def scale(self, call: Call, wanted: int) -> Crew:
        """Keep so many agents in this server, until it is restarted or told again."""
        ...

    async def changed(self, seconds: float) -> None:
        """Wait until something may have changed, at most so long."""
        ...
