"""Builds what carries tasks out, from the settings: the store, the agents of this process, a manager."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from wand_proto.errors import Unavailable
from wand_server import live, minds, taskstore
from wand_server.model import Call, Principal, ToolDescription, ToolResult
from wand_server.offers import Tools
from wand_server.orchestrator.agents import Means
from wand_server.orchestrator.attempt import Clocks
from wand_server.orchestrator.carrying import Carrier
from wand_server.orchestrator.choosing import Ability
from wand_server.orchestrator.handing import Inbox
from wand_server.orchestrator.manager import Manager
from wand_server.orchestrator.pool import Habits, Pool
from wand_server.ports import TaskBus, TaskStore
from wand_server.settings import Agents, Settings

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 20.0
IsOver = Callable[[Principal], Awaitable[bool]]
Scale = Callable[[str, int], Awaitable[None]]


class Later:
    """Tools that are named later: some of them hand out work that calls them. Offers `offers.Tools`."""

    def __init__(self) -> None:
        self.tools: Tools | None = None

    def _all(self) -> Tools:
        if self.tools is None:
            raise Unavailable("the server has not begun yet")
        return self.tools

    def describe(self) -> tuple[ToolDescription, ...]:
        """Every tool."""
        return self._all().describe()

    def unlisted(self, name: str) -> ToolDescription | None:
        """The tool of that name, where it is in no list."""
        return self._all().unlisted(name)

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        """Run a tool."""
        return await self._all().call(name, arguments, call)


@dataclass(slots=True)
class Orchestra:
    """All of it; the tools, who is to be let go on, and how it is scaled are said before it is entered."""

    tasks: Manager
    pool: Pool
    tools: Later
    is_over: list[IsOver] = field(default_factory=list)
    scale: list[Scale] = field(default_factory=list)


async def build(read: Settings, parts: contextlib.AsyncExitStack, name: str = "agent") -> Orchestra:
    """The parts, on an open store; the agents begin when `playing` is entered.

    Raises:
        WandError: the store cannot be opened.
    """
    store, bus = await _opened(read, parts)
    tools, judges, scales = Later(), list[IsOver](), list[Scale]()

    async def is_over(principal: Principal) -> bool:
        return not judges or await judges[0](principal)

    async def scale(by: str, count: int) -> None:
        if not scales:
            raise Unavailable("agents cannot be scaled here")
        await scales[0](by, count)

    model = await parts.enter_async_context(minds.opened(read))
    carrier = Carrier(store=store, tools=tools, model=model, budget=minds.budget(read))
    means = Means(
        store=store, work=carrier, is_over=is_over,
        clocks=Clocks(lease_seconds=read.agents.lease_seconds),
    )  # fmt: skip
    pool = Pool(means, bus, live.crew(read.agents), habits(read.agents, name))
    inbox = Inbox(tools=tools, has_model=model is not None)
    manager = Manager(store=store, bus=bus, inbox=inbox, pool=pool, scale_to=scale)
    return Orchestra(manager, pool, tools, judges, scales)


async def _opened(read: Settings, parts: contextlib.AsyncExitStack) -> tuple[TaskStore, TaskBus]:
    """The store; a database that is just starting, perhaps with this machine, is waited for."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return await parts.enter_async_context(taskstore.opened(read))
        except Unavailable as why:
            if read.tasks_file is not None or time.monotonic() > until:
                raise
            log.warning("tasks cannot be reached yet", extra={"why": why.message})
            await asyncio.sleep(1)


def habits(read: Agents, name: str) -> Habits:
    """How the settings want them looked after."""
    ability = Ability(capabilities=frozenset(read.capabilities), labels=frozenset(read.labels))
    return Habits(name=name, ability=ability, health_seconds=read.health_seconds)
