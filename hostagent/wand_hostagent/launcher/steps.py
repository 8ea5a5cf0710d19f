"""The order of the child's system calls, as a table: it can be printed, hashed and tested.

Whatever makes the child runs the table from top to bottom and stops at the first call that fails. The
printed form has names where a job has its own numbers and texts, so that equal boxes have equal hashes.
"""

import ctypes
import resource
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from wand_hostagent.launcher import confinement, syscalls, turns, vfork
from wand_hostagent.launcher.sha256 import hash_of
from wand_hostagent.launcher.step import Memory, Step, run, step
from wand_hostagent.launcher.terminal import Size, made
from wand_hostagent.launcher.users import User
from wand_hostagent.launcher.walls import Walls

_STREAMS = ("stdin", "stdout", "stderr")
_RESOURCE_NAMES = {
    getattr(resource, name): name
    for name in ("RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC")
}
# Open files limit also how many ends of terminals a user may have on their way, in all jobs together.
_OF_TERMINALS = frozenset({resource.RLIMIT_NOFILE})
_EVERY = 0xFFFFFFFF
_LAST = "execve(program, argv, environment)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """All that the table is made from."""

    program: bytes
    argv: Sequence[bytes]
    environment: Sequence[bytes]
    streams: tuple[int, ...]  # stdin, stdout, stderr; for a terminal, where its other end is sent
    terminal: Size | None = None
    directory: int
    directory_path: bytes  # the same in the job's own tree
    rlimits: Mapping[int, tuple[int, int]]
    user: User
    drop_capabilities: bool
    umask: int
    walls: Walls


class Body:
    """All steps but the last, and the memory that they point into: equal for many jobs of a profile.

    The first of them, `firm`, an init of the nursery has done already.
    """

    def __init__(self, command: Command) -> None:
        self._memory = Memory()
        self._walls = walls = command.walls
        drop = command.drop_capabilities
        self.firm = tuple(
            confinement.confine(walls, walls.ruleset_number, self._memory, drop_capabilities=drop)
        )
        early, late = tuple(self._early(command)), tuple(self._late(command))
        self.before_go = len(early)
        self._own = early + late
        self.steps = self.firm + self._own

    @cached_property
    def digest(self) -> str:
        """The hash of the printed table, that of the walls before it."""
        lines = (self._walls.digest, *(one.shown for one in self.steps), _LAST)
        return hash_of("\n".join(lines).encode())

    @cached_property
    def orders(self) -> vfork.Orders:
        """What is left of it for an init of vfork.py."""
        return vfork.Orders(self._own, self._memory, before_go=self.before_go)

    def place(self, told: int) -> int:
        """Which of the steps an init of the nursery means: it has the first done, and waits between two."""
        return len(self.firm) + told - (told > self.before_go)

    # -- the order ---------------------------------------------------------------------------------------

    def _early(self, command: Command) -> Iterator[Step]:
        """What nobody outside can notice: it may be done while the record is still on its way to the disk."""
        yield step("setsid")
        if command.terminal is None:
            for place, name in enumerate(_STREAMS):
                yield step("dup3", command.streams[place], place, 0, shown=f"{name}, {place}, 0")
        late = frozenset() if command.terminal is None else _OF_TERMINALS
        yield from self._limits(command, command.rlimits.keys() - late)
        if command.user.changes:
            yield from self._identity(command.user)
        if command.drop_capabilities:
            yield confinement.no_capabilities(self._memory)
        yield self._enter(command)  # as the user: it must be let in
        if command.terminal is None:
            yield from self._closed(command)

    def _late(self, command: Command) -> Iterator[Step]:
        if command.terminal is not None:  # as the user, whose it shall be
            yield from made(command.terminal, command.streams[0], self._memory)
            yield from self._limits(command, command.rlimits.keys() & _OF_TERMINALS)
            yield from self._closed(command)
        if turns.are_short():
            yield turns.as_others(self._memory)
        none = self._memory.numbers(0)
        yield step("rt_sigprocmask", signal.SIG_SETMASK, none, 0, 8, shown="SIG_SETMASK, none, 0, 8")

    def _closed(self, command: Command) -> Iterator[Step]:
        """What its parent and the program leave behind."""
        yield step("prctl", syscalls.PR_SET_PDEATHSIG, signal.SIGKILL, shown="PR_SET_PDEATHSIG, SIGKILL")
        yield step("close_range", 3, _EVERY, syscalls.CLOSE_RANGE_CLOEXEC, shown="3, ~0, CLOSE_RANGE_CLOEXEC")
        yield step("umask", command.umask, shown=f"{command.umask:#05o}")

    def _limits(self, command: Command, which: Iterable[int]) -> Iterator[Step]:
        for number in sorted(which):
            soft, hard = command.rlimits[number]
            pair, shown = self._memory.numbers(soft, hard), f"{{{soft}, {hard}}}"
            yield step("prlimit64", 0, number, pair, 0, shown=f"0, {_RESOURCE_NAMES[number]}, {shown}, 0")

    def _enter(self, command: Command) -> Step:
        """A descriptor from outside would keep a way out of the job's own tree, so there it is the path."""
        if command.walls.tree is None:
            return step("fchdir", command.directory, shown="directory")
        return step("chdir", self._memory.text(command.directory_path), shown="directory")

    def _identity(self, user: User) -> Iterator[Step]:
        groups = (ctypes.c_uint32 * len(user.groups))(*user.groups)
        listed = ", ".join(map(str, user.groups))
        yield step("setgroups", len(user.groups), self._memory.keep(groups), shown=f"{{{listed}}}")
        yield step("setresgid", user.gid, user.gid, user.gid)
        yield step("setresuid", user.uid, user.uid, user.uid)


class Table:
    """The steps of one job."""

    def __init__(self, command: Command, body: Body | None = None) -> None:
        self._command = command
        self._body = body or Body(command)
        self._memory = Memory()
        self.digest = self._body.digest

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        command, memory = self._command, self._memory
        words = memory.words(command.argv), memory.words(command.environment)
        last = step("execve", memory.text(command.program), *words, shown="program, argv, environment")
        return (*self._body.steps, last)

    def __str__(self) -> str:
        return "\n".join(one.shown for one in self.steps)

    def run(self) -> tuple[int, int]:
        """Become the command; what comes back is the step that failed and its errno."""
        return run(self.steps) or (len(self.steps), 0)
