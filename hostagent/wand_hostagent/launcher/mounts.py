"""A job's own mount tree, as a table of system calls: made from what it sees, run by its init.

It begins with nothing: an empty file system becomes the root, the machine's own lies below it for as long
as parts are taken from there, and then is gone. What a job may write is mounted without set-user-id
programs and devices, what it may only read is read-only for root too.
"""

import os
import stat
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from wand_hostagent.launcher.lookout import Lookout
from wand_hostagent.launcher.sight import (
    HARDWARE,
    SHARED_MEMORY,
    TEMPORARY,
    Item,
    Kind,
    Watched,
    above,
    number_of,
)
from wand_hostagent.launcher.step import Memory, Step, step
from wand_hostagent.launcher.syscalls import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
)

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
STANDARD_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "fd/0",
    "stdout": "fd/1",
    "stderr": "fd/2",
    "ptmx": "pts/ptmx",
}
_OLD = "/.old"  # where the machine's own tree lies meanwhile
_BASE = TEMPORARY  # a folder that is always there; covered in our own mount namespace, not used
_AT_HERE = -100  # AT_FDCWD
_RECURSIVE = 0x8000  # AT_RECURSIVE
_REMOVE_DIRECTORY = 0x200  # AT_REMOVEDIR
_DETACH = 2  # MNT_DETACH
_SECURE = MS_NOSUID | MS_NODEV
_NAMES = {MS_RDONLY: "ro", MS_NOSUID: "nosuid", MS_NODEV: "nodev", MS_NOEXEC: "noexec"}


class Tree:
    """The table for one list of places; `executable` says whether what a job has written may be run."""

    def __init__(
        self,
        items: Sequence[Item],
        *,
        executable: bool,
        fresh_proc: bool,
        masked: Sequence[str] = (),
        lookout: Lookout | None = None,
    ) -> None:
        self.memory = Memory()
        self._own: list[Step] = []
        self._items = {item.path: item for item in items}
        self._made: set[str] = {"/"}  # folders that this table has made itself
        self._pinned: set[str] = set()
        self._written = _SECURE if executable else _SECURE | MS_NOEXEC
        self._fresh_proc = fresh_proc
        self._lookout = lookout
        self._masked = tuple(masked)  # what of /proc is for no job
        self.steps: tuple[Step, ...] = tuple(self._all(items))

    def _all(self, items: Sequence[Item]) -> Iterator[Step]:
        yield from self._begin()
        yield from self._processes()
        yield from self._devices()
        for path in self._masked:
            yield self._each(self._graft("/dev/null", path))
        yield from self._places(item for item in items if not self._is_deep(item.path))
        yield from self._leave()
        # a link that a command makes there meanwhile leads nowhere but to what its job sees anyway
        yield from self._places(item for item in items if self._is_deep(item.path))
        yield self._set("/", MS_RDONLY | _SECURE | MS_NOEXEC)

    def _places(self, items: Iterable[Item]) -> Iterator[Step]:
        placed = tuple(items)
        for item in placed:
            yield from self._place(item)
        for item in placed:
            if item.kind is Kind.COVER and item.is_folder:
                yield self._set(item.path, MS_RDONLY | _SECURE | MS_NOEXEC)

    def shows(self, path: str) -> bool:
        """Whether what this machine has at that path is what a job sees there, links followed."""
        if os.path.normpath(path) == path and self._kind(path) is Kind.READ:
            return True  # no command makes links there, to learn what they lead to
        return self._kind(os.path.realpath(path)) in {Kind.READ, Kind.WRITE}

    def _kind(self, path: str) -> Kind | None:
        place = self._items.get(path) or above(self._items, path)
        return place.kind if place is not None else None

    def _is_deep(self, path: str) -> bool:
        """Whether it lies in a folder that commands write, however deep."""
        place = above(self._items, path)
        return place is not None and (place.kind is Kind.WRITE or self._is_deep(place.path))

    # -- for a job that gets a copy of the tree ----------------------------------------------------------

    @cached_property
    def own(self) -> tuple[Step, ...] | None:
        """What each job must mount again in its copy of the tree; None where that would hide other places."""
        hidden = (above(self._items, path) for path in self._items)
        return None if any(place and place.kind is Kind.EMPTY for place in hidden) else tuple(self._own)

    @cached_property
    def shared(self) -> tuple[Step, ...]:
        """The rest of the tree; all of it where each job makes its own."""
        own = set(map(id, self.own or ()))
        return tuple(one for one in self.steps if id(one) not in own)

    @cached_property
    def watched(self) -> Watched:
        """What of this machine a mounted tree holds on to or covers: a cover goes with what it hides."""
        kinds = {Kind.READ, Kind.WRITE, Kind.COVER}
        items = self._items.values()
        held = (item.source for item in items if item.kind in kinds and item.path not in HARDWARE)
        return Watched((*held, *sorted(self._pinned)), number_of, self._lookout)

    def _each(self, one: Step) -> Step:
        self._own.append(one)
        return one

    # -- the root ----------------------------------------------------------------------------------------

    def _begin(self) -> Iterator[Step]:
        yield step("umask", 0)
        root = self._path("/")
        yield step("mount", root, root, 0, MS_REC | MS_PRIVATE, 0, shown="none, /, MS_REC|MS_PRIVATE")
        yield self._mount("tmpfs", _BASE, _SECURE | MS_NOEXEC, "size=4m,mode=0755")
        yield self._mkdir(_BASE + _OLD, 0o700)
        yield step("pivot_root", self._path(_BASE), self._path(_BASE + _OLD), shown=f"{_BASE}, {_BASE}{_OLD}")
        yield step("chdir", self._path("/"), shown="/")

    def _leave(self) -> Iterator[Step]:
        """The machine's own tree is gone from here on."""
        yield step("umount2", self._path(_OLD), _DETACH, shown=f"{_OLD}, MNT_DETACH")
        yield step("unlinkat", _AT_HERE, self._path(_OLD), _REMOVE_DIRECTORY, shown=f"{_OLD}, AT_REMOVEDIR")

    def _processes(self) -> Iterator[Step]:
        """A list of the job's own processes; read-only, because root's number owns the kernel's settings."""
        yield self._mkdir("/proc")
        flags = MS_RDONLY | _SECURE | MS_NOEXEC
        if self._fresh_proc:
            yield self._each(self._mount("proc", "/proc", flags, "hidepid=ptraceable"))
        else:
            yield from self._bind(f"{_OLD}/proc", "/proc", flags)

    def _devices(self) -> Iterator[Step]:
        yield self._mkdir("/dev")
        yield self._mount("tmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "size=64k,mode=0755")
        for name in DEVICES:
            if os.path.exists(f"/dev/{name}"):  # noqa: PTH110 - text
                yield self._mkfile(f"/dev/{name}")
                yield self._graft(f"{_OLD}/dev/{name}", f"/dev/{name}")
        for name, target in STANDARD_LINKS.items():
            yield self._link(f"/dev/{name}", target)
        yield self._mkdir(SHARED_MEMORY)
        yield self._mkdir("/dev/pts")
        yield self._set("/dev", MS_RDONLY | MS_NOSUID | MS_NOEXEC, recursive=True)
        options = "newinstance,ptmxmode=0666,mode=0600,max=64"  # or one job could have all of the machine
        yield self._each(self._mount("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, options))
        self._made |= {"/proc", "/dev", SHARED_MEMORY}

    # -- one place ---------------------------------------------------------------------------------------

    def _place(self, item: Item) -> Iterator[Step]:
        place = above(self._items, item.path)
        inside = place is not None and place.kind in {Kind.READ, Kind.WRITE}  # the path is there already
        if place is not None and place.kind is Kind.WRITE:
            yield from self._pin(place.path, item.path)
        if not inside:
            yield from self._parents(item.path, place.path if place else "")
        if item.kind is Kind.LINK:
            if not inside:
                yield self._link(item.path, item.source)
            return
        if not inside:
            yield from self._mountpoint(item)
        yield from self._fill(item, deep=self._is_deep(item.path))

    def _mountpoint(self, item: Item) -> Iterator[Step]:
        if item.path in self._made:
            return
        self._made.add(item.path)
        yield self._mkdir(item.path) if item.is_folder else self._mkfile(item.path)

    def _fill(self, item: Item, *, deep: bool) -> Iterator[Step]:
        """Put there what belongs there; what lies in a writable folder is taken from there, by no link."""
        source = item.path if deep else _OLD + item.source
        if item.kind is Kind.READ:
            yield from self._bind(source, item.path, MS_RDONLY | _SECURE)
        elif item.kind is Kind.WRITE:
            yield from self._bind(source, item.path, self._written, without=MS_RDONLY if deep else 0)
        elif item.kind is Kind.EMPTY:
            yield self._each(self._mount("tmpfs", item.path, self._written, item.source))
        elif item.is_folder:
            yield self._mount("tmpfs", item.path, _SECURE | MS_NOEXEC, "size=64k,mode=0755")
        else:
            yield self._graft("/dev/null", item.path)

    def _pin(self, root: str, path: str) -> Iterator[Step]:
        """Make every folder on the way a mount: none can be renamed then, nor the last one with it."""
        parts = path[len(root.rstrip("/")) + 1 :].split("/")[:-1]
        way = root.rstrip("/")
        for part in parts:
            way = f"{way}/{part}"
            if way not in self._pinned:
                self._pinned.add(way)
                yield self._graft(way, way)

    def _parents(self, path: str, way: str) -> Iterator[Step]:
        """The folders from `way` down to that path, both not counted."""
        for part in path[len(way) + 1 :].split("/")[:-1]:
            way = f"{way}/{part}"
            if way not in self._made:
                self._made.add(way)
                yield self._mkdir(way)

    # -- single calls ------------------------------------------------------------------------------------

    def _path(self, path: str) -> int:
        return self.memory.text(os.fsencode(path))

    def _mkdir(self, path: str, mode: int = 0o755) -> Step:
        return step("mkdirat", _AT_HERE, self._path(path), mode, shown=f"{path}, {mode:#o}")

    def _mkfile(self, path: str) -> Step:
        return step("mknodat", _AT_HERE, self._path(path), stat.S_IFREG | 0o444, 0, shown=f"{path}, S_IFREG")

    def _link(self, path: str, target: str) -> Step:
        texts = self._path(target), self._path(path)
        return step("symlinkat", texts[0], _AT_HERE, texts[1], shown=f"{target}, {path}")

    def _bind(self, source: str, path: str, flags: int, *, without: int = 0) -> Iterator[Step]:
        yield self._graft(source, path)
        yield self._set(path, flags, recursive=True, without=without)

    def _mount(self, kind: str, path: str, flags: int, options: str = "") -> Step:
        """A new file system of that kind."""
        texts = self._path(kind), self._path(path)
        data = self._path(options) if options else 0
        shown = f"{kind}, {path}, {kind}, {_said(flags)}, {options or 0}"
        return step("mount", *texts, texts[0], flags, data, shown=shown)

    def _graft(self, source: str, path: str) -> Step:
        """What is at `source`, with all that is mounted below it, at `path` too."""
        texts = self._path(source), self._path(path)
        return step("mount", *texts, 0, MS_BIND | MS_REC, 0, shown=f"{source}, {path}, MS_BIND|MS_REC")

    def _set(self, path: str, flags: int, *, recursive: bool = False, without: int = 0) -> Step:
        """Add attributes to a mount, or to all in a tree; MOUNT_ATTR_* have the numbers of MS_*."""
        wanted = self.memory.block(struct.pack("=QQQQ", flags, without, 0, 0))
        deep = _RECURSIVE if recursive else 0
        told = f"{path}, {'AT_RECURSIVE, ' if recursive else ''}{_said(flags)}"
        told += f", not {_said(without)}" if without else ""
        return step("mount_setattr", _AT_HERE, self._path(path), deep, wanted, 32, shown=told)


def _said(flags: int) -> str:
    return "|".join(name for flag, name in _NAMES.items() if flags & flag) or "0"
