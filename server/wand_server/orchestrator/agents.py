"""One agent: it carries out one task at a time, under the authority of who handed it out."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from wand_server.orchestrator import authority
from wand_server.orchestrator.attempt import Attempt, Clocks, Hanging
from wand_server.orchestrator.authority import IsOver
from wand_server.orchestrator.choosing import Ability, AgentState, Candidate
from wand_server.ports import Claimed, Outcome, TaskStore

log = logging.getLogger(__name__)

Work = Callable[[str, Attempt], Awaitable[Outcome]]
"""Carries out what was claimed, as the agent of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every agent of a process shares."""

    store: TaskStore
    work: Work
    is_over: IsOver
    clocks: Clocks = field(default_factory=Clocks)


@dataclass(slots=True, eq=False)
class Agent:
    """Idle until it is given a task; `freed` is called when it can take another, or never will."""

    name: str
    ability: Ability
    means: Means
    freed: Callable[["Agent"], None]
    state: AgentState = AgentState.IDLE
    finished: int = 0
    _attempt: Attempt | None = None
    _running: "asyncio.Task[None] | None" = None

    @property
    def task(self) -> str:
        """The id of the task that it has."""
        return self._attempt.claimed.task.id if self._attempt else ""

    @property
    def as_candidate(self) -> Candidate:
        return Candidate(name=self.name, state=self.state, ability=self.ability)

    @property
    def is_free(self) -> bool:
        """Whether it has nothing to do."""
        return self._running is None or self._running.done()

    def begin(self, claimed: Claimed) -> None:
        """Carry out a task that was claimed in its name."""
        self.state = AgentState.BUSY if self.state is AgentState.IDLE else self.state
        self._attempt = Attempt(self.means.store, claimed, self.means.clocks)
        self._running = asyncio.create_task(self._carry_out(self._attempt), name=self.name)

    def look(self, task: str) -> None:
        """Where it has that task, have it ask at once whether it may go on."""
        if self._attempt is not None and self.task == task:
            self._attempt.look()

    def stop(self) -> None:
        """Take nothing more; what it has it may end."""
        if self.state is not AgentState.SICK:
            self.state = AgentState.STOPPING

    def give_back(self) -> None:
        """Stop what it does, and let another go on with it."""
        if self._attempt is not None:
            self._attempt.give_back()

    async def ended(self) -> None:
        """Wait until it has nothing to do."""
        if self._running is not None:
            await asyncio.wait({self._running})

    async def end(self) -> None:
        """End it, whatever it does: its lease runs out, and another agent goes on."""
        if self._running is not None and not self._running.done():
            self._running.cancel()
            await asyncio.wait({self._running}, timeout=self.means.clocks.stop_seconds)

    async def _carry_out(self, attempt: Attempt) -> None:
        task = attempt.claimed.task
        told = {
            "agent": self.name,
            "task": task.id,
            "attempt": task.attempt,
            "principal": task.principal.name,
        }
        log.info("task begun", extra=told)
        try:
            state = await attempt.carry_out(self._work(attempt), lambda: self._check(attempt))
            log.info("task ended", extra={**told, "ended": state or "lost"})
            self.finished += 1
        except Hanging:
            log.error("agent hangs", extra=told)  # noqa: TRY400 - nothing broke, and what runs goes on running
            self.state = AgentState.SICK
        except Exception:  # the top of this task: its lease runs out, and another agent goes on
            log.exception("agent broke", extra=told)
        finally:
            self._attempt = None
            if self.state is AgentState.BUSY:
                self.state = AgentState.IDLE
            self.freed(self)

    async def _work(self, attempt: Attempt) -> Outcome:
        await self._check(attempt)
        return await self.means.work(self.name, attempt)

    async def _check(self, attempt: Attempt) -> None:
        await authority.check(attempt.claimed.task.principal, self.means.is_over)
