"""The table of the child's system calls: its order, its printed form, its hash."""

import dataclasses
from pathlib import Path

import pytest

from wand_hostagent.launcher import confinement, syscalls, users
from wand_hostagent.launcher.confinement import last_capability
from wand_hostagent.launcher.step import Memory
from wand_hostagent.launcher.steps import Body, Command, Table
from wand_hostagent.launcher.walls import Walls

OWN = users.own()
OTHER = dataclasses.replace(OWN, name="nobody", uid=65534, gid=65534, groups=(5, 6), changes=True)
COMMAND = Command(
    program=b"/bin/true", argv=(b"true", b"x"), environment=(b"A=1",), streams=(10, 11, 12), directory=13,
    directory_path=b"/work", rlimits={4: (0, 0)}, user=OWN, drop_capabilities=False, umask=0o022,
    walls=Walls(tree=None, ruleset=None),
)  # fmt: skip
PLAIN = """\
prctl(PR_SET_NO_NEW_PRIVS, 1)
rt_sigaction(SIGPIPE, SIG_DFL, 0, 8)
rt_sigaction(SIGXFSZ, SIG_DFL, 0, 8)
setsid()
dup3(stdin, 0, 0)
dup3(stdout, 1, 0)
dup3(stderr, 2, 0)
prlimit64(0, RLIMIT_CORE, {0, 0}, 0)
fchdir(directory)
prctl(PR_SET_PDEATHSIG, SIGKILL)
close_range(3, ~0, CLOSE_RANGE_CLOEXEC)
umask(0o022)
rt_sigprocmask(SIG_SETMASK, none, 0, 8)
execve(program, argv, environment)"""


def test_the_table_reads_as_what_is_done() -> None:
    assert str(Table(COMMAND)) == PLAIN


def test_another_user_is_become_in_this_order_and_before_the_directory_is_entered() -> None:
    table = Table(dataclasses.replace(COMMAND, user=OTHER, drop_capabilities=True))
    shown = str(table).splitlines()
    start = shown.index("setgroups({5, 6})")
    assert shown[start:-5] == [
        "setgroups({5, 6})",
        "setresgid(65534, 65534, 65534)",
        "setresuid(65534, 65534, 65534)",
        "capset({_LINUX_CAPABILITY_VERSION_3, 0}, none)",
        "fchdir(directory)",
    ]


def test_what_no_job_may_have_is_gone_before_anything_of_a_job_is_done() -> None:
    command = dataclasses.replace(COMMAND, user=OTHER, drop_capabilities=True)
    firm = str(Table(command)).splitlines()[: Body(command).place(0)]
    assert sum(line.startswith("prctl(PR_CAPBSET_DROP") for line in firm) == last_capability() + 1
    assert firm[last_capability() + 1] == "prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)"
    assert firm[last_capability() + 3] == "prctl(PR_SET_NO_NEW_PRIVS, 1)"


@pytest.mark.parametrize(
    ("status", "dropped"),
    [
        ("CapBnd:\t0000000000000081\n", ["PR_CAPBSET_DROP, 0", "PR_CAPBSET_DROP, 7"]),
        ("", [f"PR_CAPBSET_DROP, {number}" for number in range(last_capability() + 1)]),
    ],
    ids=["what there is", "all where that cannot be read"],
)
def test_an_init_drops_what_its_launcher_can_give_it(
    monkeypatch: pytest.MonkeyPatch, status: str, dropped: list[str]
) -> None:
    last = last_capability()
    monkeypatch.setattr(confinement, "last_capability", lambda: last)
    monkeypatch.setattr(Path, "read_text", lambda *_: status)
    bounds = confinement.bounds()
    steps = confinement.confine(COMMAND.walls, 5, Memory(), drop_capabilities=True, bounds=bounds)
    assert [f"prctl({word})" for word in dropped] == [
        one.shown for one in steps if "PR_CAPBSET_DROP" in one.shown
    ]


def test_equal_boxes_have_equal_hashes_whatever_they_run() -> None:
    other = dataclasses.replace(COMMAND, program=b"/bin/false", argv=(b"false",), streams=(20, 21, 22))
    assert Table(COMMAND).digest == Table(other).digest


@pytest.mark.parametrize(
    "change",
    [
        {"umask": 0o077},
        {"rlimits": {}},
        {"rlimits": {4: (0, 1)}},
        {"user": OTHER},
        {"drop_capabilities": True},
    ],
)
def test_another_box_has_another_hash(change: dict[str, object]) -> None:
    assert Table(COMMAND).digest != Table(dataclasses.replace(COMMAND, **change)).digest  # type: ignore[arg-type] # each has the field's type


def test_both_processors_have_a_number_for_every_call() -> None:
    names = [set(numbers) for numbers in syscalls._NUMBERS.values()]
    assert names[0] == names[1]
