"""What a job sees of this machine's files, and how: the list from which its mount tree is made.

Whatever is not on the list is not there. A folder that lies in another one is arranged after it; a link is
followed here, once, and stands in the job's tree as a link.
"""

import math
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from wand_hostagent.launcher import syscalls
from wand_hostagent.launcher.lookout import Guard, Lookout, is_due
from wand_hostagent.launcher.refusal import Refused

# Programs, libraries and what they read; none of it is secret, and all of it read-only.
SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store",
    "/var/lib/dpkg",
)  # fmt: skip

# Of this machine's parts, its processors: programs divide their work by what they are. The kernel made the
# folder as it started and nobody can put another in its place, nor stand guard over it, so it is not watched.
HARDWARE = ("/sys/devices/system/cpu",)

TEMPORARY, SHARED_MEMORY = "/tmp", "/dev/shm"  # noqa: S108 - of the job's own tree

# The parts of /etc that programs need. It is a list of what is let in: /etc holds keys and passwords too.
_SETTINGS = (
    "alternatives", "apt/apt.conf.d", "apt/preferences.d", "apt/sources.list", "apt/sources.list.d",
    "apt/trusted.gpg.d", "bash.bashrc", "bash_completion.d", "bashrc", "ca-certificates",
    "ca-certificates.conf", "crypto-policies", "debian_version", "default/locale", "fonts", "gai.conf",
    "gitconfig", "group", "host.conf", "hostname", "hosts", "inputrc", "java", "java-11-openjdk",
    "java-17-openjdk", "java-21-openjdk", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias",
    "locale.conf", "localtime", "login.defs", "lsb-release", "magic", "manpath.config", "maven",
    "mime.types", "node", "npmrc", "nsswitch.conf", "os-release", "passwd", "perl", "pip.conf",
    "pki/ca-trust", "pki/tls/certs", "pki/tls/openssl.cnf", "profile", "profile.d", "protocols", "python",
    "python3", "redhat-release", "resolv.conf", "services", "shells", "ssh/ssh_config", "ssl/certs",
    "ssl/openssl.cnf", "system-release", "terminfo", "timezone", "vim", "vimrc", "wgetrc", "zprofile",
    "zshenv", "zshrc",
)  # fmt: skip
SETTINGS = tuple(f"/etc/{name}" for name in _SETTINGS)

_COARSE_NS = 50_000_000  # more than any file system's clock is off


class Kind(Enum):
    """How something is seen."""

    READ = "read"
    WRITE = "write"
    EMPTY = "own"  # a file system in memory that is the job's own
    COVER = "cover"  # something empty stands in its place
    LINK = "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One place of the job's tree; `source` is where it is on this machine, or what a link says."""

    path: str
    kind: Kind
    source: str = ""
    is_folder: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the tree is made from: paths, and the options of each file system in memory."""

    system: tuple[str, ...] = ()  # read-only, whatever it lies in
    read: tuple[str, ...] = ()  # read-only, but where it lies in a folder that is written
    keep: tuple[str, ...] = ()  # read-only, also there
    write: tuple[str, ...] = ()
    cover: tuple[str, ...] = ()
    empty: Mapping[str, str] | None = None
    instead: Mapping[str, str] | None = None  # a file of ours where the system has another

    @property
    def paths(self) -> tuple[str, ...]:
        """Those that may be something else one day."""
        named = (*self.system, *self.read, *self.keep, *self.write, *self.cover)
        return tuple(path for path in named if path not in HARDWARE)


class Watched:
    """Some paths, asked whether they still are what they were: first of the `folders` that they lie in.

    What is replaced, removed or made changes the time of its folder. A time as young as the clock of a file
    system is coarse tells nothing yet, so then the paths themselves are looked at again. Where a lookout has
    seen nothing happen, nothing is looked at.
    """

    def __init__(
        self, paths: Iterable[str], look: Callable[[str], int], lookout: Lookout | None = None
    ) -> None:
        self._paths = tuple(dict.fromkeys(paths))
        self.folders = tuple(dict.fromkeys(map(nearest, self._paths)))
        self._look = look
        self._times: tuple[tuple[int, int], ...] = ()
        self._stamp: tuple[int, ...] = ()
        self._lookout = lookout
        self._guard: Guard | None = None
        self._tried_at = -math.inf

    def stamp(self) -> tuple[int, ...]:
        """Changes when one of the paths is something else."""
        if self._lookout is None:
            return self._looked()
        if self._guard is not None and self._lookout.is_calm(self._guard):
            return self._stamp
        self._guard, folders = None, self.folders
        guard = None
        if is_due(self._tried_at):
            self._tried_at, guard = time.monotonic(), self._lookout.guard(folders)
        stamp = self._looked()
        if self.folders == folders:  # it stood there when we looked
            self._guard = guard
        return stamp

    def _looked(self) -> tuple[int, ...]:
        times = tuple(map(_age, self.folders))
        if times != self._times or not times:
            young = time.time_ns() - _COARSE_NS
            self._times = times if all(changed < young for _, changed in times) else ()
            self._stamp = tuple(map(self._look, self._paths))
            self.folders = tuple(dict.fromkeys(map(nearest, self._paths)))
        return self._stamp


def nearest(path: str) -> str:
    """The folder that it lies in, or would lie in: what has to change before the path can be there."""
    while True:
        path = os.path.dirname(path)  # noqa: PTH120 - text
        if path in {"", "/"} or os.path.isdir(path):  # noqa: PTH112 - text
            return path or "."


def _age(folder: str) -> tuple[int, int]:
    try:
        about = os.stat(folder)  # noqa: PTH116 - text
    except OSError:
        return 0, 0
    return about.st_ino, about.st_mtime_ns


def kind_of(path: str) -> int:
    """What is there: nothing, a link (which one), or a kind of file."""
    try:
        about = os.lstat(path)
    except OSError:
        return 0
    return about.st_ino if stat.S_ISLNK(about.st_mode) else stat.S_IFMT(about.st_mode)


def number_of(path: str) -> int:
    """Which file is there."""
    try:
        return hash(syscalls.identity(path))
    except OSError:
        return 0


def arrange(wanted: Wanted) -> tuple[Item, ...]:
    """Every place of the tree, a folder before what lies in it.

    Raises:
        Refused: a folder is a link that commands could have made.
    """
    _check_links(wanted)
    found: dict[str, Item] = {}
    for item in _all(wanted):  # the first word on a path counts
        found.setdefault(item.path, item)
    kept: dict[str, Item] = {}
    for item in sorted(found.values(), key=lambda one: (one.path.count("/"), one.path)):
        if _belongs(item, above(kept, item.path), firm={*wanted.system, *wanted.keep}):
            kept[item.path] = item
    return tuple(kept.values())


def above(items: Mapping[str, Item], path: str) -> Item | None:
    """The nearest place that this path lies in."""
    while path != "/":
        path = os.path.dirname(path)  # noqa: PTH120 - a text, taken apart
        if path in items:
            return items[path]
    return None


def _belongs(item: Item, place: Item | None, firm: set[str]) -> bool:
    """Whether an item says more than the place that it lies in."""
    if place is None or place.kind in {Kind.EMPTY, Kind.COVER}:
        return item.kind is not Kind.COVER
    if item.kind is Kind.READ and item.source == item.path:
        return place.kind is Kind.WRITE and item.path in firm
    return item.kind in {Kind.COVER, Kind.READ} or (item.kind is Kind.WRITE and place.kind is Kind.READ)


def _all(wanted: Wanted) -> Iterator[Item]:
    for path, source in (wanted.instead or {}).items():
        yield Item(path=path, kind=Kind.READ, source=source, is_folder=False)
    for path in wanted.cover:
        yield from _followed(path, Kind.COVER)
    for path in wanted.write:
        yield from _followed(path, Kind.WRITE)
    for path in (*wanted.keep, *wanted.read):
        yield from _followed(path, Kind.READ)
    for path in wanted.system:
        yield from _as_it_is(path)
    for path, options in (wanted.empty or {}).items():
        yield Item(path=path, kind=Kind.EMPTY, source=options)
    yield Item(path="/var/tmp", kind=Kind.LINK, source=TEMPORARY)  # noqa: S108 - of the job's own tree


def _followed(path: str, kind: Kind) -> Iterator[Item]:
    """The place itself, and a link to it where the path has links in it; nothing where it is not there."""
    real = os.path.realpath(path)
    if os.path.lexists(real):
        yield Item(path=real, kind=kind, source=real, is_folder=os.path.isdir(real))  # noqa: PTH112 - text
        if real != path:
            yield Item(path=path, kind=Kind.LINK, source=real)


def _as_it_is(path: str) -> Iterator[Item]:
    """A part of the system: a link stays one where it leads to another part."""
    real = os.path.realpath(path)
    try:
        about = os.stat(real)  # noqa: PTH116 - text
    except OSError:
        return
    if not about.st_mode & stat.S_IROTH:
        return  # not for everybody: neither for a job, though it may have its owner's number
    if real != path and is_within(real, SYSTEM[:7]):
        yield Item(path=path, kind=Kind.LINK, source=real)
    else:
        yield Item(path=path, kind=Kind.READ, source=real, is_folder=stat.S_ISDIR(about.st_mode))


def for_no_job(*, as_root: bool) -> tuple[str, ...]:
    """What in /proc tells of others: the keys of this machine, and whose, and locks on files; and to whoever
    has root's number, what root alone may read, for it tells of the kernel's memory.
    """
    found = [path for path in ("/proc/keys", "/proc/key-users", "/proc/locks") if os.path.lexists(path)]
    for name in sorted(os.listdir("/proc")) if as_root else ():  # noqa: PTH208 - text
        path = f"/proc/{name}"
        with suppress(OSError):
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode) and not mode & (stat.S_IRGRP | stat.S_IROTH):
                found.append(path)
    return tuple(found)


def is_within(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of these folders or lies in one, going by its text."""
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def _check_links(wanted: Wanted) -> None:
    """A folder in a writable one must be no link: a command may have made it, to be shown what it names."""
    writable = [os.path.realpath(path) for path in wanted.write]
    for path in (*wanted.read, *wanted.keep, *wanted.write, *wanted.cover):
        inside = [folder for folder in writable if is_within(path, [folder]) and path != folder]
        if inside and os.path.realpath(path) != path:
            raise Refused(
                "BrokenPolicy",
                f"{path} is a link, or lies behind one, in {inside[0]}, where commands can make links",
                hint="name the folder that it leads to",
            )
