"""The two ports of tasks: `TaskStore`, the truth, and `TaskBus`, which wakes those who wait.

A task is started at least once and recorded exactly once; an outcome that cannot be known is *ambiguous*, and
says so (docs/explanation/tasks.md). What a method has said is durable. Any of them may raise Unavailable.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from wand_server.lifecycle import TaskState
from wand_server.ports.taskvalues import (
    AgentRecord,
    Checkpoint,
    Claimed,
    Hold,
    Json,
    Lease,
    NewProject,
    News,
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
    Wake,
)


class TaskStore(Protocol):
    """The truth about tasks, projects and agents; several processes may have the same one open.

    Every change is told to the bus once it is durable.
    """

    # Handing in ---------------------------------------------------------------------------------------------

    async def submit(self, tasks: Sequence[NewTask]) -> tuple[Submitted, ...]:
        """Keep these tasks: all of them, or none. They may depend on one another, in no circle.

        Raises:
            Invalid: a field is wrong, or dependencies go round in a circle; `field` names it.
            NotFound: a parent, a project or a task that one depends on does not exist.
            Conflict: a key is known with other work, an id is taken, or what one depends on has failed.
            Exhausted: children of children, too deep.
        """
        ...

    # Working ------------------------------------------------------------------------------------------------

    async def claim(
        self, agent: str, capabilities: frozenset[str], lease_seconds: float, *, task: str = ""
    ) -> Claimed | None:
        """The next task for an agent that can do so much, its lease begun; of that id where one is given.

        The highest priority first; within it principals take turns, each with what has waited longest. None:
        there is nothing to do now.
        """
        ...

    async def renew(self, lease: Lease, lease_seconds: float, progress: TaskProgress | None = None) -> Hold:
        """Hold a task for so much longer from now."""
        ...

    async def checkpoint(self, lease: Lease, checkpoint: Checkpoint) -> Hold:
        """Record that steps have ended and that others begin; a step's effect comes only after HELD."""
        ...

    async def transcribe(self, lease: Lease, entries: Sequence[tuple[str, Json]]) -> Hold:
        """Add to the transcript: pairs of kind and content."""
        ...

    async def finish(self, lease: Lease, outcome: Outcome) -> TaskState | None:
        """End an attempt; where the task went, None where the lease was lost and nothing was recorded.

        A failure while a step is open that must not be done twice is ambiguous, whatever the outcome says.
        """
        ...

    async def retry_at(self, lease: Lease, run_at: float, error: TaskError | None = None) -> TaskState | None:
        """Give a task back, to be run again at that time; it ends otherwise where a step is in doubt, the
        attempts are used up, or the deadline would have passed. None where the lease was lost.
        """
        ...

    # Looking after ------------------------------------------------------------------------------------------

    async def cancel(self, task: str, reason: str = "") -> tuple[str, ...]:
        """Cancel a task and its children: at once what does not run; what runs is asked to, which its agent
        sees at its next word. The ids of those that had not ended.

        Raises:
            NotFound: there is no such task.
        """
        ...

    async def retry(self, task: str) -> Task:
        """Try a task again that has ended badly, with new attempts; steps that ended are not done again, and
        one that was in doubt is. What failed because it depended on this one waits for it again.

        Raises:
            NotFound: there is no such task.
            Conflict: it has not ended, or is done.
        """
        ...

    async def settle(self, task: str, *, done: bool, result: Json = None, note: str = "") -> Task:
        """Say how an ambiguous task had ended, after somebody looked.

        Raises:
            NotFound: there is no such task.
            Conflict: it is not ambiguous.
        """
        ...

    async def sweep(self) -> Swept:
        """Take back what dead agents held, fail what is overdue, remove what was kept long enough. It is
        bounded: there may be more to do at once. Any process may, at any time.
        """
        ...

    # Reading ------------------------------------------------------------------------------------------------

    async def get(self, task: str) -> Task:
        """Raises NotFound where there is no such task, or no longer."""
        ...

    async def list(self, wanted: TaskFilter, *, limit: int = 50, cursor: str = "") -> TaskPage:
        """Raises Invalid where the cursor is none of ours."""
        ...

    async def steps(self, task: str) -> tuple[Step, ...]:
        """In the order in which they first began; none where there is no such task."""
        ...

    async def transcript(self, task: str, *, after: int = 0, limit: int = 200) -> tuple[TranscriptEntry, ...]:
        """The entries whose number is above `after`, the oldest first."""
        ...

    async def counts(self, wanted: TaskFilter | None = None) -> Mapping[TaskState, int]:
        """How many tasks are in each state; every state is named."""
        ...

    # Projects -----------------------------------------------------------------------------------------------

    async def create_project(self, project: NewProject) -> Project:
        """Raises Conflict where the principal has one of that name."""
        ...

    async def project(self, project: str) -> Project:
        """The project of that id; raises NotFound."""
        ...

    async def projects(self, identity: tuple[str, str, str] | None = None) -> tuple[Project, ...]:
        """All, or those of one principal, by name."""
        ...

    # Agents -------------------------------------------------------------------------------------------------

    async def register(self, agent: Registration) -> None:
        """An agent has joined, and is idle."""
        ...

    async def beat(self, agent: str, state: str, task: str = "") -> bool:
        """An agent lives; False where it is not registered (any more) and has to join again."""
        ...

    async def leave(self, agent: str) -> None:
        """An agent is no more; what it holds runs out by its lease."""
        ...

    async def agents(self) -> tuple[AgentRecord, ...]:
        """All that joined and did not leave, by name; whether they live, `seen` tells."""
        ...

    async def close(self) -> None:
        """End every use of it."""
        ...


class TaskBus(Protocol):
    """Wakes those who wait. One that is lost is repaired by sweeping, a needless one by claiming in vain."""

    async def publish(self, wakes: Sequence[Wake]) -> None:
        """Tell the others; never raises for what they do, nor where nobody can be reached."""
        ...

    def listen(
        self, news: frozenset[News], capabilities: frozenset[str] | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Wake]]:
        """What is told from now on; of READY only what these capabilities can do (None: everything).

        An iterator that is not read keeps the newest, and forgets the oldest. It ends when the bus is closed.
        """
        ...

    async def close(self) -> None:
        """End every use of it."""
        ...
