"""Which folders the file tools may use, and how a path is found in one of them.

A path is first followed by name, links and all, to where it really leads. Only if that lies in a permitted
folder is it opened, from the folder's own descriptor and through no link at all: whoever swaps a link in
between meets an error.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from wand_hostagent.filesystem.model import Alias, Aliases, AliasesAnswer
from wand_hostagent.filesystem.openat import open_beneath
from wand_hostagent.filesystem.refusal import Refused, from_system
from wand_hostagent.launcher.spelling import show

REMOVED = ".wand-removed"  # in a permitted folder: see `removed`
_MOST_CHARACTERS = 4095  # PATH_MAX
_TRIES = 3  # when somebody moves things about while we look
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path really leads: a permitted folder, and the names from there on."""

    root: "Root"
    inner: str  # "." is the folder itself

    @property
    def shown(self) -> str:
        """The absolute path, fit for a message and for the wire."""
        return show(str(Path(self.root.real, self.inner)))

    def is_at(self, permitted: Sequence[str]) -> bool:
        """Whether both of its names are permitted: where it is, and by the folder as its profile calls it."""
        return {str(Path(above, self.inner)) for above in (self.root.real, self.root.name)} <= set(permitted)

    def holds(self, real: str) -> str | None:
        """What of an absolute path without links comes after this one; empty is itself, None elsewhere."""
        here = str(Path(self.root.real, self.inner))
        return real[len(here) + 1 :] if f"{real}/".startswith(f"{here}/") else None


class Root:
    """A permitted folder, held by its descriptor."""

    def __init__(self, name: str, *, writable: bool) -> None:
        self.name = name.rstrip("/") or "/"
        self.real = os.path.realpath(name)
        self.writable = writable
        self._descriptor = -1

    def descriptor(self) -> int:
        """The folder, opened once, and again where it was removed since."""
        if self._descriptor >= 0 and os.fstat(self._descriptor).st_nlink == 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._descriptor < 0:
            self._descriptor = os.open(self.real, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._descriptor

    def inner(self, path: str) -> str | None:
        """What of an absolute path without links comes after this folder; "." is itself, None elsewhere."""
        if path == self.real:
            return "."
        above = self.real.rstrip("/") + "/"
        return path.removeprefix(above) if path.startswith(above) else None


class Roots:
    """All the permitted folders; the first is the workspace, where relative paths begin."""

    def __init__(self, write: Sequence[str], read: Sequence[str]) -> None:
        self._all = [
            *(Root(each, writable=True) for each in write),
            *(Root(each, writable=False) for each in read),
        ]
        for root in self._all:
            with suppress(OSError):  # it may be made later
                root.descriptor()

    def permitted(self) -> str:
        """The folders, in words."""
        write = ", ".join(show(root.name) for root in self._all if root.writable)
        read = ", ".join(show(root.name) for root in self._all if not root.writable)
        parts = ([f"permitted are {write}"] if write else []) + ([f"to read only: {read}"] if read else [])
        return "; ".join(parts) or "no folder is permitted"

    def aliases(self, _: Aliases) -> AliasesAnswer:
        """Those folders that have another name as well."""
        found = (Alias(name=root.name, real=root.real) for root in self._all if root.name != root.real)
        return AliasesAnswer(aliases=tuple(found))

    def find(self, path: str) -> Place:
        """Where the path leads, by name; it need not exist.

        Raises:
            Refused: it cannot be a path, or leads out of the permitted folders.
        """
        _check_text(path)
        if not path.startswith("/"):
            path = f"{self._workspace()}/{path}"
        try:
            real = os.path.realpath(path)
        except OSError as error:  # a link in /proc, say, that is not ours to read
            raise self._outside(path) from error
        found = [
            (len(root.real), root, inner) for root in self._all if (inner := root.inner(real)) is not None
        ]
        if not found:
            raise Refused(
                "Denied",
                f"{show(path)} is outside the permitted folders",
                hint=self.permitted(),
                field="path",
            )
        _, root, inner = max(found, key=lambda each: each[0])
        if REMOVED in inner.split("/"):  # that of a folder below, which is another profile's
            message = f"{show(path)} holds what was removed, which can only be restored"
            raise Refused("Denied", message, hint="restore it, by the path that it had", field="path")
        return Place(root, inner)

    def _outside(self, path: str) -> Refused:
        message = f"{show(path)} is outside the permitted folders"
        return Refused("Denied", message, hint=self.permitted(), field="path")

    def _workspace(self) -> str:
        if not self._all:
            raise Refused("Denied", "no folder is permitted to the file tools", field="path")
        return self._all[0].real

    @contextmanager
    def opened(self, path: str, flags: int) -> Iterator[tuple[int, Place]]:
        """The file or folder at the path, until the block ends."""
        descriptor, place = self._open(path, flags)
        try:
            yield descriptor, place
        finally:
            os.close(descriptor)

    def _open(self, path: str, flags: int) -> tuple[int, Place]:
        for attempt in range(1, _TRIES + 1):
            place = self.find(path)
            try:
                return open_beneath(place.root.descriptor(), place.inner, flags), place
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.EAGAIN) or attempt == _TRIES:
                    raise from_system(error, place.shown) from error
        raise AssertionError

    @contextmanager
    def folder_of(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str, Place]]:
        """The folder in which the path's last name may be changed, that name, and where it is."""
        _check_text(path)
        if path.rpartition("/")[2] in {"", ".", ".."}:
            raise Refused("Invalid", f"{show(path) or 'an empty path'} names no file", field="path")
        place = self.find(path)
        if not place.root.writable:
            raise Refused("Denied", f"{place.shown} may only be read", hint=self.permitted(), field="path")
        above, _, name = place.inner.rpartition("/")
        if name == ".":
            raise Refused("Invalid", f"{place.shown} is a folder", field="path")
        try:
            if make and above:
                _make_folders(place.root.descriptor(), above)
            folder = open_beneath(place.root.descriptor(), above or ".", os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _folder_refusal(error, place) from error
        try:
            yield folder, name, place
        except OSError as error:
            raise from_system(error, place.shown) from error
        finally:
            os.close(folder)

    @contextmanager
    def entry_of(
        self, path: str, *, writable: bool, make: bool = False, field: str = "path"
    ) -> Iterator[tuple[int, str, Place]]:
        """The folder that holds a name, that name, and where it is; a link is meant itself."""
        place = self.entry(path, writable=writable, field=field)
        above, _, name = place.inner.rpartition("/")
        root = place.root.descriptor
        try:
            if make and above:
                _make_folders(root(), above)
            folder = open_beneath(root(), above or ".", os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _folder_refusal(error, place, field) from error
        try:
            yield folder, name, place
        except OSError as error:
            raise from_system(error, place.shown) from error
        finally:
            os.close(folder)

    def entry(self, path: str, *, writable: bool, field: str = "path") -> Place:
        """Where a name is, that a link may have; its folder need not exist."""
        _check_text(path)
        above, _, name = path.rpartition("/")
        if name in {"", ".", ".."}:
            raise Refused("Invalid", f"{show(path) or 'an empty path'} names nothing", field=field)
        if any(path in {root.name, root.real} for root in self._all):
            raise Refused("Denied", f"{show(path)} is a permitted folder itself", field=field)
        held = self.find(above or "/")
        place = Place(held.root, name if held.inner == "." else f"{held.inner}/{name}")
        if name == REMOVED or (writable and not held.root.writable):
            raise Refused("Denied", f"{place.shown} may only be read", hint=self.permitted(), field=field)
        inside = [inner for root in self._all if (inner := place.holds(root.real)) is not None]
        if "" in inside:
            raise Refused("Denied", f"{place.shown} is a permitted folder itself", field=field)
        if writable and inside:  # with another name it would be permitted otherwise
            raise Refused("Denied", f"{place.shown} holds a permitted folder, {inside[0]}", field=field)
        return place


def _folder_refusal(error: OSError, place: Place, field: str = "path") -> Refused:
    shown = place.shown.rpartition("/")[0] or "/"
    if error.errno == errno.ENOENT:
        hint = "make it with a command, or have write_file make it with create_directories"
        return Refused("NotFound", f"the folder {shown} does not exist", hint=hint, field=field)
    return from_system(error, shown)


def _make_folders(root: int, path: str) -> None:
    """Make every folder on the way that is missing, and follow no link."""
    here = os.dup(root)
    try:
        for part in path.split("/"):
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=here)
            inner = open_beneath(here, part, os.O_PATH | os.O_DIRECTORY)
            os.close(here)
            here = inner
    finally:
        os.close(here)


def _check_text(path: str) -> None:
    if "\0" in path:
        raise Refused("Invalid", "holds a NUL character", field="path")
    if len(path) > _MOST_CHARACTERS:
        raise Refused("Invalid", f"has {len(path)} characters; the most is {_MOST_CHARACTERS}", field="path")
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise Refused("Invalid", "is not text that the file system takes", field="path") from error


def require_file(about: os.stat_result, shown: str) -> None:
    """Raise Refused unless it is a plain file."""
    if not stat.S_ISREG(about.st_mode):
        what = _KINDS.get(stat.S_IFMT(about.st_mode), "a special file")
        hint = "list_directory shows what is in it" if stat.S_ISDIR(about.st_mode) else ""
        raise Refused("Invalid", f"{shown} is {what}, not a plain file", hint=hint, field="path")
