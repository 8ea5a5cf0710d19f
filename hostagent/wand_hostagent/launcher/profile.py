"""Profiles: who a job runs as, where, with what environment, and how much it may use.

They are TOML files, `NAME.toml`, trusted by owner and mode of the open file. A file that cannot be read
makes a profile that denies and says why; a reload with such a file changes nothing at all.
"""

import fnmatch
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wand_hostagent.launcher import users
from wand_hostagent.launcher.keys import EACH, KEYS, PRINCIPAL, value
from wand_hostagent.launcher.namespaces import PROXY
from wand_hostagent.launcher.refusal import Refused, reason_of
from wand_hostagent.launcher.sha256 import hash_of

_FILE_BYTES = 256 * 1024
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One profile, read whole."""

    name: str
    workspace: str
    directories: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    user: users.User
    path: str = _PATH
    environment: Mapping[str, str] = field(default_factory=dict)
    environment_allowed: tuple[str, ...] = ()
    umask: int = 0o022
    limits: Mapping[str, float] = field(default_factory=dict)
    network: str = "loopback"
    destinations: tuple[str, ...] = ()
    visible: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    execute_in_workspace: bool = True
    minimum: tuple[str, ...] | None = None
    landlock_abi_minimum: int = 0
    principals: tuple[str, ...] = ()  # globs; none is everybody
    users: tuple[int, int] | None = None  # the numbers that principals get one of, where each has a user
    principal: str = ""  # for whom the profile has been settled, where it is for each another; see tenants.py
    accounts: str = ""  # the folder of the lists of users and groups that are shown then
    digest: str = ""  # SHA-256 of the file
    folders: tuple[str, ...] = field(init=False)  # where a command may start
    is_personal: bool = field(init=False)  # whether it is another for each principal

    def __post_init__(self) -> None:
        """Work out once what every job asks for."""
        folders = (self.workspace, *self.directories)
        object.__setattr__(self, "folders", folders)
        personal = self.users is not None or any(PRINCIPAL in path for path in folders)
        object.__setattr__(self, "is_personal", personal)

    def admits(self, principal: str) -> bool:
        """Whether that principal may use it; nobody has no name."""
        if not self.principals:
            return bool(principal) or not self.is_personal
        return any(fnmatch.fnmatchcase(principal, glob) for glob in self.principals) and bool(principal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All profiles of one folder, and of each file that cannot be read, why."""

    profiles: Mapping[str, Profile]
    broken: Mapping[str, str]

    def take(self, name: str, principal: str = "") -> Profile:
        """The profile of that name, for that principal.

        Raises:
            Refused: there is none, or its file cannot be read, or it is not for whoever asks.
        """
        if name in self.broken:
            raise Refused("BrokenPolicy", f"profile {name!r} denies: {self.broken[name]}", field="profile")
        profile = self.profiles.get(name)
        if profile is not None and profile.admits(principal):
            return profile
        usable = (
            ", ".join(sorted(one.name for one in self.profiles.values() if one.admits(principal))) or "none"
        )
        if not name:
            message = "no profile is named, and of those that there are none is the default"
            unread = f"; not readable: {', '.join(sorted(self.broken))}" if self.broken else ""
            hint = f'the rule of policy must say profile = "…"; there are: {usable}{unread}'
            raise Refused("Denied", message, hint=hint, field="profile")
        if profile is None:
            raise Refused(
                "Denied", f"there is no profile {name!r}", hint=f"there are: {usable}", field="profile"
            )
        if not principal:
            hint = "the host agent names it in why, as principal"
            raise Refused("Denied", f"profile {name!r} needs to know who asks", hint=hint, field="why")
        message = f"profile {name!r} is not for {principal!r}"
        raise Refused("Denied", message, hint=f"{principal} may use: {usable}", field="profile")

    def has(self, profile: Profile) -> bool:
        """Whether that very profile is on it, not another of its name."""
        found = self.profiles.get(profile.name)
        return found is not None and found.digest == profile.digest

    @property
    def default(self) -> str:
        """The profile called `default`, or the only one. One whose file cannot be read counts, and denies: no
        other takes its place.
        """
        names = {*self.profiles, *self.broken}
        if "default" in names or len(names) != 1:
            return "default" if "default" in names else ""
        return next(iter(names))


def load(folder: str, *, development: bool) -> Shelf:
    """Read every `*.toml` in `folder`.

    Raises:
        Refused: the folder itself cannot be trusted or read.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(folder, error) from error
    profiles: dict[str, Profile] = {}
    broken: dict[str, str] = {}
    try:
        _trusted(os.fstat(descriptor), folder)
        for entry in _entries(descriptor, folder):
            name = entry.removesuffix(".toml")
            try:
                profiles[name] = _profile(descriptor, entry, development=development)
            except Refused as refusal:
                broken[name] = f"{folder}/{entry}: {refusal.message}"
    finally:
        os.close(descriptor)
    return Shelf(profiles=profiles, broken=broken)


def _entries(descriptor: int, folder: str) -> list[str]:
    try:
        names = os.listdir(descriptor)  # of the folder that was checked, not of its name
    except OSError as error:
        raise _unreadable(folder, error) from error
    return sorted(name for name in names if name.endswith(".toml"))


def _unreadable(folder: str, error: OSError) -> Refused:
    return Refused("BrokenPolicy", f"{folder} cannot be read: {reason_of(error.errno or 0)}")


def _trusted(about: os.stat_result, name: str) -> None:
    if about.st_uid not in {0, os.geteuid()} or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refused(
            "BrokenPolicy", f"{name} must belong to root or to the launcher's user, who alone may write it"
        )


def _profile(folder: int, entry: str, *, development: bool) -> Profile:
    raw = _content(folder, entry)
    try:
        untrusted = tomllib.loads(raw.decode())
    except (ValueError, RecursionError) as error:  # of UnicodeDecodeError and TOMLDecodeError the parent
        raise Refused("BrokenPolicy", f"is not TOML: {error}") from error
    for key in untrusted.keys() - KEYS.keys():
        raise Refused("BrokenPolicy", f"{key}: unknown; the keys are {', '.join(KEYS)}")
    values = {key: value(key, untrusted) for key in KEYS if key in untrusted}
    if values.get("name") != entry.removesuffix(".toml"):
        raise Refused("BrokenPolicy", f"name: must be the file's own, {entry.removesuffix('.toml')!r}")
    if "workspace" not in values:
        raise Refused("BrokenPolicy", "workspace: is missing; it must be the absolute path of a folder")
    if values.get("programs") and values.setdefault("execute_in_workspace", False):
        raise Refused("BrokenPolicy", "execute_in_workspace: must be false where programs are listed")
    _check_network(values)
    run_as = values.pop("run_as", "")
    if (run_as == EACH) != ("users" in values):
        raise Refused("BrokenPolicy", f'users: must be there where run_as is "{EACH}", and nowhere else')
    user = _user(run_as, development=development)
    return Profile(**values, user=user, digest=hash_of(raw))


def _check_network(values: Mapping[str, Any]) -> None:
    """That what is said of the proxy is said where there is one."""
    if values.get("network") != "proxy":
        if values.get("destinations"):
            raise Refused("BrokenPolicy", 'destinations: count only where network is "proxy"')
        return
    own = sorted(PROXY.keys() & values.get("environment", {}).keys())
    if own:
        raise Refused("BrokenPolicy", f"environment: the launcher itself sets {', '.join(own)} here")


def _content(folder: int, entry: str) -> bytes:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(entry, flags, dir_fd=folder)
    except OSError as error:
        raise Refused("BrokenPolicy", f"cannot be opened: {reason_of(error.errno or 0)}") from error
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _FILE_BYTES:
            raise Refused("BrokenPolicy", f"must be a plain file of at most {_FILE_BYTES} bytes")
        _trusted(about, "the file")
        return os.read(descriptor, _FILE_BYTES + 1)
    finally:
        os.close(descriptor)


def _user(run_as: str, *, development: bool) -> users.User:
    if run_as:
        try:
            return users.nobody() if run_as == EACH else users.named(run_as)
        except Refused as refusal:
            message = f"run_as: {refusal.message} ({refusal.hint})"
            raise Refused(refusal.kind, message) from refusal
    if os.geteuid() == 0 and not development:
        raise Refused(
            "BrokenPolicy",
            "run_as: is missing; the launcher is root and runs nothing as root but in --development",
        )
    return users.own()
