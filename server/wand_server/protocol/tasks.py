"""Calls that run on after they were answered: tasks, each of one principal (SEP-2663)."""

import asyncio
import contextlib
import itertools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from mcp.shared.exceptions import MCPError

from wand_server.model import Principal
from wand_server.protocol.boundary import defect
from wand_server.protocol.failures import INVALID_PARAMS, ProtocolFailure

log = logging.getLogger(__name__)

Status = Literal["working", "input_required", "completed", "failed", "cancelled"]
FOLLOWS: Mapping[Status, frozenset[Status]] = {
    "working": frozenset({"input_required", "completed", "failed", "cancelled"}),
    "input_required": frozenset({"working", "completed", "failed", "cancelled"}),
    "completed": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}

PATIENCE_SECONDS = 2.0  # a call that ends sooner is answered as it is
KEPT_SECONDS = 3600.0  # after its end, and how long it waits for a client's answer
POLL_MS = 1000
CEILING = 256  # tasks at once, those that have ended among them
OF_ONE_CEILING = 32
MESSAGE_CHARACTERS = 1000

Changed = Callable[["Task"], None]
IsOver = Callable[[Principal], Awaitable[bool]]
"""Whether what a principal signed in by was taken back."""
Work = Callable[["Task"], Awaitable[dict[str, Any]]]
"""What runs: it may `tell` and `ask`, and gives the result of the call."""


class Task:
    """One call that may outlive its request, and how far it is."""

    def __init__(self, principal: Principal, tool: str, changed: Changed) -> None:
        self.id = secrets.token_urlsafe(24)
        self.principal = principal
        self.tool = tool
        self.status: Status = "working"
        self.message = ""
        self.wanted: dict[str, dict[str, Any]] = {}
        self.result: dict[str, Any] | None = None
        self.failure: ProtocolFailure | None = None
        self.is_kept = False  # whether it has outlived its request
        self.created = self.updated = datetime.now(UTC)
        self._began = time.monotonic()
        self._ended_after_seconds: float | None = None
        self._changed = changed
        self._given: dict[str, Any] = {}
        self._all_given: asyncio.Event = asyncio.Event()
        self._numbers = itertools.count(1)

    @property
    def is_over(self) -> bool:
        return not FOLLOWS[self.status]

    @property
    def ttl_ms(self) -> int:
        """How long after `created` it can be asked for at least; rises while it runs."""
        seconds = self._ended_after_seconds
        lasted = time.monotonic() - self._began if seconds is None else seconds
        return int((lasted + KEPT_SECONDS) * 1000)

    def tell(self, message: str) -> None:
        """Say how far it is."""
        if not self.is_over:
            self.message = message[-MESSAGE_CHARACTERS:]
            self._note()

    async def ask(self, requests: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Want something of the client, and wait for all of it; the answers stand under the same names.

        Raises:
            ProtocolFailure: the answers did not come in time.
        """
        number = next(self._numbers)  # a key is never used for a second question
        keys = {f"{number}-{name}": name for name in requests}
        self.wanted = {key: requests[name] for key, name in keys.items()}
        self._given = {}
        self._all_given.clear()
        self._become("input_required")
        try:
            async with asyncio.timeout(KEPT_SECONDS):
                await self._all_given.wait()
        except TimeoutError as late:
            raise ProtocolFailure(INVALID_PARAMS, "the client did not give what was asked for") from late
        return {name: self._given[key] for key, name in keys.items()}

    def give(self, responses: Mapping[str, Any]) -> None:
        """Take a client's answers; those that nobody asked for are dropped."""
        if self.status != "input_required":
            return
        for key in self.wanted.keys() & responses.keys():
            del self.wanted[key]
            self._given[key] = responses[key]
        if self.wanted:
            self._note()
            return
        self._become("working")
        self._all_given.set()

    def end(self, running: asyncio.Task[dict[str, Any]]) -> None:
        """Take over how the work ended."""
        self.wanted = {}
        self._ended_after_seconds = time.monotonic() - self._began
        if running.cancelled():
            self._become("cancelled")
        elif broken := running.exception():
            self.failure = _failure(broken)
            self._become("failed")
        else:
            self.result = running.result()
            self._become("completed")

    def _become(self, status: Status) -> None:
        if status not in FOLLOWS[self.status]:
            raise RuntimeError(f"a task cannot go from {self.status} to {status}")
        self.status = status
        self._note()

    def _note(self) -> None:
        self.updated = datetime.now(UTC)
        if self.is_kept:
            self._changed(self)


class Tasks:
    """The tasks that outlive their requests: so many, each for so long, and each for its owner alone."""

    def __init__(self, *, patience_seconds: float = PATIENCE_SECONDS, ceiling: int = CEILING) -> None:
        self._patience_seconds = patience_seconds
        self._ceiling = ceiling
        self._tasks: dict[str, Task] = {}
        self._running: dict[Task, asyncio.Task[dict[str, Any]]] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._listeners: list[Changed] = []

    @contextlib.contextmanager
    def listening(self, changed: Changed) -> Iterator[None]:
        """While entered, have every change of a task told."""
        self._listeners.append(changed)
        try:
            yield
        finally:
            self._listeners.remove(changed)

    async def call(self, principal: Principal, tool: str, work: Work) -> dict[str, Any] | Task:
        """The result where it comes soon, and where there is no room to keep a task; else the task.

        Until the task is handed out, cancelling this call cancels the work.
        """
        task = Task(principal, tool, self._tell)
        running = asyncio.ensure_future(work(task))
        try:
            await asyncio.wait({running}, timeout=self._patience_seconds)
            if running.done() or not self._has_room(principal):
                return await running
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait({running})
            raise
        self._keep(task, running)
        return task

    def find(self, principal: Principal, task_id: str) -> Task:
        """The task of that id, if it is the principal's.

        Raises:
            ProtocolFailure: there is no such task; somebody else's is none.
        """
        if not self.has(principal, task_id):
            raise ProtocolFailure(INVALID_PARAMS, "taskId: there is no such task, or its time is over")
        return self._tasks[task_id]

    def has(self, principal: Principal, task_id: str) -> bool:
        """Whether the principal has a task of that id, whose time is not over."""
        task = self._tasks.get(task_id)
        return task is not None and task.principal.identity == principal.identity

    def cancel(self, task: Task) -> None:
        """End the work; one that is over stays as it is."""
        running = self._running.get(task)
        if running is not None and not running.cancelling():  # a second time would cut its end short
            running.cancel()

    async def end_over(self, is_over: IsOver) -> None:
        """Cancel what runs under a sign-in that was taken back."""
        for task in list(self._running):
            if await is_over(task.principal):
                self.cancel(task)

    async def close(self) -> None:
        """Cancel all that runs."""
        running = list(self._running.values())
        for one in running:
            one.cancel()
        if running:
            await asyncio.wait(running)
        for expiry in self._expiries.values():
            expiry.cancel()

    def _has_room(self, principal: Principal) -> bool:
        of_one = sum(task.principal.identity == principal.identity for task in self._tasks.values())
        return len(self._tasks) < self._ceiling and of_one < OF_ONE_CEILING

    def _keep(self, task: Task, running: asyncio.Task[dict[str, Any]]) -> None:
        task.is_kept = True
        self._tasks[task.id], self._running[task] = task, running
        running.add_done_callback(lambda done: self._end(task, done))
        log.info("task begun", extra={"tool": task.tool, "principal": task.principal.name})

    def _end(self, task: Task, running: asyncio.Task[dict[str, Any]]) -> None:
        del self._running[task]
        expire = asyncio.get_running_loop().call_later
        self._expiries[task.id] = expire(KEPT_SECONDS, self._forget, task.id)
        task.end(running)
        log.info(
            "task ended", extra={"tool": task.tool, "principal": task.principal.name, "ended": task.status}
        )

    def _forget(self, task_id: str) -> None:
        del self._tasks[task_id], self._expiries[task_id]

    def _tell(self, task: Task) -> None:
        for changed in tuple(self._listeners):
            changed(task)


def _failure(broken: BaseException) -> ProtocolFailure:
    match broken:
        case ProtocolFailure():
            return broken
        case MCPError():
            return ProtocolFailure(broken.code, broken.message, data=broken.data)
        case Exception():
            return defect("tools/call", broken)
        case _:
            raise broken
