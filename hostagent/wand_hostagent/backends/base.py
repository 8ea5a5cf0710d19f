"""What every backend is: a Permit goes in, Events come out. Public: others may bring their own.

A package adds backends by an entry point of the group `wand_hostagent.backends`, which names a
`BackendKind`; docs/how-to/add-a-backend.md shows one. A backend decides nothing and records nothing: what it
is handed has been permitted, and is on record before its `run` begins.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from wand_hostagent.model import Event, Exited, Input, Limits, Output, Started
from wand_hostagent.policy.model import Permit

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionResult:
    """A whole run at once, for whoever does not follow events."""

    stdout: bytes
    stderr: bytes
    exited: Exited


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether jobs can be run there now, and why not, or what answers there."""

    up: bool
    detail: str = ""


class JobInput(ABC):
    """How one running job is given something to read."""

    is_terminal: bool

    @abstractmethod
    def check(self, given: Input) -> None:
        """See that it could be given now.

        Raises:
            Conflict: its input has ended, or it has no terminal.
            Exhausted: it has left too much unread.
        """

    @abstractmethod
    def give(self, given: Input) -> None:
        """Give it what has been checked; what it has no room for waits until it reads."""

    @abstractmethod
    def let_go(self) -> None:
        """The job has ended."""

    @abstractmethod
    def close(self) -> None:
        """Give up what the job has not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A job that an earlier host agent has left, and what is known of it."""

    job: str
    backend: str
    mark: str = ""  # by which its backend finds it again; empty: it is not to be followed
    told: bool = False  # its end is on record; what may be left of it is only to be ended
    principal: str = ""
    argv: tuple[str, ...] = ()
    rule: str = ""
    profile: str = ""
    limits: Limits = field(default_factory=Limits)
    directory: str = ""
    is_terminal: bool = False
    began_unix_seconds: float = 0.0

    def started(self) -> Started:
        """The event that told of it."""
        return Started(
            job=self.job,
            backend=self.backend,
            profile=self.profile,
            rule=self.rule,
            limits=self.limits,
            directory=self.directory,
        )


class ExecutionBackend(ABC):
    """A place where jobs run. Its name is that of its kind, or `KIND:PLACE` where a kind has several."""

    name: str
    labels: Mapping[str, str] = MappingProxyType({})  # by which it can be chosen, instead of by its name
    networks: frozenset[str] = frozenset()  # that a rule may demand, and in which it holds jobs

    @abstractmethod
    def run(self, permit: Permit) -> AsyncGenerator[Event, None]:
        """Start the permitted job and follow it: one Started, any Outputs, one Exited.

        Closing the iterator early ends the job and its whole process tree, unless it was detached and the
        backend can find it again. Where a link breaks in mid-job, the job's end is Reason.LOST.

        Raises:
            NotFound: there is no such program or directory.
            Denied: the system does not let it start.
            Exhausted: a ceiling is reached.
            Invalid: this backend cannot do what is asked; the field is named.
            Unavailable: the backend cannot be reached; nothing was started, so another may be tried.
            Ambiguous: the link broke, and whether it was started cannot be known.
        """

    def input_of(self, job: str) -> JobInput | None:  # noqa: ARG002 - a backend may have none
        """How a running job is given something to read; None where it cannot be."""
        return None

    def let_go(self, job: str) -> None:  # noqa: B027 - most backends have nothing to do
        """Have a running job be detached from now on, where the backend can find it again."""

    @abstractmethod
    async def signal(self, job: str, signal: int) -> bool:
        """Send a signal to the job's processes; False where it has ended."""

    async def health(self) -> Health:
        """Whether jobs can be run now; it starts nothing, and answers within seconds."""
        return Health(up=True)

    # -- where a host agent has died, and another one has begun ---------------------------------------------

    def mark_of(self, job: str) -> str:  # noqa: ARG002 - most cannot
        """By which a later host agent finds a running, detached job again; empty where none could."""
        return ""

    def follow_again(self, left: Left) -> AsyncGenerator[Event, None]:
        """The events of such a job: one Started, all Outputs from the first on, one Exited; as `run`.

        Raises:
            WandError: it cannot be followed, and nobody knows how it ends.
        """
        raise NotImplementedError(f"{self.name} has left {left.job} no mark")

    async def sweep(self, lost: Collection[str], kept: Collection[str]) -> None:  # noqa: B027 - most need not
        """End what an earlier host agent has left here of the `lost` jobs, and of any but the `kept` ones."""

    def tidying(self, job: str) -> "asyncio.Future[None] | None":  # noqa: ARG002 - most need not
        """Done when nothing is left here of a job that is over; None where nothing can be.

        Where it is cancelled, or we are killed before, a later host agent is told to sweep the job.
        """
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a kind is handed beside its own settings."""

    name: str  # under which the settings name the kind; the names of its backends begin with it
    folder: Path  # of the settings file: where relative paths begin


class BackendKind(ABC, Generic[S]):
    """Backends of one kind, as a table `[backends.NAME]` of the settings describes them."""

    settings: type[S]  # a frozen dataclass; an unknown key, or a value of another type, stops the start

    @abstractmethod
    def open(
        self, settings: S, around: Surroundings
    ) -> AbstractAsyncContextManager[Sequence[ExecutionBackend]]:
        """The backends, one for each place, while entered; what an earlier host agent left is swept first.

        A place that cannot be reached is no reason to fail: its `health` and its `run` say so.

        Raises:
            Invalid: a setting cannot be meant; the field is named.
        """


AnyKind = BackendKind[Any]


async def whole(backend: ExecutionBackend, permit: Permit) -> ExecutionResult:
    """Run a permitted job to its end, and have all of what it wrote."""
    written: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    exited: Exited | None = None
    async for event in backend.run(permit):
        if isinstance(event, Exited):
            exited = event
        elif isinstance(event, Output):
            written[event.stream].append(event.data)
    assert exited is not None
    return ExecutionResult(
        stdout=b"".join(written["stdout"]), stderr=b"".join(written["stderr"]), exited=exited
    )
