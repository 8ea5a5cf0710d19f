"""What a machine gives and what a profile demands, as a table: where the two do not meet, it denies."""

import dataclasses
from typing import Any

import pytest

from wand_hostagent.launcher import guarantees, users
from wand_hostagent.launcher.box import Box
from wand_hostagent.launcher.keys import GUARANTEES
from wand_hostagent.launcher.profile import Profile, Shelf

ROOT = Box(
    flags=0x20020000, fresh_proc=True, uid=0, gid=0, own_tree=True, spaces=True, landlock=7, filters=True
)
PROFILE = Profile(name="p", workspace="/srv/work", user=users.own())
SUMS = frozenset({"memory", "pids", "cpu"})
NOTHING: dict[str, Any] = {
    "flags": 0, "fresh_proc": False, "own_tree": False, "spaces": False, "landlock": 0, "filters": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "profile", "missing"),
    [
        ({}, {}, ""),
        ({"landlock": 0}, {}, ""),
        ({"landlock": 0}, {"programs": ("/bin/ls",)}, "programs"),
        ({"landlock": 2}, {"landlock_abi_minimum": 3}, "is 3, and this kernel has Landlock 2"),
        ({"landlock": 0}, {"landlock_abi_minimum": 3}, "is 3, and this kernel has no Landlock"),
        ({"own_tree": False}, {}, "file system"),
        ({"own_tree": False}, {"minimum": ()}, ""),
        ({"own_tree": False}, {"minimum": ("file system",)}, "file system"),
        ({"spaces": False}, {}, "network"),
        ({"spaces": False}, {"network": "host"}, ""),
        ({"connected": False}, {"network": "host"}, "PrivateNetwork=no in its unit"),
        ({"connected": False}, {"network": "none"}, ""),
        ({"proxy": True}, {"network": "proxy"}, ""),
        ({}, {"network": "proxy"}, "told of one by --egress"),
        ({"spaces": False, "proxy": True}, {"network": "proxy", "minimum": ()}, "network"),
        ({"filters": False}, {}, "system calls"),
        ({"fresh_proc": False}, {}, ""),
        ({"fresh_proc": False}, {"minimum": ("processes seen",)}, "processes seen"),
        ({}, {"minimum": ("run as",)}, "run as"),
        ({}, {"minimum": ("resource ceilings",)}, "not for the whole job: memory, pids, cpu"),
        ({"sums": SUMS}, {"minimum": ("resource ceilings",)}, ""),
        ({"sums": SUMS - {"pids"}}, {"minimum": ("resource ceilings",)}, "not for the whole job: pids"),
        ({"no_sums": "set Delegate=yes"}, {"minimum": ("resource ceilings",)}, "set Delegate=yes"),
        (NOTHING, {}, "process tree"),
    ],
)
def test_a_profile_denies_where_the_machine_lacks_what_it_demands(
    machine: dict[str, Any], profile: dict[str, Any], missing: str
) -> None:
    box, one = dataclasses.replace(ROOT, **machine), dataclasses.replace(PROFILE, **profile)
    fitting = guarantees.fitting(Shelf(profiles={"p": one}, broken={}), box, lenient=False)
    assert list(fitting.profiles) == ([] if missing else ["p"])
    assert missing in fitting.broken.get("p", "")


@pytest.mark.parametrize(
    ("demanded", "missing"),
    [({}, ""), ({"minimum": ("file system",)}, "file system"), ({"programs": ("/bin/ls",)}, "programs")],
)
def test_whoever_develops_has_what_there_is_but_for_what_the_profile_names(
    demanded: dict[str, Any], missing: str
) -> None:
    box, one = dataclasses.replace(ROOT, **NOTHING), dataclasses.replace(PROFILE, **demanded)
    fitting = guarantees.fitting(Shelf(profiles={"p": one}, broken={}), box, lenient=True)
    assert missing in fitting.broken.get("p", "")
    assert list(fitting.profiles) == ([] if missing else ["p"])


def test_every_guarantee_has_a_name_that_a_profile_can_demand() -> None:
    from_machine = guarantees.of(ROOT, [dataclasses.replace(PROFILE, programs=("/bin/ls",))])
    assert {one.name for one in from_machine} == set(GUARANTEES)
