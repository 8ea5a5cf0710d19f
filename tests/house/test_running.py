"""The stages of .ci/run: what shares the machine, what is told in which order, and that nothing is left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from plan import Stage
from running import fits
from telling import Tally

from support.running import still_alive
from support.tree import ROOT

_PLAYED = """
import shlex, sys
from pathlib import Path
from plan import Plan, Stage, need
from running import run

def sh(name, text, **more):
    return Stage(name=name, seconds=20, command=shlex.join(["sh", "-c", text]), **more)

sys.exit(run({plan}, logs=Path("logs"), cores=2))
"""


def start(folder: Path, plan: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _PLAYED.format(plan=plan)],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT / ".ci")}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def told(folder: Path, plan: str) -> tuple[int, list[str]]:
    """How the plan ends, and the lines that are told, without the times in them."""
    playing = start(folder, plan)
    stages, ended = playing.communicate(timeout=30)[0].split("\n\n")
    lines = [" ".join(line.split()[:2]) if line[:1] != " " else line for line in stages.splitlines()]
    return playing.returncode, lines + ended.splitlines()


def test_what_shares_the_machine_runs_at_once_and_is_told_in_order(tmp_path: Path) -> None:
    """Either waits for the other, and the first for the second's end."""
    os.mkfifo(tmp_path / "there")
    os.mkfifo(tmp_path / "back")
    plan = 'Plan(beside=(sh("one", "echo > there; cat back"), sh("two", "cat there; echo > back")))'
    assert told(tmp_path, plan) == (0, ["ok one", "ok two", "2 passed, 0 failed, 0 skipped"])


def test_what_runs_alone_begins_when_all_before_it_have_ended(tmp_path: Path) -> None:
    plan = """Plan(
        beside=(sh("one", "touch one"), sh("two", "touch two")),
        alone=(sh("three", "test -e one && test -e two && touch three"), sh("four", "test -e three")),
    )"""
    assert told(tmp_path, plan)[1][-1] == "4 passed, 0 failed, 0 skipped"


def test_what_comes_after_others_begins_when_they_have_ended_well_or_not(tmp_path: Path) -> None:
    plan = """Plan(beside=(
        sh("one", "test -e two && test -e three", after=("two", "three", "none")),
        sh("two", "touch two; exit 1"), sh("three", "touch three", cores=2),
    ))"""
    assert told(tmp_path, plan)[1][0] == "ok one"


def test_nothing_is_run_where_the_first_fails(tmp_path: Path) -> None:
    plan = """Plan(
        first=(sh("env", "exit 3"),), beside=(sh("one", "touch one"),), alone=(sh("two", "touch two"),),
    )"""
    status, lines = told(tmp_path, plan)
    assert (status, lines[0]) == (1, "FAIL env")
    assert lines[-2:] == ["env: FAILED", "0 passed, 1 failed, 0 skipped"]
    assert not (tmp_path / "one").exists()
    assert not (tmp_path / "two").exists()


def test_a_stage_that_fails_shows_its_end_and_the_others_go_on(tmp_path: Path) -> None:
    plan = 'Plan(beside=(sh("one", "seq 99; exit 7"), sh("two", "echo shown; echo not shown", show="shown")))'
    status, lines = told(tmp_path, plan)
    assert status == 1
    assert lines[0] == "FAIL one"
    assert lines[1:61] == [f"      {number}" for number in range(41, 100)] + [lines[60]]
    assert lines[60].startswith("      stage: ")
    assert lines[61:] == ["ok two", "      shown", "one: FAILED", "1 passed, 1 failed, 0 skipped"]


def test_tests_that_failed_are_named_again_at_the_end(tmp_path: Path) -> None:
    said = (
        "echo FAILED tests/a.py::test_b - no; echo ERROR tests/c.py; echo 1 failed, 1 error in 2.0s; exit 1"
    )
    status, lines = told(tmp_path, f'Plan(beside=(sh("one", "{said}"), sh("two", "true")))')
    assert status == 1
    assert lines[-3:] == [
        "one: FAILED tests/a.py::test_b - no",
        "one: ERROR tests/c.py",
        "1 passed, 2 failed, 0 skipped",
    ]


def test_what_is_not_there_is_told_and_skips_only_what_needs_it(tmp_path: Path) -> None:
    plan = """Plan(
        beside=(sh("one", "", needs=(need("/nowhere/tool"),)), sh("two", "", wants=(need("/nowhere/toy"),))),
        alone=(sh("three", "", wants=(need("/nowhere/toy"),)),),
    )"""
    lines = ["skip one", "skip toy", "ok two", "ok three"]
    assert told(tmp_path, plan) == (0, [*lines, "2 passed, 0 failed, 2 skipped"])


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 130), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_whoever_ends_it_ends_all_of_it(tmp_path: Path, number: signal.Signals, status: int) -> None:
    os.mkfifo(tmp_path / "began")
    text = "echo $$ > began; exec sleep 60"
    playing = start(tmp_path, f'Plan(beside=(sh("one", "{text}"), sh("two", "{text}")))')
    pids: list[int] = []
    while len(pids) < 2:
        pids += map(int, (tmp_path / "began").read_text().split())
    playing.send_signal(number)
    playing.communicate(timeout=30)
    assert playing.returncode == status
    assert not still_alive(pids)


@pytest.mark.parametrize(
    ("cores", "running", "verdict"),
    [
        (1, (), "fits"),
        (1, (1,), "fits"),
        (1, (2,), "waits"),
        (0, (2,), "fits"),
        (4, (), "fits"),
        (4, (0,), "fits"),
        (4, (1,), "waits"),
    ],
)
def test_stages_share_two_processors(cores: float, running: tuple[float, ...], verdict: str) -> None:
    stages = [Stage(name="x", seconds=1, command="x", cores=each) for each in (cores, *running)]
    assert fits(stages[0], stages[1:], 2) is (verdict == "fits")


@pytest.mark.parametrize(
    ("log", "status", "counted"),
    [
        ("", 0, "1 passed, 0 failed, 0 skipped"),
        ("", 124, "0 passed, 1 failed, 0 skipped"),
        ("x\n8 passed in 1.20s\n", 0, "8 passed, 0 failed, 0 skipped"),
        ("2 failed, 8 passed, 3 skipped, 1 error in 9.00s (0:00:09)\n", 1, "8 passed, 3 failed, 3 skipped"),
        ("8 passed in 1.20s\nstage: left running: sleep\n", 99, "8 passed, 1 failed, 0 skipped"),
    ],
)  # fmt: skip
def test_tests_are_counted_where_a_stage_counts_them(log: str, status: int, counted: str) -> None:
    tally = Tally()
    tally.add(log, status)
    assert str(tally) == counted
