"""What stands around the jobs of one profile: built once, put up by the init of each job.

A profile's walls are its mount tree, its Landlock ruleset and its filter of system calls. They can be
printed, and the print is hashed into the record of each job.
"""

import fcntl
import os
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from wand_hostagent.launcher import closure, few, landlock, seccomp, sight
from wand_hostagent.launcher.lookout import Lookout
from wand_hostagent.launcher.mounts import Tree
from wand_hostagent.launcher.profile import Profile
from wand_hostagent.launcher.refusal import reason_of
from wand_hostagent.launcher.sha256 import hash_of
from wand_hostagent.launcher.sight import Item, Wanted, Watched
from wand_hostagent.launcher.step import Memory, Step, run, step

# A job's own files in memory: little enough that a few jobs that fill theirs do not take the machine.
_ROOM = "size=1g,nr_inodes=256k,mode=1777"
_SHARED = "size=256m,nr_inodes=64k,mode=1777"
_HOME = "size=512m,nr_inodes=128k,mode=0700"
_MOST = 256  # walls that are kept
_PACKAGE = str(Path(__file__).resolve().parents[1])


class Machine(Protocol):
    """What this machine can put up."""

    @property
    def own_tree(self) -> bool: ...
    @property
    def fresh_proc(self) -> bool: ...
    @property
    def landlock(self) -> int: ...
    @property
    def filters(self) -> bool: ...


class Unprepared(Exception):
    """The box could not be prepared in the job's init; `stage` is what was done, `number` the errno."""

    def __init__(self, stage: str, number: int) -> None:
        super().__init__(f"{stage}: {reason_of(number)}")
        self.stage = stage
        self.number = number


@dataclass(frozen=True, kw_only=True)
class Walls:
    """The walls of one profile; `ruleset_number` is where the ruleset's descriptor is put."""

    tree: Tree | None
    ruleset: landlock.Ruleset | None
    version: int = 0  # of Landlock
    ruleset_number: int = -1
    filter: bytes = b""
    network: str = "host"
    destinations: tuple[str, ...] = ()  # what the proxy lets a job reach
    whose: tuple[str, str] = ("", "")  # the profile, and the principal where it is another for each
    memory: Memory = field(default_factory=Memory)

    def __str__(self) -> str:
        lines = [one.shown for one in self.mounts]
        lines += [str(self.ruleset)] if self.ruleset else []
        lines += [f"seccomp {hash_of(self.filter)}"] if self.filter else []
        return "\n".join([*lines, f"network {self.network}", *(f"to {one}" for one in self.destinations)])

    @property
    def mounts(self) -> tuple[Step, ...]:
        return self.tree.steps if self.tree else ()

    def shows(self, path: str) -> bool:
        """Whether a job sees what this machine has there; without a tree of its own it sees everything."""
        return self.tree is None or self.tree.shows(path)

    @cached_property
    def digest(self) -> str:
        """The hash of the printed form."""
        return hash_of(str(self).encode("utf-8", "surrogateescape"))

    @cached_property
    def filters(self) -> tuple[Step, ...]:
        """How a process puts itself under the filter; no_new_privs must be set."""
        if not self.filter:
            return ()
        program = struct.pack("@HP", len(self.filter) // 8, self.memory.block(self.filter))
        wanted = self.memory.block(program, 8)
        return (step("seccomp", 1, 0, wanted, shown="SECCOMP_SET_MODE_FILTER, 0, filter"),)

    def put_up(self, *, for_copies: bool = False) -> None:
        """Mount the tree and make the ruleset in it, in the init of a job; or the tree `for_copies` alone.

        Raises:
            Unprepared: a call failed.
        """
        steps = self.tree.shared if for_copies and self.tree is not None else self.mounts
        failed = run(steps)
        if failed is not None:
            raise Unprepared(steps[failed[0]].shown, failed[1])
        if self.ruleset is None or for_copies:
            return
        try:
            descriptor = landlock.build(self.ruleset, self.version)
            if descriptor != self.ruleset_number:
                os.dup2(descriptor, self.ruleset_number, inheritable=False)
                os.close(descriptor)
        except OSError as error:
            raise Unprepared("the Landlock ruleset", error.errno or 0) from error


def reserve() -> int:
    """The number of a descriptor that nobody else has, above those that a child puts in order."""
    spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return fcntl.fcntl(spare, fcntl.F_DUPFD_CLOEXEC, 16)
    finally:
        os.close(spare)


@dataclass(slots=True)
class _Kept:
    """The walls of a profile, and what they were built from."""

    digest: str
    wanted: Wanted
    watched: Watched
    stamp: tuple[int, ...] = ()
    walls: Walls | None = None
    needed: Watched | None = None  # the libraries of listed programs: an upgrade puts others in their place

    def looked(self, programs: Sequence[str]) -> tuple[int, ...]:
        """Changes when something that is shown, or that may run, is another file."""
        needed = self.needed.stamp() if self.needed else ()
        return (*self.watched.stamp(), *map(_age, programs), *needed)


class Builder:
    """Makes walls for the profiles of one launcher, and keeps them until something that they show changes."""

    def __init__(self, machine: Machine, covered: Sequence[str], lookout: Lookout | None = None) -> None:
        self._machine = machine
        self._covered = tuple(os.path.realpath(path) for path in covered if path)
        self._ruleset_number = reserve()
        self._lookout = lookout
        self._kept: dict[tuple[str, str, str, bool], _Kept] = {}

    def walls(self, profile: Profile, *, worker: bool = False) -> Walls:
        """The walls of a profile; a worker's show the file tools' own program too.

        Raises:
            Refused: the profile names what cannot be shown.
        """
        key = (profile.name, profile.principal, profile.network, worker)
        kept = self._kept.get(key)
        if kept is None or kept.digest != profile.digest:
            wanted = self._wanted(profile, worker=worker)
            kept = _Kept(profile.digest, wanted, Watched(wanted.paths, sight.kind_of, self._lookout))
            few.keep(self._kept, key, kept, most=_MOST)
        if kept.walls is None or kept.stamp != kept.looked(profile.programs):
            needed = closure.of(profile.programs) if profile.programs and not worker else None
            if needed is not None:
                kept.needed = Watched((*needed.executed, *needed.read), _age, self._lookout)
            kept.stamp = kept.looked(profile.programs)
            kept.walls = self._build(profile, sight.arrange(kept.wanted), needed, worker=worker)
        return kept.walls

    def _wanted(self, profile: Profile, *, worker: bool) -> Wanted:
        own = _own_program() if worker else ()
        return Wanted(
            system=(*sight.SYSTEM, *sight.SETTINGS, *sight.HARDWARE),
            read=(*profile.visible, *own),
            keep=profile.read_only,
            write=profile.folders,
            cover=(*profile.hidden, *self._covered),
            empty=_empty(profile),
            instead=_instead(profile),
        )

    def _build(
        self, profile: Profile, items: tuple[Item, ...], needed: closure.Needed | None, *, worker: bool
    ) -> Walls:
        machine, executable = self._machine, profile.execute_in_workspace
        tree = None
        if machine.own_tree:
            masked = sight.for_no_job(as_root=profile.user.uid == 0)
            tree = Tree(
                items, executable=executable, fresh_proc=machine.fresh_proc, masked=masked,
                lookout=self._lookout,
            )  # fmt: skip
        if needed is not None:
            found = landlock.rules_for(needed, items)
        else:
            found = landlock.rules(items, executable=executable, own_tree=machine.own_tree)
        ruleset = landlock.Ruleset(rules=found, deny_tcp=profile.network == "none")
        return Walls(
            tree=tree,
            ruleset=ruleset if machine.landlock else None,
            version=machine.landlock,
            ruleset_number=self._ruleset_number,
            filter=seccomp.build(os.uname().machine, workshop=executable) if machine.filters else b"",
            network="none" if worker and profile.network == "proxy" else profile.network,  # it needs none
            destinations=() if worker else profile.destinations,
            whose=(profile.name, profile.principal),
        )


def _age(path: str) -> int:
    """Changes when a file does."""
    try:
        about = Path(path).stat()
    except OSError:
        return 0
    return hash((about.st_ino, about.st_mtime_ns))


def _own_program() -> tuple[str, ...]:
    """What the file tools are made of: an interpreter, its library, and their package."""
    folder = str(Path(sys.executable).resolve().parent)
    return (sys.base_prefix, sys.base_exec_prefix, folder, _PACKAGE)


def _empty(profile: Profile) -> dict[str, str]:
    """The file systems in memory, with their options: for temporary files, and a home where none is shown."""
    found = {sight.TEMPORARY: _ROOM, sight.SHARED_MEMORY: _SHARED}
    home, user = profile.environment.get("HOME", profile.user.home), profile.user
    never = ("/proc", "/dev", sight.TEMPORARY, *sight.SYSTEM)
    if home.startswith("/") and home != "/" and not sight.is_within(home, never):
        found[os.path.normpath(home)] = f"{_HOME},uid={user.uid},gid={user.gid}"
    return found


def _instead(profile: Profile) -> dict[str, str]:
    """The lists of users and groups that have the user of this principal in them."""
    lists = ("passwd", "group") if profile.accounts else ()
    return {f"/etc/{name}": f"{profile.accounts}/{name}" for name in lists}


def bare(uid: int, *, own_tree: bool, fresh_proc: bool) -> Walls:
    """Walls as any profile has them, to try whether this machine can put them up."""
    room = {sight.TEMPORARY: f"{_ROOM},uid={uid}"}
    wanted = Wanted(system=("/usr", "/bin", "/lib", "/lib64"), empty=room)
    tree = Tree(sight.arrange(wanted), executable=True, fresh_proc=fresh_proc) if own_tree else None
    return Walls(tree=tree, ruleset=None, network="loopback")
