"""What a job is put in, as far as this machine lets us: found out once, when the launcher starts.

plain       its own namespaces, made as root
user        the same inside a user namespace of its own, in which it keeps its number
none        no namespaces: its processes are found in /proc when they have to be ended

A machine may give the namespaces and refuse the mounts, the fresh process list or the network; the best that
it gives is taken, and `guarantees.py` says what that is not.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from wand_hostagent.launcher import landlock, namespaces, seccomp, syscalls
from wand_hostagent.launcher.refusal import reason_of
from wand_hostagent.launcher.walls import Unprepared, Walls, bare

_TREE = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """How the init of a job is made, and what it does first."""

    flags: int  # of clone(2); 0 is the box `none`
    fresh_proc: bool
    uid: int
    gid: int
    own_tree: bool = False  # a mount tree of its own
    spaces: bool = False  # network, IPC and host name of its own
    landlock: int = 0  # the version of the interface; 0 is none
    filters: bool = False  # seccomp
    sums: frozenset[str] = frozenset()  # what control groups count for a job as a whole; see delegation.py
    no_sums: str = ""  # why some are missing, and what to do
    connected: bool = True  # whether the network that we are in has more than `lo`
    proxy: bool = False  # jobs can have a network that a proxy is the only way out of: egress/
    proxy_is_up: bool = False
    refusal: str = ""  # why it is not a better one

    @property
    def holds_tree(self) -> bool:
        """Whether the kernel ends every process of a job with its init."""
        return bool(self.flags & syscalls.CLONE_NEWPID)

    @property
    def has_own_users(self) -> bool:
        return bool(self.flags & syscalls.CLONE_NEWUSER)

    def clone(self, network: str = "host", cgroup: int = -1) -> tuple[int, int]:
        """The init of a job, born in that control group: its pid (0 in the init itself) and its pidfd."""
        if self.flags:
            return syscalls.clone(self.flags | (namespaces.flags(network) if self.spaces else 0), cgroup)
        if cgroup >= 0:
            return syscalls.clone(0, cgroup)
        pid = os.fork()
        return pid, os.pidfd_open(pid) if pid else -1

    def enter(self, walls: Walls, *, for_copies: bool = False) -> None:
        """Prepare the box from inside, as its init; or only what other boxes can have a copy of.

        Raises:
            Unprepared: something failed.
        """
        for name, prepare in (
            ("the map of users", self._map_users),
            ("private mounts", self._close_mounts),
            ("a view of its own control group", self._hide_groups),
            ("a network of its own", lambda: self._raise_network(walls)),
        ):
            try:
                prepare()
            except OSError as error:
                raise Unprepared(name, error.errno or 0) from error
        walls.put_up(for_copies=for_copies)

    def _map_users(self) -> None:
        if not self.has_own_users:
            return
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)  # or the files below would belong to root: proc(5)
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{self.uid} {self.uid} 1"),
            ("gid_map", f"{self.gid} {self.gid} 1"),
        ):
            descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
            os.write(descriptor, text.encode())
            os.close(descriptor)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)

    def _close_mounts(self) -> None:
        """Keep our mounts to ourselves; a tree of its own does more, in walls.py."""
        if self.own_tree or not self.flags & syscalls.CLONE_NEWNS:
            return
        syscalls.mount(b"none", b"/", syscalls.MS_REC | syscalls.MS_PRIVATE)
        if self.fresh_proc:
            flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
            syscalls.mount(b"proc", b"/proc", flags)

    def _hide_groups(self) -> None:
        """Show the job's own group as the only one; what is born in a group sees all above it at first."""
        if self.flags and namespaces.GROUPS:
            syscalls.call("unshare", namespaces.GROUPS)

    def _raise_network(self, walls: Walls) -> None:
        if self.spaces and walls.network in {"loopback", "proxy"}:
            namespaces.raise_loopback()


def probe() -> Box:
    """The best box that this machine lets us make; each is tried before it is believed."""
    refusal = ""
    for box in _kinds():
        trouble = _trouble(box)
        if not trouble:
            return replace(box, refusal=refusal)
        refusal = refusal or trouble
    raise AssertionError("the box `none` can always be made")


def _kinds() -> Iterator[Box]:
    """Every box, the best first."""
    uid, gid = os.geteuid(), os.getegid()
    plain = Box(
        flags=_TREE, fresh_proc=True, uid=uid, gid=gid, own_tree=True, spaces=True,
        landlock=landlock.version(), filters=seccomp.is_there(),
    )  # fmt: skip
    lesser = (
        plain,
        replace(plain, fresh_proc=False),
        replace(plain, spaces=False),
        replace(plain, spaces=False, fresh_proc=False),
        replace(plain, spaces=False, own_tree=False),
        replace(plain, spaces=False, own_tree=False, fresh_proc=False),
    )
    if uid == 0:
        yield from lesser
    for box in lesser:
        yield replace(box, flags=box.flags | syscalls.CLONE_NEWUSER)
    yield replace(lesser[-1], flags=0)


def _trouble(box: Box) -> str:
    """Why this box cannot be made; empty where it can."""
    if not box.flags:
        return ""
    if "clone3" not in syscalls.NUMBERS:
        return "this processor is not known to Wand"
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        walls = bare(box.uid, own_tree=box.own_tree, fresh_proc=box.fresh_proc)
        pid, pidfd = box.clone("loopback")
        if pid == 0:
            _try(box, walls, writer)
        os.close(writer)
        writer = -1
        os.close(pidfd)
        told = os.read(reader, 512).decode()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except OSError as error:
        return f"clone3: {reason_of(error.errno or 0)}"
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
    return told or ("" if code == 0 else "the first process of the box died")


def _try(box: Box, walls: Walls, writer: int) -> None:
    """Enter the box in a child that does nothing else, and say what failed."""
    code = 1
    try:
        box.enter(walls)
        code = 0
    except Unprepared as trouble:
        os.write(writer, str(trouble).encode()[:512])
    finally:
        os._exit(code)
