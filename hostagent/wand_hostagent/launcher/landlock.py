"""Landlock: what a job may do with the files that it sees, with sockets, and to other processes.

A ruleset is made in the job's own mount tree, for its rules hold on to what is mounted there. It asks for
every right that the running kernel knows; what the kernel does not know is named by `lacks`.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from wand_hostagent.launcher import syscalls
from wand_hostagent.launcher.closure import Needed
from wand_hostagent.launcher.sight import SHARED_MEMORY, SYSTEM, Item, Kind
from wand_hostagent.launcher.step import Memory, Step, step

_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_AT_HERE = -100  # AT_FDCWD
_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FOR_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _READ_FILE | _READ_DIR
_WRITE = (_IOCTL_DEV - 1) & ~(_EXECUTE | _MAKE_CHAR | _MAKE_BLOCK)
_DEVICE = _READ | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV
_TCP = 1 | 2  # bind and connect
_SCOPES = 1 | 2  # abstract sockets and signals of other domains
# What each version of the interface added to the rights for files.
_ADDED = {2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}
_LACKS = {
    1: "Landlock is not there",
    3: "truncating is not checked",
    4: "TCP is not checked",
    6: "abstract sockets and signals are not scoped",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A path of the job's tree, and the rights there and below."""

    path: str
    rights: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """All rules of a profile; everything that no rule gives is denied."""

    rules: tuple[Rule, ...]
    deny_tcp: bool = False

    def __str__(self) -> str:
        lines = [f"{rule.path} {rule.rights:#06x}" for rule in self.rules]
        return "\n".join([f"landlock {'without' if self.deny_tcp else 'any'} TCP", *lines])


def version() -> int:
    """The interface that this kernel has; 0 where it has none."""
    try:
        return syscalls.call("landlock_create_ruleset", 0, 0, _VERSION)
    except (OSError, KeyError):
        return 0


def lacks(found: int) -> list[str]:
    """What the running kernel does not check, in words."""
    return [words for needed, words in _LACKS.items() if found < needed]


def rules(items: Sequence[Item], *, executable: bool, own_tree: bool) -> tuple[Rule, ...]:
    """The rules for a list of places; in a tree of its own, a job may read whatever is there."""
    found = [Rule("/", _READ)] if own_tree else []
    found += _common(items, executable=executable)
    for item in items:
        if item.kind is Kind.READ and item.is_folder and not item.path.startswith("/etc/"):
            found.append(Rule(item.path, _READ | _EXECUTE))
        elif item.kind is Kind.READ and not own_tree:
            found.append(Rule(item.path, _READ))
    return tuple(found)


def rules_for(needed: Needed, items: Sequence[Item]) -> tuple[Rule, ...]:
    """The rules where only some programs run: of the system's folders, what they need can be read."""
    found = [Rule("/", _READ_DIR), *_common(items, executable=False)]
    shown = [item.path for item in items if item.kind is Kind.READ]
    found += [Rule(path, _READ) for path in shown if path not in SYSTEM]
    found += [Rule(path, _READ_FILE | _EXECUTE) for path in needed.executed]
    found += [Rule(path, _READ) for path in needed.read]
    return tuple(found)


def _common(items: Sequence[Item], *, executable: bool) -> list[Rule]:
    """What every job may do, and where it may write."""
    written = _WRITE | (_EXECUTE if executable else 0)
    places = [item.path for item in items if item.kind in {Kind.WRITE, Kind.EMPTY}]
    fixed = [Rule("/proc", _READ | _WRITE_FILE), Rule("/dev", _DEVICE)]
    return fixed + [Rule(path, written) for path in dict.fromkeys((SHARED_MEMORY, *places))]


def attributes(ruleset: Ruleset, found: int) -> bytes:
    """What a ruleset says of itself: struct landlock_ruleset_attr, as much as that version knows."""
    tcp, scopes = _TCP if ruleset.deny_tcp and found >= 4 else 0, _SCOPES if found >= 6 else 0
    return struct.pack("=QQQ", _known(found), tcp, scopes)[: 24 if found >= 6 else 16 if found >= 4 else 8]


def build(ruleset: Ruleset, found: int) -> int:
    """The descriptor of a ruleset for the version that was found.

    Raises:
        OSError: what the kernel answered.
    """
    packed = attributes(ruleset, found)
    memory = ctypes.create_string_buffer(packed, len(packed))
    descriptor = syscalls.call("landlock_create_ruleset", ctypes.addressof(memory), len(packed), 0)
    for rule in ruleset.rules:
        _add(descriptor, rule, _known(found))
    return descriptor


def fitting(ruleset: Ruleset, found: int) -> Iterator[Rule]:
    """The rules for what is there in the present tree, with the rights that it can have."""
    for rule in ruleset.rules:
        with suppress(FileNotFoundError):
            kind = os.stat(rule.path).st_mode  # noqa: PTH116 - text
            rights = rule.rights & _known(found) & (-1 if stat.S_ISDIR(kind) else _FOR_FILES)
            if rights:
                yield Rule(rule.path, rights)


def table(rules: Sequence[Rule], attributed: bytes, memory: Memory, free: int) -> Iterator[Step]:
    """The calls that make a ruleset; `free` is the lowest free descriptor, and becomes the ruleset's."""
    yield step("landlock_create_ruleset", memory.block(attributed), len(attributed), 0, shown="ruleset")
    for rule in rules:
        path, rule_packed = memory.text(os.fsencode(rule.path)), struct.pack("=Qi", rule.rights, free + 1)
        yield step("openat", _AT_HERE, path, os.O_PATH | os.O_CLOEXEC, 0, shown=rule.path)
        arguments = (free, _BENEATH, memory.block(rule_packed), 0)
        yield step("landlock_add_rule", *arguments, shown=f"ruleset, {rule.path} {rule.rights:#06x}")
        yield step("close", free + 1, shown=rule.path)


def _known(found: int) -> int:
    rights = _REFER - 1
    for needed, added in _ADDED.items():
        if found >= needed:
            rights |= added
    return rights


def _add(descriptor: int, rule: Rule, handled: int) -> None:
    try:
        place = os.open(rule.path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # what is not there needs no right
    try:
        rights = rule.rights & handled
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _FOR_FILES
        attributes = struct.pack("=Qi", rights, place)
        memory = ctypes.create_string_buffer(attributes, len(attributes))
        if rights:
            syscalls.call("landlock_add_rule", descriptor, _BENEATH, ctypes.addressof(memory), 0)
    finally:
        os.close(place)
