"""What every backend does alike, as a table: for our tests, and for those of packages that bring a backend.

    @pytest.mark.parametrize("one", BEHAVIOURS, ids=lambda one: one.name)
    async def test_it_behaves(one: Behaviour) -> None:
        assert await wrongs(backend, one, permit) == []

`permit` makes a Permit of a Job, as the policy would. The backend has a POSIX shell with the usual tools and
a folder /tmp, and lets a caller set the variables `W_*`.
"""

import asyncio
import os
import re
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from wand_hostagent.backends.base import ExecutionBackend
from wand_hostagent.model import Event, Exited, Input, Job, Limits, Output, Reason, Started
from wand_hostagent.policy.model import Permit
from wand_proto.errors import WandError

PATIENCE_SECONDS = 60.0
LEFT_SECONDS = 10.0  # in which nothing of a job that has ended is left
EXITED = Reason.EXITED
Permits = Callable[[Job], Permit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """A job, what is done while it runs, and what has to come of it."""

    name: str
    text: str = ""  # for a shell
    argv: tuple[str, ...] = ()
    parts: dict[str, Any] = field(default_factory=dict)  # of the job
    wall_seconds: float = 45.0
    output_bytes: int | None = None
    reason: Reason = EXITED
    code: tuple[int, ...] = (0,)
    signal: int = 0
    stdout: bytes | re.Pattern[bytes] | None = b""
    stderr: bytes | re.Pattern[bytes] | None = b""
    or_error: type[WandError] | None = None  # that may be raised instead
    acts: "Callable[[Running], Coroutine[Any, Any, None]] | None" = None
    leaves_nothing: str = ""  # of which no process is left: a word of its command line

    def job(self) -> Job:
        """The job, with an id of its own."""
        words = (self.text,) if self.text else self.argv
        return Job(id=f"c{os.urandom(6).hex()}", argv=words, shell=bool(self.text), **self.parts)


class Running:
    """A job of the table while it runs."""

    def __init__(self, backend: ExecutionBackend, job: Job) -> None:
        self.backend = backend
        self.job = job
        self.events: list[Event] = []
        self.cancel = asyncio.Event()
        self.wrong: list[str] = []
        self._news = asyncio.Condition()

    async def take(self, event: Event) -> None:
        """One more event."""
        async with self._news:
            self.events.append(event)
            self._news.notify_all()

    def text(self, stream: str) -> bytes:
        """What it has written to a stream."""
        return b"".join(one.data for one in self.events if isinstance(one, Output) and one.stream == stream)

    async def until(self, holds: Callable[[bytes], bool]) -> None:
        """Wait until what it wrote to stdout is so."""
        async with self._news:
            await self._news.wait_for(lambda: holds(self.text("stdout")))

    def give(self, **given: Any) -> None:
        """Give it something to read."""
        taking = self.backend.input_of(self.job.id)
        assert taking is not None, "it has no input"
        taking.check(Input(**given))
        taking.give(Input(**given))


async def wrongs(backend: ExecutionBackend, one: Behaviour, permit: Permits) -> list[str]:
    """What differs from what has to come; nothing where the backend behaves."""
    running = Running(backend, one.job())
    limits = Limits(wall_seconds=one.wall_seconds, output_bytes=one.output_bytes)
    permitted = replace(permit(running.job), limits=limits)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _run(running, permitted, one)
    except WandError as error:
        return (
            [] if one.or_error and isinstance(error, one.or_error) else [f"{type(error).__name__}: {error}"]
        )
    except ExceptionGroup as several:
        return [f"{type(error).__name__}: {error}" for error in several.exceptions]
    except TimeoutError:
        return [f"no end within {PATIENCE_SECONDS:g} s; stdout so far: {running.text('stdout')[:200]!r}"]
    found = [*running.wrong, *([] if running.cancel.is_set() else _judged(running, one))]
    if one.leaves_nothing and await _is_left(backend, one.leaves_nothing, permit):
        found.append(f"{one.leaves_nothing!r} is left running")
    return found


async def _run(running: Running, permit: Permit, one: Behaviour) -> None:
    if one.acts is None:
        return await _follow(running, permit)
    async with asyncio.TaskGroup() as tasks:
        follow = tasks.create_task(_follow(running, permit))
        tasks.create_task(one.acts(running))
        cancel = tasks.create_task(running.cancel.wait())
        await asyncio.wait({follow, cancel}, return_when=asyncio.FIRST_COMPLETED)
        follow.cancel()
        cancel.cancel()
    return None


async def _follow(running: Running, permit: Permit) -> None:
    async with aclosing(running.backend.run(permit)) as events:
        async for event in events:
            await running.take(event)


def _judged(running: Running, one: Behaviour) -> list[str]:
    began, ended = running.events[0], running.events[-1]
    if not isinstance(began, Started) or not isinstance(ended, Exited):
        return [f"the first event is {began!r:.80} and the last {ended!r:.80}"]
    right = (one.reason, one.signal) if one.signal else (one.reason, ended.signal)
    found = [f"ended with {ended}"] if (ended.reason, ended.signal) != right else []
    if ended.reason is EXITED and ended.exit_code not in one.code:
        found.append(f"exit code {ended.exit_code}, not {one.code}; {running.text('stderr')[:200]!r}")
    if (began.job, began.backend, ended.job) != (running.job.id, running.backend.name, running.job.id):
        found.append(f"it is called otherwise: {began}")
    return [*found, *_streams(running, one, ended)]


def _streams(running: Running, one: Behaviour, ended: Exited) -> list[str]:
    found = []
    for stream, wanted, counted in (
        ("stdout", one.stdout, ended.stdout_bytes),
        ("stderr", one.stderr, ended.stderr_bytes),
    ):
        got, at = running.text(stream), 0
        if isinstance(wanted, bytes) and got != wanted:
            found.append(f"{stream} is {got[:200]!r} ({len(got)} bytes), not {wanted[:200]!r}")
        if isinstance(wanted, re.Pattern) and not wanted.fullmatch(got):
            found.append(f"{stream} is {got[:200]!r}, not {wanted.pattern!r}")
        if counted != len(got):
            found.append(f"{stream} has {len(got)} bytes, and {counted} were counted")
        for output in (event for event in running.events if isinstance(event, Output)):
            if output.stream == stream:
                found += [f"{stream} goes on at {output.offset}, not {at}"] if output.offset != at else []
                at = output.offset + len(output.data)
    return found


async def _is_left(backend: ExecutionBackend, word: str, permit: Permits) -> bool:
    """Whether a process of that command line runs on, after a while."""
    pattern = f"[{word[0]}]{word[1:]}"
    look = Behaviour(name="look", text=f"grep -l -- '{pattern}' /proc/[0-9]*/cmdline 2>/dev/null | head -n 1")
    deadline = asyncio.get_running_loop().time() + LEFT_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        looking = Running(backend, look.job())
        await _follow(looking, replace(permit(looking.job), limits=Limits(wall_seconds=30)))
        if not looking.text("stdout"):
            return False
        await asyncio.sleep(0.2)
    return True
