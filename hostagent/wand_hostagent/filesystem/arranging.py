"""Moving, copying, removing and restoring; each at once or not at all, and over nothing that is there."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from wand_hostagent.filesystem import names, removed
from wand_hostagent.filesystem.copying import copy
from wand_hostagent.filesystem.model import Arrange, ArrangeAnswer, Arrangement, Survey, SurveyAnswer
from wand_hostagent.filesystem.paths import REMOVED, Place, Roots
from wand_hostagent.filesystem.refusal import Refused, from_system
from wand_hostagent.launcher.spelling import show

MOST_NAMES = 1000  # of one folder with all that is in it: each is asked about
_MOST_DEPTH = 64  # each folder on the way takes a descriptor
_MOST_COPIED_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Amount:
    """How much there is of it."""

    files: int
    total_bytes: int


def survey(roots: Roots, ask: Survey) -> SurveyAnswer:
    """Every name below what is meant."""
    with _source(roots, ask) as (at, _):
        found = list(_bounded(at, ask.path))
    return SurveyAnswer(path=ask.path, names=tuple(show(name) for name, _ in found))


def arrange(roots: Roots, ask: Arrange) -> ArrangeAnswer:
    """Do it; the answer says where it is now."""
    with _source(roots, ask) as (source, place):
        amount = _amount(source, ask)
        is_removed = ask.what is Arrangement.REMOVE
        to = _remove(source, place) if is_removed else _put(roots, ask, (source, place), amount)
    return ArrangeAnswer(path=place.shown, to=to, files=amount.files, total_bytes=amount.total_bytes)


@contextmanager
def _source(roots: Roots, ask: Arrange | Survey) -> Iterator[tuple[names.At, Place]]:
    if ask.what is Arrangement.RESTORE:
        with _kept(roots, ask) as found:
            yield found
        return
    with roots.entry_of(ask.path, writable=ask.what is not Arrangement.COPY) as (folder, name, place):
        _require_at(place, ask.path, ask.at)
        _require((folder, name), place.shown)
        yield (folder, name), place


@contextmanager
def _kept(roots: Roots, ask: Arrange | Survey) -> Iterator[tuple[names.At, Place]]:
    """What was removed from there; the folder that held it may be gone too."""
    place = roots.entry(ask.path, writable=True)
    _require_at(place, ask.path, ask.at)
    try:
        with removed.taken(place.root.descriptor(), place.inner) as at:
            yield at, place
    except OSError as error:
        raise from_system(error, place.shown) from error


def _require_at(place: Place, path: str, permitted: tuple[str, ...], field: str = "path") -> None:
    if not place.is_at(permitted or (path,)):
        hint = f"ask for {place.shown} itself"
        raise Refused("Denied", f"{show(path)} leads to {place.shown}", hint=hint, field=field)


def _require(at: names.At, shown: str) -> None:
    try:
        os.stat(at[1], dir_fd=at[0], follow_symlinks=False)
    except FileNotFoundError as error:
        raise Refused("NotFound", f"{shown} does not exist", field="path") from error


def _bounded(at: names.At, shown: str) -> Iterator[tuple[str, os.stat_result]]:
    hint = "take its parts one by one, or use a command"
    with closing(names.below(at)) as every:
        for count, found in enumerate(every):
            if count == MOST_NAMES:
                message = f"{show(shown)} holds more than {MOST_NAMES} names"
                raise Refused("Exhausted", message, hint=hint, field="path")
            if found[0].count("/") == _MOST_DEPTH:
                message = f"{show(shown)} holds folders in folders, more than {_MOST_DEPTH} deep"
                raise Refused("Exhausted", message, hint=hint, field="path")
            yield found


def _amount(at: names.At, ask: Arrange) -> _Amount:
    itself = os.stat(at[1], dir_fd=at[0], follow_symlinks=False)
    found = list(_bounded(at, ask.path))
    if ask.surveyed and not {show(name) for name, _ in found} <= set(ask.names):
        message = f"{show(ask.path)} has changed while it was asked whether this is permitted"
        raise Refused("Conflict", message, hint="ask again", field="path")
    every = [itself, *(about for _, about in found)]
    files = [about for about in every if not stat.S_ISDIR(about.st_mode)]
    return _Amount(len(files), sum(about.st_size for about in files))


def _remove(source: names.At, place: Place) -> str:
    with removed.room(place.root.descriptor()) as room:
        kept = removed.put(room, place.inner, source)
    os.fsync(source[0])
    return show(f"{place.root.real}/{REMOVED}/{kept}")


def _put(roots: Roots, ask: Arrange, found: tuple[names.At, Place], amount: _Amount) -> str:
    source, held = found
    to = ask.to or ask.path
    is_restored = ask.what is Arrangement.RESTORE
    with roots.entry_of(to, writable=True, make=is_restored, field="to") as (folder, name, place):
        _require_at(place, to, ask.at, "to")
        if not is_restored and held.holds(str(Path(place.root.real, place.inner))) is not None:
            raise Refused("Invalid", f"{show(to)} is the same, or lies in it", field="to")
        try:
            if ask.what is Arrangement.COPY:
                _copy(source, (folder, name), amount, ask.path)
            else:
                names.rename(source, (folder, name))
        except FileExistsError as error:
            raise Refused("Conflict", f"{place.shown} exists already", hint=_HINT, field="to") from error
        except OSError as error:
            raise _put_refusal(error, ask, place) from error
        os.fsync(folder)
    return place.shown


_HINT = "remove it first (it can be restored), or give another place"


def _put_refusal(error: OSError, ask: Arrange, place: Place) -> Exception:
    if error.errno == errno.EXDEV:
        message = f"{show(ask.path)} and {place.shown} are on different file systems"
        return Refused("Invalid", message, hint="copy it, then remove it", field="to")
    return error


def _copy(source: names.At, target: names.At, amount: _Amount, shown: str) -> None:
    if amount.total_bytes > _MOST_COPIED_BYTES:
        message = f"{show(shown)} has {amount.total_bytes} bytes; the most is {_MOST_COPIED_BYTES}"
        raise Refused("Exhausted", message, hint="use a command", field="path")
    beside = target[0], f".wand-{secrets.token_hex(8)}.tmp"
    copy(source, beside, show(shown))
    try:
        names.rename(beside, target)
    except BaseException:
        with suppress(OSError):
            names.erase(beside)
        raise
