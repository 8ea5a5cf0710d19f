"""Turns on a processor: those of the launcher are short, those of a command are as anybody's."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.launcher_client import launched
from wand_hostagent.launcher import turns
from wand_hostagent.launcher.step import Memory, run

SHORT = 100_000  # nanoseconds
HAS_THEM = tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 12)


def slice_of(told: str) -> int:
    """The length of a process's turns, by its file `sched`: proc(5)."""
    lines = [line for line in told.splitlines() if line.startswith("se.slice")]
    return int(lines[0].split(":")[1]) if lines else pytest.skip("this kernel does not tell of turns")


@pytest.mark.skipif(not HAS_THEM, reason="turns have no length of their own before Linux 6.12")
@pytest.mark.parametrize("flags", [["--development"], ["--development", "--fork"]], ids=["", "by fork"])
def test_a_launcher_has_short_turns_and_its_jobs_have_not(flags: Sequence[str]) -> None:
    with launched("", *flags) as launcher, launcher.client() as client:
        told = client.result("cat", "/proc/self/sched")[0].decode()
        assert slice_of(told) == slice_of(Path("/proc/self/sched").read_text()) != SHORT
        assert slice_of(Path(f"/proc/{launcher.process.pid}/sched").read_text()) == SHORT


@pytest.mark.skipif(not HAS_THEM, reason="turns have no length of their own before Linux 6.12")
def test_turns_are_made_short_and_long_again() -> None:
    found = os.fork()
    if not found:
        before, memory = turns.are_short(), Memory()
        turns.shorten()
        short = turns.are_short()
        failed = run([turns.as_others(memory)])
        os._exit(failed is not None or (before, short, turns.are_short()) != (False, True, False))
    assert os.waitstatus_to_exitcode(os.waitpid(found, 0)[1]) == 0


def test_who_is_scheduled_in_another_way_stays_so() -> None:
    found = os.fork()
    if not found:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        turns.shorten()
        os._exit(turns.are_short() or os.sched_getscheduler(0) != os.SCHED_BATCH)
    assert os.waitstatus_to_exitcode(os.waitpid(found, 0)[1]) == 0
