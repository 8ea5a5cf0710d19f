"""What every backend is: a Permit goes in, Events come out. Public: others may bring their own."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from wand_hostagent.model import Event, Exited
from wand_hostagent.policy.model import Permit


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionResult:
    """A whole run at once, for whoever does not follow events."""

    stdout: bytes
    stderr: bytes
    exited: Exited


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

    @abstractmethod
    async def signal(self, job: str, signal: int) -> bool:
        """Send a signal to the job's processes; False where it has ended."""
