"""Moving, copying, removing and restoring; each at once or not at all, and over nothing that is there."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from wand_hostagent.filesystem import names, removed
from wand_hostagent.filesystem.copying import copy
from wand_hostagent.filesystem.model import Arrange, ArrangeAnswer, Arrangement, Survey, SurveyAnswer
from wand_hostagent.filesystem.paths import REMOVED, Place, Roots, show
from wand_hostagent.filesystem.refusal import Refused

MOST_NAMES = 1000  # of one folder with all that is in it: each is asked about
_MOST_COPIED_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Amount:
    """How much there is of it."""

    files: int
    total_bytes: int


def survey(roots: Roots, ask: Survey) -> SurveyAnswer:
    """Every name below what is meant."""
    with _source(roots, ask.what, ask.path) as (at, _):
        found = list(_bounded(at, ask.path))
    return SurveyAnswer(path=ask.path, names=tuple(show(name) for name, _ in found))


def arrange(roots: Roots, ask: Arrange) -> ArrangeAnswer:
    """Do it; the answer says where it is now."""
    with _source(roots, ask.what, ask.path) as (source, place):
        amount = _amount(source, ask.path)
        is_removed = ask.what is Arrangement.REMOVE
        to = _remove(source, place) if is_removed else _put(roots, ask, source, amount)
    return ArrangeAnswer(path=place.shown, to=to, files=amount.files, total_bytes=amount.total_bytes)


@contextmanager
def _source(roots: Roots, what: Arrangement, path: str) -> Iterator[tuple[names.At, Place]]:
    with roots.entry_of(path, writable=what is not Arrangement.COPY) as (folder, name, place):
        if not place.is_at(path):
            hint = f"ask for {place.shown} itself"
            raise Refused("Denied", f"{show(path)} leads to {place.shown}", hint=hint, field="path")
        if what is Arrangement.RESTORE:
            with removed.taken(place.root.descriptor(), place.inner) as at:
                yield at, place
            return
        _require((folder, name), place.shown)
        yield (folder, name), place


def _require(at: names.At, shown: str) -> None:
    try:
        os.stat(at[1], dir_fd=at[0], follow_symlinks=False)
    except FileNotFoundError as error:
        raise Refused("NotFound", f"{shown} does not exist", field="path") from error


def _bounded(at: names.At, shown: str) -> Iterator[tuple[str, os.stat_result]]:
    for count, found in enumerate(names.below(at)):
        if count == MOST_NAMES:
            hint = "take its parts one by one, or use a command"
            message = f"{show(shown)} holds more than {MOST_NAMES} names"
            raise Refused("Exhausted", message, hint=hint, field="path")
        yield found


def _amount(at: names.At, shown: str) -> _Amount:
    itself = os.stat(at[1], dir_fd=at[0], follow_symlinks=False)
    every = [itself, *(about for _, about in _bounded(at, shown))]
    files = [about for about in every if not stat.S_ISDIR(about.st_mode)]
    return _Amount(len(files), sum(about.st_size for about in files))


def _remove(source: names.At, place: Place) -> str:
    with removed.room(place.root.descriptor()) as room:
        kept = removed.put(room, place.inner, source)
    os.fsync(source[0])
    return show(f"{place.root.real}/{REMOVED}/{kept}")


def _put(roots: Roots, ask: Arrange, source: names.At, amount: _Amount) -> str:
    to = ask.to or ask.path
    is_restored = ask.what is Arrangement.RESTORE
    with roots.entry_of(to, writable=True, make=is_restored, field="to") as (folder, name, place):
        if not place.is_at(to):
            raise Refused("Denied", f"{show(to)} leads to {place.shown}", field="to")
        if not is_restored and f"{to}/".startswith(f"{ask.path}/"):
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
