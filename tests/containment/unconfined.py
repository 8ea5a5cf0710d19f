"""The control: the same attempt by the same user with nothing around it but the theatre."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from containment.confined import ROW_SECONDS, launcher, leaks
from containment.outcome import Outcome, bystander_is_harmed
from containment.rows import Row
from containment.scene import LEAK, PATH, Scene

_OF_A_LAUNCHER = ("{launcher}", "{ledger}", "{profile}", "{state}")


def attempt(row: Row, scene: Scene) -> Outcome:
    """Run the row and say how it ended."""
    if row.beside:
        scene.add_bystander(scene.work)
    if not any(token in row.text() for token in _OF_A_LAUNCHER):
        return _attempt(row, scene)
    with launcher(scene) as stage:  # it is what the attempt is aimed at
        stage.client.ask("profiles")
        outcome = _attempt(row, scene)
        outcome.harmed = outcome.harmed or stage.harm
    return outcome


def _attempt(row: Row, scene: Scene) -> Outcome:
    if row.first:
        _run(row, scene, row.words(row.first))
    outcome = _run(row, scene, row.words(row.control or row.req))
    outcome.harmed = bystander_is_harmed(scene)
    return outcome


def _run(row: Row, scene: Scene, words: list[str]) -> Outcome:
    argv = [scene.fill(word) for word in words]
    folder = scene.work / scene.fill(row.directory)
    program = argv[0] if "/" in argv[0] else shutil.which(argv[0], path=PATH)
    if program is None:
        return Outcome("absent", 127)
    if "$PPID" in "".join(words):  # it looks at its parent
        argv, program = ["sh", "-c", '"$@"; exit $?', "sh", *argv], "/bin/sh"
    if row.terminal:
        argv, program = ["setsid", "--ctty", "--wait", *argv], "/usr/bin/setsid"
    own = {name: scene.fill(text) for name, text in row.env.items()}
    with leaks(scene) as leaked, _ends(row, scene) as ends:
        try:
            process = subprocess.Popen(
                argv, executable=program, cwd=folder, env={**scene.environment, LEAK: scene.leak, **own},
                start_new_session=True, pass_fds=leaked, **ends, **scene.who.started,
            )  # fmt: skip
        except OSError as error:
            return Outcome("absent", 127, note=str(error))
        stdin = b"" if row.terminal else scene.fill(row.stdin).encode()
        return _finish(process, stdin, float(row.limits.get("wall_seconds", ROW_SECONDS)))


@contextmanager
def _ends(row: Row, scene: Scene) -> Iterator[dict[str, Any]]:
    """What the process reads and writes: pipes; or a terminal, its output still in a pipe for us."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if not row.terminal:
        yield pipes
        return
    master, other = os.openpty()
    try:
        os.fchown(other, scene.who.uid, -1)
        yield {**pipes, "stdin": other}
    finally:
        os.close(other)
        os.close(master)


def _finish(process: "subprocess.Popen[bytes]", stdin: bytes, seconds: float) -> Outcome:
    """Wait for the process alone: what it leaves behind may hold its streams open."""
    try:
        stdout, stderr = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired as late:
        over = process.poll() is not None
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        note = "" if over else "timed_out"
        return Outcome("ran", 128 - process.returncode, late.stdout or b"", late.stderr or b"", note)
    code = process.returncode
    return Outcome("ran", code if code >= 0 else 128 - code, stdout, stderr)
