"""Writing and editing a file: at once or not at all, and only what the caller believes to be there."""

import errno
import hashlib
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass

from wand_hostagent.filesystem import edits
from wand_hostagent.filesystem.model import Edit, Mode, Write, WriteAnswer
from wand_hostagent.filesystem.paths import Place, Roots, require_file
from wand_hostagent.filesystem.reading import WHOLE_BYTES
from wand_hostagent.filesystem.refusal import Refused
from wand_hostagent.launcher.spelling import show

MOST_BYTES = 4 * 1024 * 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_THERE = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_UMASK = os.umask(0o022)
os.umask(_UMASK)


@dataclass(frozen=True, slots=True)
class _Old:
    """What is there before a change; it may be written, or this would not have been made."""

    mode: int
    owner: tuple[int, int]
    stamp: tuple[int, int, int]  # another one, where somebody has changed it since
    size: int
    content: bytes | None  # None: too large to be looked at


def write(roots: Roots, ask: Write) -> WriteAnswer:
    """Make the change; it is on the disk when this returns."""
    if len(ask.data) > MOST_BYTES:
        raise Refused("Invalid", f"has {len(ask.data)} bytes; the most is {MOST_BYTES}", field="data")
    with roots.folder_of(ask.path, make=ask.create_directories) as (folder, name, place):
        _check_place(ask, place)
        old = _look(folder, name, place.shown)
        _check_expected(old, ask.expected_sha256, place.shown)
        if ask.mode is Mode.APPEND and old is not None:
            _append(folder, name, ask.data, old.size)
        elif ask.mode is not Mode.REPLACE:
            _create(folder, name, ask.data, place.shown)
        else:
            _put(folder, name, ask.data, old, is_seen=bool(ask.expected_sha256))
        os.fsync(folder)
    before = b"" if old is None or ask.mode is not Mode.APPEND else old.content
    return _answer(place.shown, before, ask.data, old)


def _answer(shown: str, before: bytes | None, data: bytes, old: _Old | None) -> WriteAnswer:
    if before is None:
        assert old is not None
        return WriteAnswer(path=shown, total_bytes=old.size + len(data), sha256="")
    sha256 = hashlib.sha256(before + data).hexdigest()
    return WriteAnswer(path=shown, total_bytes=len(before) + len(data), sha256=sha256, created=old is None)


def _check_place(ask: Write | Edit, place: Place) -> None:
    """What was permitted is one path; where a link leads must be permitted by itself."""
    if ask.at and not place.is_at(ask.at):
        hint = f"ask for {place.shown} itself"
        raise Refused("Denied", f"{show(ask.path)} leads to {place.shown}", hint=hint, field="path")


def edit(roots: Roots, ask: Edit) -> WriteAnswer:
    """Make every replacement, or none; the answer shows the difference."""
    with roots.folder_of(ask.path) as (folder, name, place):
        _check_place(ask, place)
        old = _look(folder, name, place.shown)
        if old is None:
            raise Refused("NotFound", f"{place.shown} does not exist", field="path")
        _check_expected(old, ask.expected_sha256, place.shown)
        before = _text(old, place.shown)
        after = edits.apply(before, ask.replacements)
        data = after.encode("utf-8", "surrogatepass")
        if len(data) > MOST_BYTES:
            raise Refused(
                "Invalid",
                f"the file would have {len(data)} bytes; the most is {MOST_BYTES}",
                field="replacements",
            )
        _put(folder, name, data, old, is_seen=True)
        os.fsync(folder)
    diff = edits.difference(before, after, place.shown)
    return WriteAnswer(
        path=place.shown, total_bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), diff=diff
    )


def _text(old: _Old, shown: str) -> str:
    if old.content is None or old.size > edits.TEXT_BYTES:
        raise Refused(
            "Invalid", f"{shown} has more than {edits.TEXT_BYTES} bytes, too many to edit", field="path"
        )
    try:
        return old.content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(
            "Invalid", f"{shown} is not UTF-8 text (at byte {error.start})", field="path"
        ) from error


def _look(folder: int, name: str, shown: str) -> _Old | None:
    """What stands under the name: a plain file that we may write, or nothing."""
    try:
        require_file(os.stat(name, dir_fd=folder, follow_symlinks=False), shown)
        descriptor = os.open(name, _THERE, dir_fd=folder)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        require_file(about, shown)
        content = file.read(WHOLE_BYTES + 1) if about.st_size <= WHOLE_BYTES else None
    if content is not None and len(content) > WHOLE_BYTES:
        content = None
    mode = stat.S_IMODE(about.st_mode)
    return _Old(mode, (about.st_uid, about.st_gid), _stamp(about), about.st_size, content)


def _stamp(about: os.stat_result) -> tuple[int, int, int]:
    return about.st_ino, about.st_size, about.st_mtime_ns


def _check_unchanged(folder: int, name: str, old: _Old) -> None:
    """What a program has done to it since it was looked at must not be undone."""
    try:
        now = _stamp(os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        now = None
    if now != old.stamp:
        message = f"{show(name)} was changed by somebody else meanwhile, and is as they left it"
        raise Refused("Conflict", message, hint="read it again", field="path")


def _check_expected(old: _Old | None, expected: str, shown: str) -> None:
    if not expected:
        return
    hint = "read it again"
    if old is None:
        raise Refused("Conflict", f"{shown} does not exist any more", hint=hint, field="expected_sha256")
    if old.content is None or hashlib.sha256(old.content).hexdigest() != expected.lower():
        raise Refused(
            "Conflict", f"{shown} has changed since it was read", hint=hint, field="expected_sha256"
        )


def _create(folder: int, name: str, data: bytes, shown: str) -> None:
    try:
        descriptor = os.open(name, _NEW, 0o666, dir_fd=folder)
    except FileExistsError as error:
        hint = "mode replace writes over it, an edit changes it"
        raise Refused("Conflict", f"{shown} exists already", hint=hint, field="path") from error
    try:
        _fill(descriptor, data)
    except OSError:
        os.unlink(name, dir_fd=folder)
        raise
    finally:
        os.close(descriptor)


def _append(folder: int, name: str, data: bytes, size: int) -> None:
    descriptor = os.open(name, _THERE | os.O_APPEND, dir_fd=folder)
    try:
        _fill(descriptor, data)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)  # a part of a line is worse than none
        raise
    finally:
        os.close(descriptor)


def _put(folder: int, name: str, data: bytes, old: _Old | None, *, is_seen: bool) -> None:
    """Write a file beside it and rename: whoever reads sees the old or the new one, whole.

    Where the caller has seen the old one, nobody else may have changed it since.
    """
    beside = f".wand-{secrets.token_hex(8)}.tmp"
    descriptor = os.open(beside, _NEW, 0o600, dir_fd=folder)
    try:
        _fill(descriptor, data)
        _dress(descriptor, old)
        if old is not None and is_seen:
            _check_unchanged(folder, name, old)
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside, dir_fd=folder)
        raise
    finally:
        os.close(descriptor)


def _dress(descriptor: int, old: _Old | None) -> None:
    """Owner and mode as they were; where we may not give it away, it is ours, and never with a set-id bit."""
    if old is None:
        os.fchmod(descriptor, 0o666 & ~_UMASK)
        return
    mode, new = old.mode, os.fstat(descriptor)
    if old.owner != (new.st_uid, new.st_gid):
        try:
            os.fchown(descriptor, *old.owner)
        except PermissionError:
            mode &= ~(stat.S_ISUID | stat.S_ISGID)
    os.fchmod(descriptor, mode)


def _fill(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.write(descriptor, view)
        if written == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        view = view[written:]
    os.fsync(descriptor)
