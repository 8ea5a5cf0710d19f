"""Profiles that are another for each principal: a user, a folder and a name of its own."""

import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from wand_hostagent.launcher import few, users
from wand_hostagent.launcher.keys import PRINCIPAL
from wand_hostagent.launcher.profile import Profile
from wand_hostagent.launcher.protocol import MAX_PRINCIPAL, folder_of
from wand_hostagent.launcher.refusal import Refused, kind_of, reason_of
from wand_hostagent.launcher.register import Register

_USER_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_KEPT = 256  # settled profiles
_LISTS = ("passwd", "group")


def principal_of(why: Mapping[str, Any]) -> str:
    """Who asks, as the host agent names it; empty where it names nobody.

    Raises:
        Refused: what stands there is no name.
    """
    told = why.get("principal", "")
    if not isinstance(told, str) or len(told) > MAX_PRINCIPAL or not told.isprintable():
        raise Refused(
            "Invalid",
            f"why.principal must be printable text, at most {MAX_PRINCIPAL} characters",
            field="why",
        )
    return told


class Tenants:
    """Makes of a profile what it is for one principal; what has to be remembered for that lies in `state`."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._register = Register(f"{state}/users", users.is_known)
        self._kept: dict[tuple[str, str], tuple[Profile, Profile]] = {}
        self._ages: tuple[int, ...] = ()  # of the system's lists, when those of ours were made

    def settle(self, profile: Profile, principal: str) -> Profile:
        """The profile as that principal has it; its folders are there then.

        Raises:
            Refused: it has no number, or a folder cannot be made.
        """
        if not profile.is_personal:
            return profile
        ages = tuple(map(_age, _LISTS))
        if ages != self._ages:
            self._kept.clear()
            self._ages = ages
        key = (profile.name, principal)
        kept = self._kept.get(key)
        if kept is None or kept[0] is not profile:
            kept = few.keep(self._kept, key, (profile, self._settled(profile, principal)), most=_KEPT)
        for general, own in zip(profile.folders, kept[1].folders, strict=True):
            if general != own:
                _make_folder(own, kept[1].user)
        return kept[1]

    def close(self) -> None:
        self._register.close()

    def _settled(self, profile: Profile, principal: str) -> Profile:
        folder = folder_of(principal)
        environment = {name: text.replace(PRINCIPAL, folder) for name, text in profile.environment.items()}
        user, accounts = profile.user, ""
        if profile.users is not None:
            user = self._user(profile.users, principal, environment.get("HOME", ""))
            accounts = self._write_lists(user)
        return replace(
            profile,
            principal=principal,
            user=user,
            accounts=accounts,
            environment=environment,
            workspace=profile.workspace.replace(PRINCIPAL, folder),
            directories=tuple(path.replace(PRINCIPAL, folder) for path in profile.directories),
        )

    def _user(self, between: tuple[int, int], principal: str, home: str) -> users.User:
        if not self._state:
            hint = "start the launcher with --state DIR"
            raise Refused("Unavailable", "there is nowhere to keep which user is whose", hint=hint)
        number = self._register.number(principal, *between)
        fits = _USER_NAME.fullmatch(principal) and not users.is_named(principal)
        name = principal if fits else f"wand-{number}"
        return users.numbered(number, name, home if home.startswith("/") else f"/home/{name}")

    def _write_lists(self, user: users.User) -> str:
        """The system's lists of users and groups, and that user in them: what its jobs see."""
        folder = Path(self._state, "accounts", str(user.uid))
        lines = {
            "passwd": f"{user.name}:x:{user.uid}:{user.gid}::{user.home}:{user.shell}\n",
            "group": f"{user.name}:x:{user.gid}:\n",
        }
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, line in lines.items():
                _write_list(folder / name, Path("/etc", name), line)
        except OSError as error:
            number = error.errno or 0
            raise Refused(kind_of(number), f"{folder}: {reason_of(number)}") from error
        return str(folder)


def _age(name: str) -> int:
    """Changes when that list of the system does."""
    try:
        about = Path("/etc", name).stat()
    except OSError:
        return 0
    return hash((about.st_ino, about.st_mtime_ns, about.st_size))


def _write_list(target: Path, source: Path, line: str) -> None:
    told = source.read_text("utf-8", "surrogateescape") if source.exists() else ""
    content = f"{told}{'' if told.endswith(chr(10)) or not told else chr(10)}{line}"
    if target.exists() and target.read_text("utf-8", "surrogateescape") == content:
        return  # the same file: a tree that shows it can stay
    fresh = target.with_suffix(".new")
    fresh.write_text(content, "utf-8", "surrogateescape")
    fresh.chmod(0o644)
    fresh.replace(target)


# -- folders ---------------------------------------------------------------------------------------------


def _make_folder(path: str, user: users.User) -> None:
    """See that the folder is there and that user's, where nobody but root could have put another one.

    Raises:
        Refused: it is somebody else's, or lies where others may write.
    """
    above, name = os.path.split(path)
    try:
        parent = os.open(above, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unmade(above, error) from error
    try:
        _check_parent(os.fstat(parent), above)
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            _give_folder(name, parent, user)
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError as error:
        raise _unmade(path, error) from error
    finally:
        os.close(parent)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user.uid:
        raise Refused(
            "Denied",
            f"{path} must be a folder of user {user.uid}, who is {user.name} here",
            field="directory",
        )


def _give_folder(name: str, parent: int, user: users.User) -> None:
    """Make it that user's, and only then let it have its name: a crash leaves nothing that is half."""
    coming = f".{user.uid}.coming"
    with suppress(FileNotFoundError):
        os.rmdir(coming, dir_fd=parent)
    os.mkdir(coming, 0o700, dir_fd=parent)
    os.chown(coming, user.uid, user.gid, dir_fd=parent, follow_symlinks=False)
    os.rename(coming, name, src_dir_fd=parent, dst_dir_fd=parent)


def _check_parent(about: os.stat_result, path: str) -> None:
    if about.st_uid not in {0, os.geteuid()} or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refused(
            "BrokenPolicy",
            f"{path} must belong to root or to the launcher's user, who alone may write it:"
            " a folder is made there",
            field="profile",
        )


def _unmade(path: str, error: OSError) -> Refused:
    number = error.errno or 0
    return Refused(kind_of(number), f"{path} cannot be made: {reason_of(number)}", field="directory")
