"""What is in a folder."""

import os
import stat
from contextlib import closing

from wand_hostagent.filesystem.ignoring import from_above
from wand_hostagent.filesystem.model import Entry, Kind, List, ListAnswer
from wand_hostagent.filesystem.paths import Roots
from wand_hostagent.filesystem.refusal import Refused, from_system
from wand_hostagent.filesystem.tree import Found, Way, walk
from wand_hostagent.launcher.spelling import show

_USUAL_ENTRIES = 500
_MOST_ENTRIES = 5000
_MOST_DEPTH = 8
_MOST_CHARACTERS = 1024 * 1024  # of all the paths together: the answer must fit into a message
_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.LINK}


def list_folder(roots: Roots, ask: List) -> ListAnswer:
    """The folder's names in order of path, down to the depth asked for."""
    if not 1 <= ask.depth <= _MOST_DEPTH:
        raise Refused("Invalid", f"must be from 1 to {_MOST_DEPTH}", field="depth")
    if ask.max_entries > _MOST_ENTRIES:
        raise Refused("Invalid", f"must be at most {_MOST_ENTRIES}", field="max_entries")
    with roots.opened(ask.path or ".", os.O_PATH) as (found, place):
        if not stat.S_ISDIR(os.fstat(found).st_mode):
            raise Refused(
                "Invalid", f"{place.shown} is no folder", hint="read_file reads a file", field="path"
            )
    with roots.opened(ask.path or ".", os.O_RDONLY | os.O_DIRECTORY) as (folder, place):
        try:
            way = Way(rules=from_above(place.root.descriptor(), place.inner))
            entries, truncated = _entries(folder, ask, way)
        except OSError as error:
            raise from_system(error, place.shown) from error
    return ListAnswer(path=place.shown, entries=tuple(entries), truncated=truncated)


def _entries(folder: int, ask: List, way: Way) -> tuple[list[Entry], bool]:
    most = ask.max_entries or _USUAL_ENTRIES
    entries: list[Entry] = []
    length = 0

    def enter(found: Found, depth: int) -> bool:
        return depth < ask.depth and (ask.hidden or not found.ignored)

    with closing(walk(folder, enter, hidden=ask.hidden, way=way)) as names:
        for found in names:
            entry = _entry(found)
            length += len(entry.path) + len(entry.target)
            if len(entries) == most or length > _MOST_CHARACTERS:
                return entries, True
            entries.append(entry)
    return entries, False


def _entry(found: Found) -> Entry:
    about = found.about
    kind = _KINDS.get(stat.S_IFMT(about.st_mode), Kind.OTHER)
    return Entry(
        path=found.shown,
        kind=kind,
        bytes=about.st_size if kind is Kind.FILE else 0,
        modified_unix_seconds=about.st_mtime,
        mode=stat.S_IMODE(about.st_mode),
        target=_target(found) if kind is Kind.LINK else "",
    )


def _target(found: Found) -> str:
    try:
        return show(os.readlink(found.name, dir_fd=found.folder))
    except OSError:
        return ""
