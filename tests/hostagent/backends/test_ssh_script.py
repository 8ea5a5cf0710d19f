"""What the shell of a host does with the text that it is given."""

import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from wand_hostagent.backends.ssh import script


@pytest.fixture
def living() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def gone() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(["true"])
    process.wait()
    return process


def sent(found: list[subprocess.Popen[bytes]], folder: Path) -> int:
    """What it ends with where those are found to be of the job."""
    files = " ".join(shlex.quote(f"/proc/{one.pid}/environ") for one in found)
    (folder / "grep").write_text(f"#!/bin/sh\nfor f in {files or '$none'}; do echo $f; done\n")
    (folder / "grep").chmod(0o755)
    text = script.send("job", signal.SIGTERM)
    return subprocess.run(text, shell=True, env={"PATH": f"{folder}:/usr/bin:/bin"}, check=False).returncode


def test_a_signal_is_sent_though_the_last_that_was_found_has_ended(
    living: subprocess.Popen[bytes], gone: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert sent([living, gone], tmp_path) == 0
    assert living.wait(10) == -signal.SIGTERM


def test_a_signal_is_not_sent_where_nobody_is_left(gone: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert sent([gone], tmp_path) == 1
    assert sent([], tmp_path) == 1
