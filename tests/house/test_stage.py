"""A stage of .ci/run: it has a deadline, and what it leaves running fails it and is ended."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.running import still_alive
from support.tree import ROOT


def stage(seconds: float, *argv: str) -> subprocess.CompletedProcess[str]:
    words: list[str | Path] = [sys.executable, ROOT / ".ci" / "stage.py", str(seconds), "0", *argv]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("status", [0, 7])
def test_a_stage_ends_as_its_command_does(status: int) -> None:
    assert stage(20, "sh", "-c", f"exit {status}").returncode == status


def test_a_stage_that_outlives_its_deadline_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    done = stage(0.5, "sh", "-c", f"sleep 60 & echo $! > {tmp_path}/child; wait")
    assert done.returncode == 124
    assert not still_alive([int((tmp_path / "child").read_text())])


@pytest.mark.timeout(60)
def test_a_process_that_a_stage_leaves_behind_fails_it_and_is_ended(tmp_path: Path) -> None:
    done = stage(20, "sh", "-c", f"setsid sleep 60 & echo $! > {tmp_path}/child")
    assert done.returncode == 99
    assert "left running" in done.stdout
    assert "sleep 60" in done.stdout
    assert not still_alive([int((tmp_path / "child").read_text())])
