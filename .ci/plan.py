"""What there is to run: stages, what they need, and which of them share the machine."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Need:
    """A program, or a file by its path; the packages that bring it; what is said where it is not there."""

    program: str
    packages: tuple[str, ...]
    without: str = ""

    @property
    def is_met(self) -> bool:
        return Path(self.program).exists() if "/" in self.program else shutil.which(self.program) is not None


def need(program: str, *packages: str, without: str = "") -> Need:
    """A need; the package has the program's name where none is given."""
    return Need(program, packages or (program,), without)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A command, the most that it may take, and what it needs of the machine."""

    name: str
    seconds: float
    command: str
    needs: tuple[Need, ...] = ()  # without one of these it is skipped
    wants: tuple[Need, ...] = ()
    after: tuple[str, ...] = ()  # stages that have to end before it begins, well or not
    is_roots: bool = False
    cores: float = 1  # while it runs beside others
    niceness: int = 0
    show: str = ""  # what begins so in its log is told; a regular expression

    def why_not(self) -> str:
        """Why it cannot run here, or nothing."""
        if self.is_roots and os.geteuid() != 0:
            return "not root"
        return ", ".join(f"no {each.program}" for each in self.needs if not each.is_met)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One after another, nothing else where one fails; then beside one another; then each alone."""

    first: tuple[Stage, ...] = ()
    beside: tuple[Stage, ...] = ()
    alone: tuple[Stage, ...] = ()
    installs: bool = False  # what is missing, with apt-get and as root

    def order(self) -> tuple[Stage, ...]:
        return (*self.first, *self.beside, *self.alone)

    def missing(self) -> Iterator[Need]:
        """What is not there of what can be used here."""
        for stage in self.order():
            if os.geteuid() == 0 or not stage.is_roots:
                yield from (each for each in (*stage.needs, *stage.wants) if not each.is_met)
