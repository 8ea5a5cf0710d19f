"""Tasks, projects and agents as resources, which can be watched."""

import json
from dataclasses import asdict
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urlsplit

from wand_proto.errors import NotFound
from wand_server.model import Call, ResourceContent, ResourceDescription, ResourceState
from wand_server.ports.projects import Tasks
from wand_server.tools.resources import Room

_JSON = "application/json"
_OF_TASKS = (
    ResourceDescription(
        uri="wand://tasks/{id}", name="task", title="A task", mime_type=_JSON, is_template=True,
        description="How far a task is, and what came of it; distribute_task tells its id.",
    ),
)  # fmt: skip
_OF_PROJECTS = (
    ResourceDescription(
        uri="wand://projects/{id}", name="project", title="A project", mime_type=_JSON, is_template=True,
        description="How the tasks of a project stand; by its name or id.",
    ),
)  # fmt: skip
_OF_AGENTS = (
    ResourceDescription(
        uri="wand://agents", name="agents", title="The agents", mime_type=_JSON,
        description="Which agents there are, what each does, and how many tasks wait.",
    ),
)  # fmt: skip


class TaskRoom:
    """The tasks of whoever reads; offers `resources.Room`."""

    described = _OF_TASKS

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def read(self, uri: str, offset: int, call: Call) -> ResourceContent:  # noqa: ARG002 - it is small
        """One task."""
        return _content(uri, asdict(await self._tasks.task(call, _named(uri))))

    async def state(self, uri: str, call: Call) -> ResourceState:
        """What of it can change."""
        shown = await self._tasks.task(call, _named(uri))
        return ResourceState(mark=_mark(asdict(shown)))


class ProjectRoom:
    """The projects of whoever reads; offers `resources.Room`."""

    described = _OF_PROJECTS

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def read(self, uri: str, offset: int, call: Call) -> ResourceContent:  # noqa: ARG002 - it is small
        """One project."""
        return _content(uri, asdict(await self._tasks.project(call, _named(uri))))

    async def state(self, uri: str, call: Call) -> ResourceState:
        """What of it can change."""
        return ResourceState(mark=_mark(asdict(await self._tasks.project(call, _named(uri)))))


class AgentRoom:
    """All agents; offers `resources.Room`."""

    described = _OF_AGENTS

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def read(self, uri: str, offset: int, call: Call) -> ResourceContent:  # noqa: ARG002 - it is small
        """All of them."""
        _need_bare(uri)
        return _content(uri, asdict(await self._tasks.agents(call)))

    async def state(self, uri: str, call: Call) -> ResourceState:
        """Who there is, and what each does."""
        _need_bare(uri)
        crew = await self._tasks.agents(call)
        return ResourceState(mark=_mark([(one.name, one.state, one.task) for one in crew.agents]))


def rooms(tasks: Tasks) -> dict[str, Room]:
    """The resources, bound to the task manager."""
    return {"tasks": TaskRoom(tasks), "projects": ProjectRoom(tasks), "agents": AgentRoom(tasks)}


def _named(uri: str) -> str:
    return unquote(urlsplit(uri).path.removeprefix("/"))


def _need_bare(uri: str) -> None:
    if urlsplit(uri).path:
        raise NotFound(f"there is no resource {uri[:200]!r}", hint="there is wand://agents", field="uri")


def _content(uri: str, told: Any) -> ResourceContent:
    text = json.dumps(told, ensure_ascii=False)
    return ResourceContent(uri=uri, mime_type=_JSON, data=text.encode(errors="replace"))


def _mark(told: Any) -> str:
    return sha256(json.dumps(told, sort_keys=True, default=str).encode(errors="replace")).hexdigest()
