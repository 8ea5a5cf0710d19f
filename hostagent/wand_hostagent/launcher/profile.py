"""Profiles: who a job runs as, where, with what environment, and how much it may use.

They are TOML files, `NAME.toml`, trusted by owner and mode of the open file. A file that cannot be read
makes a profile that denies and says why; a reload with such a file changes nothing at all.
"""

import hashlib
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from wand_hostagent.launcher import users
from wand_hostagent.launcher.keys import KEYS, value
from wand_hostagent.launcher.refusal import Refused, reason_of

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
    visible: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    execute_in_workspace: bool = True
    minimum: tuple[str, ...] | None = None
    landlock_abi_minimum: int = 0
    digest: str = ""  # SHA-256 of the file

    @property
    def folders(self) -> tuple[str, ...]:
        """Where a command may start."""
        return (self.workspace, *self.directories)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All profiles of one folder, and of each file that cannot be read, why."""

    profiles: Mapping[str, Profile]
    broken: Mapping[str, str]

    def take(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            Refused: there is none, or its file cannot be read.
        """
        if name in self.profiles:
            return self.profiles[name]
        if name in self.broken:
            raise Refused("BrokenPolicy", f"profile {name!r} denies: {self.broken[name]}", field="profile")
        known = ", ".join(sorted(self.profiles)) or "none"
        raise Refused("Denied", f"there is no profile {name!r}", hint=f"there are: {known}", field="profile")

    @property
    def default(self) -> str:
        """The profile called `default`, or the only one."""
        if "default" in self.profiles or len(self.profiles) != 1:
            return "default" if "default" in self.profiles else ""
        return next(iter(self.profiles))


def load(folder: str, *, development: bool) -> Shelf:
    """Read every `*.toml` in `folder`.

    Raises:
        Refused: the folder itself cannot be trusted or read.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refused("BrokenPolicy", f"{folder} cannot be read: {reason_of(error.errno or 0)}") from error
    profiles: dict[str, Profile] = {}
    broken: dict[str, str] = {}
    try:
        _trusted(os.fstat(descriptor), folder)
        names = os.listdir(descriptor)  # noqa: PTH208 - the folder that was checked, not its name
        for entry in sorted(name for name in names if name.endswith(".toml")):
            name = entry.removesuffix(".toml")
            try:
                profiles[name] = _profile(descriptor, entry, development=development)
            except Refused as refusal:
                broken[name] = f"{folder}/{entry}: {refusal.message}"
    finally:
        os.close(descriptor)
    return Shelf(profiles=profiles, broken=broken)


def _trusted(about: os.stat_result, name: str) -> None:
    if about.st_uid not in {0, os.geteuid()} or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refused(
            "BrokenPolicy", f"{name} must belong to root or to the launcher's user, who alone may write it"
        )


def _profile(folder: int, entry: str, *, development: bool) -> Profile:
    raw = _content(folder, entry)
    try:
        untrusted = tomllib.loads(raw.decode())
    except ValueError as error:  # UnicodeDecodeError and TOMLDecodeError both
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
    user = _user(values.pop("run_as", ""), development=development)
    return Profile(**values, user=user, digest=hashlib.sha256(raw).hexdigest())


def _content(folder: int, entry: str) -> bytes:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(entry, flags, dir_fd=folder)
    except OSError as error:
        raise Refused("BrokenPolicy", f"cannot be opened: {reason_of(error.errno or 0)}") from error
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _FILE_BYTES:
            raise Refused("BrokenPolicy", f"must be a plain file of at most {_FILE_BYTES} bytes")
        _trusted(about, "the file")
        return file.read(_FILE_BYTES + 1)


def _user(run_as: str, *, development: bool) -> users.User:
    if run_as:
        return users.named(run_as)
    if os.geteuid() == 0 and not development:
        raise Refused(
            "BrokenPolicy",
            "run_as: is missing; the launcher is root and runs nothing as root but in --development",
        )
    return users.own()
