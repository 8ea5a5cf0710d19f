"""What every backend is: a Permit goes in, Events come out. Public: others may bring their own."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from wand_hostagent.model import Event, Exited, Input
from wand_hostagent.policy.model import Permit


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionResult:
    """A whole run at once, for whoever does not follow events."""

    stdout: bytes
    stderr: bytes
    exited: Exited


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


class ExecutionBackend(ABC):
    """A place where jobs run."""

    name: str

    @abstractmethod
    def run(self, permit: Permit) -> AsyncGenerator[Event, None]:
        """Start the permitted job and follow it: one Started, any Outputs, one Exited.

        Closing the iterator early ends the job and its whole process tree, unless it was detached.

        Raises:
            NotFound: there is no such program or directory.
            Denied: the system does not let it start.
            Exhausted: a ceiling is reached.
            Unavailable: the backend cannot be reached; nothing was started.
        """

    def input_of(self, job: str) -> JobInput | None:  # noqa: ARG002 - a backend may have none
        """How a running job is given something to read; None where it cannot be."""
        return None

    @abstractmethod
    async def signal(self, job: str, signal: int) -> bool:
        """Send a signal to the job's processes; False where it has ended."""
