"""Control groups where this machine has any of version 2, whatever it counts in them; tests/vm has limits."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.launcher_client import launched
from wand_hostagent.launcher import cgroup, delegation, syscalls
from wand_hostagent.launcher.cgroup import Groups, Leaf
from wand_hostagent.launcher.ends import Usage
from wand_hostagent.launcher.refusal import Refused


@pytest.fixture
def folder() -> Iterator[Path]:
    mounted = delegation._mounted()
    if mounted is None or not os.access(mounted[1], os.W_OK) or os.geteuid() != 0:
        pytest.skip("no cgroup v2 that we may divide")
    path = mounted[1] / f"wand-test-{os.getpid()}"
    path.mkdir()
    yield path
    for leaf in filter(Path.is_dir, path.iterdir()):
        leaf.rmdir()
    path.rmdir()


def groups(folder: Path) -> Groups:
    return Groups(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), frozenset())


def sleeper(leaf: Leaf) -> tuple[int, int]:
    pid, pidfd = syscalls.clone(0, leaf.descriptor)
    if pid == 0:
        os.closerange(3, 256)  # or it would hold the lock of its launcher
        signal.pause()
        os._exit(0)
    return pid, pidfd


def test_a_process_is_born_in_its_leaf_and_ends_with_it(folder: Path) -> None:
    leaf = groups(folder).leaf()
    pid, pidfd = sleeper(leaf)
    assert (folder / leaf.name / "cgroup.procs").read_text().split() == [str(pid)]
    leaf.kill()
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    os.close(pidfd)
    leaf.remove()
    assert not (folder / leaf.name).exists()


def test_a_leaf_that_is_still_full_is_removed_before_the_next_is_made(folder: Path) -> None:
    made = groups(folder)
    leaf = made.leaf()
    pid, pidfd = sleeper(leaf)
    leaf.remove()
    assert (folder / leaf.name).exists()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(pidfd)
    made.leaf().remove()
    assert not (folder / leaf.name).exists()


def test_what_an_earlier_launcher_left_is_ended_and_removed(folder: Path) -> None:
    earlier = groups(folder)
    leaf, _ = earlier.leaf(), earlier.leaf()
    pid, pidfd = sleeper(leaf)
    os.close(earlier.descriptor)
    assert groups(folder).swept == 1
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    os.close(pidfd)
    assert not any(map(Path.is_dir, folder.iterdir()))


def test_two_launchers_cannot_have_one_group(folder: Path) -> None:
    first = groups(folder)
    with pytest.raises(BlockingIOError):
        groups(folder)
    os.close(first.descriptor)


def test_what_is_not_counted_is_as_the_init_knows_it(folder: Path) -> None:
    leaf = groups(folder).leaf()
    used = leaf.usage(Usage(cpu_seconds=1.5, peak_memory_bytes=7))
    assert used == Usage(cpu_seconds=1.5, peak_memory_bytes=7)
    leaf.remove()


@pytest.mark.parametrize(
    ("limits", "counted", "files"),
    [
        ({}, {"pids"}, {"pids.max": "max"}),
        ({"processes": 20.0}, {"pids"}, {"pids.max": "21"}),
        ({"processes": 20.0}, {"memory"}, {"memory.max": "max", "memory.swap.max": "max"}),
        ({"memory_bytes": 2**20}, {"memory"}, {"memory.max": "1048576", "memory.swap.max": "0"}),
        ({"cpu_percent": 150}, {"cpu"}, {"cpu.max": "150000 100000"}),
    ],
)
def test_a_limit_is_written_where_it_is_counted(
    limits: dict[str, float], counted: set[str], files: dict[str, str]
) -> None:
    assert cgroup._files(limits, frozenset(counted)) == files


@pytest.mark.parametrize("told", ["/nonesuch", "/tmp"])
def test_a_group_that_is_named_and_is_none_is_refused(told: str) -> None:
    with pytest.raises(Refused, match="is no group of cgroup v2"):
        delegation.find(told)


def test_without_groups_it_is_said_what_is_missing_and_how_to_get_it() -> None:
    found = delegation.find("")
    if found.groups is not None:
        pytest.skip("a group has been delegated to the tests")
    assert "unified_cgroup_hierarchy=1" in found.why or "Delegate=yes" in found.why


@pytest.mark.parametrize("flags", [["--development"], ["--development", "--fork"]])
def test_a_job_sees_no_control_group_but_its_own(flags: list[str]) -> None:
    with launched("", *flags) as launcher, launcher.client() as client:
        output, _ = client.result("cat", "/proc/self/cgroup")
    assert output
    assert {line.rpartition(b":")[2] for line in output.splitlines()} == {b"/"}
