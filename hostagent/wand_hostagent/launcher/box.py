"""What a job is put in, as far as this machine lets us: found out once, when the launcher starts.

plain       its own pid and mount namespaces; the launcher is root
user        the same inside a user namespace of its own, in which it keeps its number
none        no namespaces: its processes are found in /proc when they have to be ended
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from wand_hostagent.launcher import syscalls
from wand_hostagent.launcher.refusal import reason_of

_TREE = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS


class Unprepared(Exception):
    """A step of preparing the box failed in the job's init; `stage` is its place in STAGES."""

    def __init__(self, stage: int, number: int) -> None:
        super().__init__(f"{STAGES[stage]}: {reason_of(number)}")
        self.stage = stage
        self.number = number


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """How the init of a job is made, and what it does first."""

    flags: int  # of clone(2); 0 is the box `none`
    fresh_proc: bool
    uid: int
    gid: int
    refusal: str = ""  # why it is not a better one

    @property
    def holds_tree(self) -> bool:
        """Whether the kernel ends every process of a job with its init."""
        return bool(self.flags & syscalls.CLONE_NEWPID)

    @property
    def has_own_users(self) -> bool:
        return bool(self.flags & syscalls.CLONE_NEWUSER)

    def clone(self) -> tuple[int, int]:
        """The init of a job: its pid (0 in the init itself) and its pidfd."""
        if self.flags:
            return syscalls.clone(self.flags)
        pid = os.fork()
        return pid, os.pidfd_open(pid) if pid else -1

    def enter(self) -> None:
        """Prepare the box from inside, as its init.

        Raises:
            Unprepared: a stage failed.
        """
        for stage, prepare in enumerate(_PREPARE):
            try:
                prepare(self)
            except OSError as error:
                raise Unprepared(stage, error.errno or 0) from error


def _map_users(box: Box) -> None:
    if not box.has_own_users:
        return
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)  # or the files below would belong to root: proc(5)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{box.uid} {box.uid} 1"),
        ("gid_map", f"{box.gid} {box.gid} 1"),
    ):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        os.write(descriptor, text.encode())
        os.close(descriptor)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)


def _close_mounts(box: Box) -> None:
    if box.flags & syscalls.CLONE_NEWNS:
        syscalls.mount(b"none", b"/", syscalls.MS_REC | syscalls.MS_PRIVATE)


def _mount_proc(box: Box) -> None:
    if box.fresh_proc:
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        syscalls.mount(b"proc", b"/proc", flags)


STAGES = ("the map of users", "private mounts", "a process list of its own")
_PREPARE: tuple[Callable[[Box], None], ...] = (_map_users, _close_mounts, _mount_proc)


def probe() -> Box:
    """The best box that this machine lets us make; each is tried before it is believed."""
    uid, gid = os.geteuid(), os.getegid()
    kinds = [_TREE] if uid == 0 else []
    refusal = ""
    for flags in (*kinds, _TREE | syscalls.CLONE_NEWUSER):
        for fresh_proc in (True, False):
            box = Box(flags=flags, fresh_proc=fresh_proc, uid=uid, gid=gid, refusal=refusal)
            trouble = _trouble(box)
            if not trouble:
                return box
            refusal = trouble
    return Box(flags=0, fresh_proc=False, uid=uid, gid=gid, refusal=refusal)


def _trouble(box: Box) -> str:
    """Why this box cannot be made; empty where it can."""
    if "clone3" not in syscalls.NUMBERS:
        return "this processor is not known to Wand"
    try:
        pid, pidfd = box.clone()
    except OSError as error:
        return f"clone3: {reason_of(error.errno or 0)}"
    if pid == 0:
        _try(box)
    os.close(pidfd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return "" if code == 0 else f"{STAGES[code - 1]}: refused" if code > 0 else "killed"


def _try(box: Box) -> None:
    """Enter the box in a child that does nothing else; its exit code is the stage that failed."""
    code = len(STAGES)
    try:
        box.enter()
        code = 0
    except Unprepared as trouble:
        code = trouble.stage + 1
    finally:
        os._exit(code)
