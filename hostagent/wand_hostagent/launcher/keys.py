"""The keys of a profile: what each must be, how it is read, and the words for what would be right."""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from wand_hostagent.launcher.egress import destinations
from wand_hostagent.launcher.namespaces import NETWORKS
from wand_hostagent.launcher.protocol import LIMIT_NAMES
from wand_hostagent.launcher.refusal import Refused

# What can be promised of a job; see guarantees.py.
GUARANTEES = (
    "process tree", "launcher death", "processes seen", "no new privileges", "run as", "resource ceilings",
    "file system", "system calls", "network", "programs",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
EACH = "each"  # instead of a user's name: every principal has one of its own
PRINCIPAL = "{principal}"  # in a path: the principal's own folder there
_USERS = range(1000, 2**32 - 2)
_FRACTIONS = frozenset({"wall_seconds", "cpu_seconds"})  # the other limits are whole numbers


def value(key: str, untrusted: Mapping[str, Any]) -> Any:
    """What stands under that key, read.

    Raises:
        Refused: it is not what it must be.
    """
    read, right = KEYS[key]
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
    if PRINCIPAL in text:
        raise ValueError(f"{PRINCIPAL} may end the path of a workspace or of one of its directories")
    return str(PurePosixPath("/" + text.lstrip("/")))


def _folder(value: Any) -> str:
    """A folder that a job is shown: not the whole machine, and not what each job has of its own."""
    path = PurePosixPath(_path(value))
    if path.parts[:2] in {("/",), ("/", "proc"), ("/", "dev")}:
        raise ValueError(f"{path} is never shown")
    return str(path)


def _own_folder(value: Any) -> str:
    """A folder, perhaps one of each principal's own: then that is the last part of the path."""
    text = _text(value)
    shared = text.removesuffix(f"/{PRINCIPAL}")
    return _folder(text) if shared == text else f"{_folder(shared or '/')}/{PRINCIPAL}"


def _own_folders(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(_own_folder, value))


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


def _destinations(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(str, destinations.read_all(map(_text, value)).entries))


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


def _principals(value: Any) -> tuple[str, ...]:
    names = _globs(value)
    if not names:
        raise ValueError("nobody could use it")
    return names


def _users(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2 or any(type(one) is not int for one in value):
        raise TypeError
    first, last = value
    if first > last or first not in _USERS or last not in _USERS or 65534 in range(first, last + 1):
        raise ValueError(f"{first} to {last}")
    return first, last


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


KEYS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "name": (_name, "letters, digits, dots and dashes, at most 64"),
    "workspace": (_own_folder, "the absolute path of a folder, without .."),
    "directories": (_own_folders, "a list of absolute paths of folders, without .."),
    "read_only": (_folders, "a list of absolute paths of folders, without .."),
    "principals": (_principals, 'a list of names or globs of principals, such as ["alice", "ci-*"]'),
    "run_as": (_text, f'the name of a user, or "{EACH}" for one of each principal\'s own'),
    "users": (
        _users,
        "the first and the last number that may be given, such as [70000, 70999], 65534 not among",
    ),
    "path": (_search_path, "absolute paths with colons between them"),
    "environment": (_environment, 'a table of text, such as { LANG = "C.UTF-8" }'),
    "environment_allowed": (_globs, 'a list of names or globs, such as ["CI", "LC_*"]'),
    "umask": (_umask, 'an octal number in quotes, such as "022"'),
    "network": (_network, f"one of {', '.join(NETWORKS)}"),
    "destinations": (_destinations, 'a list such as ["name.example:443", "*.name.example:80"]'),
    "visible": (_folders, "a list of absolute paths, without .."),
    "hidden": (_paths, "a list of absolute paths, without .."),
    "programs": (_paths, "a list of absolute paths of programs"),
    "execute_in_workspace": (_flag, "true or false"),
    "minimum": (_guarantees, f"a list of guarantees: {', '.join(GUARANTEES)}"),
    "landlock_abi_minimum": (_version, "a version of the Landlock interface, such as 6"),
    "limits": (_limits, f"a table of positive numbers: {', '.join(sorted(LIMIT_NAMES))}"),
}
