"""Profiles: who a job runs as, where, with what environment, and how much it may use.

They are TOML files, `NAME.toml`, trusted by owner and mode of the open file. A file that cannot be read
makes a profile that denies and says why; a reload with such a file changes nothing at all.
"""

import hashlib
import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from wand_hostagent.launcher import users
from wand_hostagent.launcher.namespaces import NETWORKS
from wand_hostagent.launcher.protocol import LIMIT_NAMES
from wand_hostagent.launcher.refusal import Refused, reason_of

# What can be promised of a job; see guarantees.py.
GUARANTEES = (
    "process tree", "launcher death", "processes seen", "no new privileges", "run as", "resource ceilings",
    "file system", "system calls", "network", "programs",
)  # fmt: skip
_FILE_BYTES = 256 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FRACTIONS = frozenset({"wall_seconds", "cpu_seconds"})  # the other limits are whole numbers
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
    for key in untrusted.keys() - _KEYS.keys():
        raise Refused("BrokenPolicy", f"{key}: unknown; the keys are {', '.join(_KEYS)}")
    values = {key: _value(key, untrusted) for key in _KEYS if key in untrusted}
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


# -- what each key must be: a reader, and the words for what would be right ------------------------------


def _value(key: str, untrusted: Mapping[str, Any]) -> Any:
    read, right = _KEYS[key]
    try:
        return read(untrusted[key])
    except (TypeError, ValueError) as error:
        wrong = f" ({error})" if str(error) else ""
        raise Refused("BrokenPolicy", f"{key}: must be {right}{wrong}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    return value


def _name(value: Any) -> str:
    if not _NAME.fullmatch(_text(value)):
        raise ValueError
    return str(value)


def _path(value: Any) -> str:
    text = _text(value)
    if not text.startswith("/") or ".." in PurePosixPath(text).parts:
        raise ValueError(repr(text))
    return str(PurePosixPath("/" + text.lstrip("/")))


def _folder(value: Any) -> str:
    """A folder that a job is shown: not the whole machine, and not what each job has of its own."""
    path = PurePosixPath(_path(value))
    if path.parts[:2] in {("/",), ("/", "proc"), ("/", "dev")}:
        raise ValueError(f"{path} is never shown")
    return str(path)


def _folders(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(_folder, value))


def _paths(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(_path, value))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _network(value: Any) -> str:
    if value not in NETWORKS:
        raise ValueError(repr(value))
    return str(value)


def _guarantees(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    for name in value:
        if name not in GUARANTEES:
            raise ValueError(f"unknown: {name!r}")
    return tuple(value)


def _version(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1000:
        raise TypeError
    return value


def _search_path(value: Any) -> str:
    return ":".join(_path(part) for part in _text(value).split(":"))


def _globs(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(map(_text, value)):
        raise TypeError
    return tuple(value)


def _environment(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or any("=" in name or not name for name in value):
        raise TypeError
    return {_text(name): _text(text) for name, text in value.items()}


def _umask(value: Any) -> int:
    mask = int(_text(value), 8)
    if not 0 <= mask <= 0o777:
        raise ValueError(value)
    return mask


def _limits(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise TypeError
    for name, amount in value.items():
        if name not in LIMIT_NAMES:
            raise ValueError(f"unknown: {name}")
        kinds = (int, float) if name in _FRACTIONS else (int,)
        if isinstance(amount, bool) or not isinstance(amount, kinds) or not 0 < amount < 2**62:
            raise ValueError(f"{name} = {amount!r}")
    return value


_KEYS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "name": (_name, "letters, digits, dots and dashes, at most 64"),
    "workspace": (_folder, "the absolute path of a folder, without .."),
    "directories": (_folders, "a list of absolute paths of folders, without .."),
    "read_only": (_folders, "a list of absolute paths of folders, without .."),
    "run_as": (_text, "the name of a user"),
    "path": (_search_path, "absolute paths with colons between them"),
    "environment": (_environment, 'a table of text, such as { LANG = "C.UTF-8" }'),
    "environment_allowed": (_globs, 'a list of names or globs, such as ["CI", "LC_*"]'),
    "umask": (_umask, 'an octal number in quotes, such as "022"'),
    "network": (_network, f"one of {', '.join(NETWORKS)}"),
    "visible": (_folders, "a list of absolute paths, without .."),
    "hidden": (_paths, "a list of absolute paths, without .."),
    "programs": (_paths, "a list of absolute paths of programs"),
    "execute_in_workspace": (_flag, "true or false"),
    "minimum": (_guarantees, f"a list of guarantees: {', '.join(GUARANTEES)}"),
    "landlock_abi_minimum": (_version, "a version of the Landlock interface, such as 6"),
    "limits": (_limits, f"a table of positive numbers: {', '.join(sorted(LIMIT_NAMES))}"),
}
