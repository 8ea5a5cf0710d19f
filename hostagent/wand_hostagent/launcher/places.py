"""Where a command starts, and which file it is: found here, by descriptor, never by the child."""

import errno
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from wand_hostagent.launcher import syscalls
from wand_hostagent.launcher.profile import Profile
from wand_hostagent.launcher.refusal import Refused, kind_of, reason_of
from wand_hostagent.launcher.spelling import show


class Place(NamedTuple):
    """A directory in the profile's folders, open (O_PATH) or not (-1); whoever gets it closes it."""

    descriptor: int
    path: str

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


def encoded(text: str, field: str) -> bytes:
    """Text from a message as the bytes that the kernel gets.

    Raises:
        Refused: it holds code points that stand for no bytes.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise Refused("Invalid", f"{text!r} cannot be written as bytes", field=field) from error


def open_directory(profile: Profile, asked: str, is_shown: Callable[[str], bool] = lambda _: True) -> Place:
    """The directory that was asked for; empty is the workspace, and relative is relative to it.

    Raises:
        Refused: there is none, or none that is shown, or it lies outside the profile's folders.
    """
    found = _split(profile, asked)
    if found is None:
        raise _outside(profile, asked)
    try:
        descriptor = _opened(profile, *found)
    except OSError as error:
        raise _no_place(profile, asked or found[0], error.errno or 0) from error
    place = Place(descriptor, os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115 - text
    if not is_shown(place.path):
        place.close()
        raise _no_place(profile, asked, errno.ENOENT)
    return place


def _opened(profile: Profile, root: str, rest: str) -> int:
    """What is at the end of the way from a folder, links and all.

    The kernel follows none that begins with a slash. Such a one is followed by name, and where it leads is
    opened as if it had been asked for: beneath a folder of the profile, or not at all.
    """
    try:
        return _open_beneath(root, encoded(rest, "directory"))
    except OSError as error:
        led = _split(profile, os.path.realpath(f"{root}/{rest}")) if error.errno == errno.EXDEV else None
        if led is None:
            raise
    return _open_beneath(led[0], encoded(led[1], "directory"))


def _split(profile: Profile, asked: str) -> tuple[str, str] | None:
    """The folder of the profile that holds the path, and the way from there; None where none does."""
    if not asked.startswith("/"):
        return profile.workspace, asked or "."
    for folder in sorted(profile.folders, key=len, reverse=True):
        for root in (folder, os.path.realpath(folder)):
            if asked == root or asked.startswith(root.rstrip("/") + "/"):
                return folder, asked[len(root) :].lstrip("/") or "."
    return None


def _open_beneath(root: str, rest: bytes) -> int:
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if rest == b".":
        return descriptor
    try:
        return syscalls.open_beneath(descriptor, rest)
    finally:
        os.close(descriptor)


def _outside(profile: Profile, asked: str) -> Refused:
    folders = ", ".join(profile.folders)
    return Refused(
        "Denied",
        f"{show(asked)} is outside the folders of profile {profile.name!r}",
        hint=f"a command may start in: {folders}, and below",
        field="directory",
    )


def _no_place(profile: Profile, asked: str, number: int) -> Refused:
    if number in {errno.EXDEV, errno.ELOOP}:
        return _outside(profile, asked)
    return Refused(
        kind_of(number), f"{show(asked)} cannot be entered: {reason_of(number)}", field="directory"
    )


def find_program(
    profile: Profile, word: str, place: Place, is_shown: Callable[[str], bool] = lambda _: True
) -> str:
    """The absolute path of the program that `word` names: as given, or along the profile's path.

    What is not shown is not there: the launcher sees files of which no caller may hear.

    Raises:
        Refused: there is none that the profile's user may execute.
    """
    if "/" in word:
        beside = os.path.join(place.path, word)  # noqa: PTH118 - Path would fold "./" and "//"
        candidates = [word if word[0] == "/" else beside]
    else:
        candidates = [f"{folder}/{word}" for folder in profile.path.split(":")] if word else []
    found = ""
    for candidate in candidates:
        about = _regular(encoded(candidate, "argv"))
        if about is None or not is_shown(candidate):
            continue
        if profile.user.may_execute(about):
            return _listed(profile, candidate)
        found = found or candidate
    if found:
        raise Refused("Denied", f"{found} is not executable by {profile.user.name}", field="argv")
    looked = f"looked for {candidates[0]}" if "/" in word else f"looked in: {profile.path}"
    raise Refused("NotFound", f"there is no program {word!r}", hint=looked, field="argv")


def _listed(profile: Profile, program: str) -> str:
    """The program, where the profile lists no programs, or this one.

    Raises:
        Refused: it lists others.
    """
    if profile.programs and os.path.realpath(program) not in map(os.path.realpath, profile.programs):
        hint = f"it may run: {', '.join(profile.programs)}"
        raise Refused("Denied", f"profile {profile.name!r} does not list {program}", hint=hint, field="argv")
    return program


def _regular(path: bytes) -> os.stat_result | None:
    try:
        about = os.stat(path)  # noqa: PTH116 - bytes, which Path does not take
    except (OSError, ValueError):
        return None
    return about if stat.S_ISREG(about.st_mode) else None
