"""Numbers of the kernel's interface, a second time: numbers.txt has the calls, with their numbers on x86-64
and arm64.

Sources: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h and include/uapi/linux of
Linux
6.18. Where a machine has the headers, they are asked too.
"""

import re
import struct
from pathlib import Path

import pytest

from wand_hostagent.launcher import landlock, mounts, seccomp, syscalls
from wand_hostagent.launcher.egress import confine
from wand_hostagent.launcher.landlock import Ruleset
from wand_hostagent.launcher.sight import Item, Kind

ROWS = [line.split() for line in Path(__file__).with_name("numbers.txt").read_text().splitlines()]
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}  # fmt: skip
NEW = 9 + 2  # where a header of an older kernel lacks calls, no more than these


def numbers(machine: str, *uses: str) -> dict[str, int]:
    """The calls of these uses, with their numbers on that kind of processor."""
    column = 1 if machine == "x86_64" else 2
    return {row[0]: int(row[column]) for row in ROWS if row[column] != "-" and set(uses) & set(row[3:])}


def column(table: dict[str, tuple[int | None, int | None]], place: int) -> dict[str, int]:
    return {name: number for name, both in table.items() if (number := both[place]) is not None}


@pytest.mark.parametrize(("place", "machine"), list(enumerate(HEADERS)))
def test_every_call_has_its_number(place: int, machine: str) -> None:
    assert column(dict(seccomp.NUMBERS), place) == numbers(machine, "denied", "workshops", "args")
    assert column(dict(confine._CALLS), place) == numbers(machine, "proxy")
    assert syscalls._NUMBERS[machine] == numbers(machine, "launcher")


@pytest.mark.parametrize("machine", list(HEADERS))
def test_the_numbers_are_those_of_the_headers(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("no headers of the kernel here")
    text = HEADERS[machine].read_text()
    known = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    ours = numbers(machine, "denied", "workshops", "args", "proxy", "launcher")
    assert {name: known[name] for name in ours if name in known} == {
        name: ours[name] for name in ours if name in known
    }
    assert len(ours.keys() - known.keys()) <= NEW


def test_which_calls_are_denied_in_which_way() -> None:
    assert {row[0] for row in ROWS if "workshops" in row} == set(seccomp._FOR_WORKSHOPS)
    assert {row[0] for row in ROWS if "args" in row} == set(seccomp._ASKED)


ITEMS = [
    Item(path="/usr", source="/usr", kind=Kind.READ, is_folder=True),
    Item(path="/etc/x", source="/etc/x", kind=Kind.READ, is_folder=True),
    Item(path="/f", source="/f", kind=Kind.READ, is_folder=False),
    Item(path="/work", source="/work", kind=Kind.WRITE, is_folder=True),
    Item(path="/tmp", source="/tmp", kind=Kind.EMPTY, is_folder=True),
    Item(path="/c", source="/c", kind=Kind.COVER, is_folder=True),
]  # fmt: skip
READ, EXECUTE = 0b1100, 1  # LANDLOCK_ACCESS_FS_READ_FILE and _READ_DIR, _EXECUTE
WRITE = 0b0111_0111_1011_1110  # all before IOCTL_DEV but EXECUTE, MAKE_CHAR and MAKE_BLOCK
DEVICE = READ | 1 << 1 | 1 << 14 | 1 << 15  # WRITE_FILE, TRUNCATE, IOCTL_DEV
ALWAYS = {"/proc": READ | 2, "/dev": DEVICE}


@pytest.mark.parametrize(
    ("executable", "own_tree", "wanted"),
    [
        (True, True, {"/": READ, **ALWAYS, "/dev/shm": WRITE | 1, "/work": WRITE | 1, "/tmp": WRITE | 1,
        "/usr": READ | 1}),
        (False, True, {"/": READ, **ALWAYS, "/dev/shm": WRITE, "/work": WRITE, "/tmp": WRITE,
        "/usr": READ | 1}),
        (False, False, {**ALWAYS, "/dev/shm": WRITE, "/work": WRITE, "/tmp": WRITE, "/usr": READ | 1,
        "/etc/x": READ, "/f": READ}),
    ],
)  # fmt: skip
def test_what_may_be_done_where(executable: bool, own_tree: bool, wanted: dict[str, int]) -> None:  # noqa: FBT001
    found = landlock.rules(ITEMS, executable=executable, own_tree=own_tree)
    assert {rule.path: rule.rights for rule in found} == wanted


@pytest.mark.parametrize(
    ("version", "files", "more"),
    [
        (1, 0x1FFF, b""), (2, 0x3FFF, b""), (3, 0x7FFF, b""), (4, 0x7FFF, struct.pack("=Q", 3)),
        (5, 0xFFFF, struct.pack("=Q", 3)), (6, 0xFFFF, struct.pack("=QQ", 3, 3)),
    ],
)  # fmt: skip
def test_a_ruleset_handles_all_that_its_kernel_knows(version: int, files: int, more: bytes) -> None:
    assert landlock.attributes(Ruleset(rules=(), deny_tcp=True), version) == struct.pack("=Q", files) + more
    said = landlock.attributes(Ruleset(rules=()), version)
    assert said[8:16] in (b"", bytes(8))


@pytest.mark.parametrize(("version", "count"), [(0, 4), (1, 3), (2, 3), (3, 2), (4, 1), (5, 1), (6, 0)])
def test_what_a_kernel_does_not_check_is_said(version: int, count: int) -> None:
    assert len(landlock.lacks(version)) == count


def test_a_rule_for_a_file_has_no_right_of_folders(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    rules = tuple(landlock.Rule(str(path), 0xFFFF) for path in (tmp_path / "f", tmp_path, tmp_path / "none"))
    found = landlock.fitting(Ruleset(rules=rules), 5)
    assert [rule.rights for rule in found] == [1 | 2 | 4 | 1 << 14 | 1 << 15, 0xFFFF]


def test_flags_and_options_are_the_kernels() -> None:
    assert (syscalls.MS_RDONLY, syscalls.MS_NOSUID, syscalls.MS_NODEV, syscalls.MS_NOEXEC) == (1, 2, 4, 8)
    assert (syscalls.MS_BIND, syscalls.MS_REC, syscalls.MS_PRIVATE) == (4096, 16384, 262144)
    assert (mounts._AT_HERE, mounts._RECURSIVE, mounts._REMOVE_DIRECTORY, mounts._DETACH) == (
        -100,
        0x8000,
        0x200,
        2,
    )
    spaces = (
        "CLONE_NEWNS",
        "CLONE_NEWCGROUP",
        "CLONE_NEWUTS",
        "CLONE_NEWIPC",
        "CLONE_NEWUSER",
        "CLONE_NEWPID",
        "CLONE_NEWNET",
    )
    assert [getattr(syscalls, name) for name in spaces] == [
        0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
    ]  # fmt: skip
    assert (syscalls.CLONE_PIDFD, syscalls.CLONE_INTO_CGROUP, syscalls.CLOSE_RANGE_CLOEXEC) == (
        0x1000,
        0x200000000,
        4,
    )
    options = ("PDEATHSIG", "DUMPABLE", "NAME")
    assert [getattr(syscalls, f"PR_SET_{name}") for name in options] == [1, 4, 15]
    assert (syscalls.PR_CAPBSET_DROP, syscalls.PR_SET_CHILD_SUBREAPER, syscalls.PR_SET_NO_NEW_PRIVS) == (
        24,
        36,
        38,
    )
    assert (syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL) == (47, 4)
