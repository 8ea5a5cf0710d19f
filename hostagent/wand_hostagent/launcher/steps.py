"""The order of the child's system calls, as a table: it can be printed, hashed and tested.

Whatever makes the child runs the table from top to bottom and stops at the first call that fails. The
printed form has names where a job has its own numbers and texts, so that equal boxes have equal hashes.
"""

import ctypes
import hashlib
import resource
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wand_hostagent.launcher import syscalls
from wand_hostagent.launcher.users import User

_STREAMS = ("stdin", "stdout", "stderr")
_RESOURCE_NAMES = {
    getattr(resource, name): name
    for name in ("RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC")
}
_CAPABILITY_VERSION_3 = 0x20080522
_CLOSE_RANGE_CLOEXEC = 4
_EVERY = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Step:
    """One system call; `shown` is what stands in the printed table."""

    name: str
    number: int
    arguments: tuple[int, ...]
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """All that the table is made from."""

    program: bytes
    argv: Sequence[bytes]
    environment: Sequence[bytes]
    streams: tuple[int, int, int]
    directory: int
    rlimits: Mapping[int, tuple[int, int]]
    user: User
    drop_capabilities: bool
    umask: int


class Table:
    """The steps, and the memory that they point into."""

    def __init__(self, command: Command) -> None:
        self._kept: list[object] = []
        self.steps = tuple(self._steps(command))

    def __str__(self) -> str:
        return "\n".join(step.shown for step in self.steps)

    @property
    def digest(self) -> str:
        """The hash of the printed form."""
        return hashlib.sha256(str(self).encode()).hexdigest()

    def run(self) -> tuple[int, int]:
        """Become the command; what comes back is the step that failed and its errno."""
        for index, step in enumerate(self.steps):
            try:
                syscalls.raw(step.number, step.arguments)
            except OSError as error:
                return index, error.errno or 0
        return len(self.steps), 0

    # -- the order ---------------------------------------------------------------------------------------

    def _steps(self, command: Command) -> Iterator[Step]:
        yield _step("setsid")
        for place, name in enumerate(_STREAMS):
            yield _step("dup3", command.streams[place], place, 0, shown=f"{name}, {place}, 0")
        for number, (soft, hard) in sorted(command.rlimits.items()):
            pair = self._numbers(soft, hard)
            yield _step(
                "prlimit64", 0, number, pair, 0, shown=f"0, {_RESOURCE_NAMES[number]}, {{{soft}, {hard}}}, 0"
            )
        if command.drop_capabilities:
            yield from _bounding_set()
        if command.user.changes:
            yield from self._identity(command.user)
        if command.drop_capabilities:
            yield from self._no_capabilities()
        yield _step("fchdir", command.directory, shown="directory")  # as the user: it must be let in
        yield _step("prctl", syscalls.PR_SET_PDEATHSIG, signal.SIGKILL, shown="PR_SET_PDEATHSIG, SIGKILL")
        yield _step("prctl", syscalls.PR_SET_NO_NEW_PRIVS, 1, shown="PR_SET_NO_NEW_PRIVS, 1")
        yield _step("close_range", 3, _EVERY, _CLOSE_RANGE_CLOEXEC, shown="3, ~0, CLOSE_RANGE_CLOEXEC")
        yield _step("umask", command.umask, shown=f"{command.umask:#05o}")
        yield from self._signals()
        texts = (command.program, command.argv, command.environment)
        yield _step(
            "execve", self._text(texts[0]), self._words(texts[1]), self._words(texts[2]),
            shown="program, argv, environment",
        )  # fmt: skip

    def _identity(self, user: User) -> Iterator[Step]:
        groups = (ctypes.c_uint32 * len(user.groups))(*user.groups)
        listed = ", ".join(map(str, user.groups))
        yield _step("setgroups", len(user.groups), self._keep(groups), shown=f"{{{listed}}}")
        yield _step("setresgid", user.gid, user.gid, user.gid)
        yield _step("setresuid", user.uid, user.uid, user.uid)

    def _no_capabilities(self) -> Iterator[Step]:
        clear = (syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
        yield _step("prctl", *clear, shown="PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL")
        header = self._numbers(_CAPABILITY_VERSION_3, 0)
        yield _step("capset", header, self._numbers(0, 0, 0), shown="{_LINUX_CAPABILITY_VERSION_3, 0}, none")

    def _signals(self) -> Iterator[Step]:
        default = self._numbers(0, 0, 0, 0)
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these two
            yield _step("rt_sigaction", ignored, default, 0, 8, shown=f"{ignored.name}, SIG_DFL, 0, 8")
        yield _step("rt_sigprocmask", signal.SIG_SETMASK, default, 0, 8, shown="SIG_SETMASK, none, 0, 8")

    # -- memory that lives as long as the table ----------------------------------------------------------

    def _keep(self, memory: ctypes.Array[ctypes.c_uint32] | ctypes.Array[ctypes.c_uint64]) -> int:
        self._kept.append(memory)
        return ctypes.addressof(memory)

    def _numbers(self, *numbers: int) -> int:
        return self._keep((ctypes.c_uint64 * len(numbers))(*(number % 2**64 for number in numbers)))

    def _text(self, text: bytes) -> int:
        buffer = ctypes.create_string_buffer(text)
        self._kept.append(buffer)
        return ctypes.addressof(buffer)

    def _words(self, words: Sequence[bytes]) -> int:
        return self._numbers(*map(self._text, words), 0)


def _step(name: str, *arguments: int, shown: str = "") -> Step:
    text = shown or ", ".join(map(str, arguments))
    return Step(name, syscalls.NUMBERS[name], tuple(map(int, arguments)), f"{name}({text})")


def _bounding_set() -> Iterator[Step]:
    for capability in range(last_capability() + 1):
        yield _step("prctl", syscalls.PR_CAPBSET_DROP, capability, shown=f"PR_CAPBSET_DROP, {capability}")


def last_capability() -> int:
    """The highest capability that this kernel knows."""
    try:
        return int(Path("/proc/sys/kernel/cap_last_cap").read_text("ascii"))
    except (OSError, ValueError):
        return 40
