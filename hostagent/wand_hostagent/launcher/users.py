"""The user that a job runs as, read once from the system's own list."""

import grp
import os
import pwd
import stat
from contextlib import suppress
from dataclasses import dataclass

from wand_hostagent.launcher.refusal import Refused

_NOBODY = 65534  # the kernel's own number for whoever cannot be named
_SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who a job is; `changes` where that is another than the launcher."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    shell: str
    changes: bool

    def may_execute(self, about: os.stat_result) -> bool:
        """Whether the mode bits let this user execute it, as far as they tell."""
        if self.uid == 0:
            return bool(about.st_mode & 0o111)
        if about.st_uid == self.uid:
            return bool(about.st_mode & stat.S_IXUSR)
        if about.st_gid == self.gid or about.st_gid in self.groups:
            return bool(about.st_mode & stat.S_IXGRP)
        return bool(about.st_mode & stat.S_IXOTH)


def own() -> User:
    """The launcher's own user; one that the system has no entry for is called by its number."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        name, home, shell = str(uid), "/", "/bin/sh"
    else:
        name, home, shell = entry.pw_name, entry.pw_dir, entry.pw_shell or "/bin/sh"
    groups = tuple(os.getgroups())
    return User(name=name, uid=uid, gid=gid, groups=groups, home=home, shell=shell, changes=False)


def named(name: str) -> User:
    """The user of that name; only root may become another.

    Raises:
        Refused: there is no such user, or the launcher may not become it.
    """
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        hint = f"useradd --system --no-create-home {name}"
        raise Refused("BrokenPolicy", f"there is no user {name!r}", hint=hint) from error
    if entry.pw_uid == os.geteuid():
        return own()
    if os.geteuid() != 0:
        raise Refused("BrokenPolicy", f"only root can run a job as {name!r}", hint="leave run_as empty")
    groups = tuple(sorted({group.gr_gid for group in grp.getgrall() if name in group.gr_mem}))
    return User(
        name=name,
        uid=entry.pw_uid,
        gid=entry.pw_gid,
        groups=groups,
        home=entry.pw_dir,
        shell=entry.pw_shell or "/bin/sh",
        changes=True,
    )


def nobody() -> User:
    """Who stands in a profile that gives each principal a user, until it is settled for one.

    Raises:
        Refused: the launcher may not become others.
    """
    if os.geteuid() != 0:
        raise Refused("BrokenPolicy", "only root can give each principal a user", hint="leave run_as empty")
    return numbered(_NOBODY, "nobody", "/")


def numbered(number: int, name: str, home: str) -> User:
    """A user that the system's list does not have, alone in a group of the same number."""
    return User(name=name, uid=number, gid=number, groups=(), home=home, shell=_SHELL, changes=True)


def is_known(number: int) -> bool:
    """Whether the system has a user or a group of that number."""
    for find in (pwd.getpwuid, grp.getgrgid):
        with suppress(KeyError):
            find(number)
            return True
    return False


def is_named(name: str) -> bool:
    """Whether the system has a user or a group of that name."""
    for find in (pwd.getpwnam, grp.getgrnam):
        with suppress(KeyError):
            find(name)
            return True
    return False
