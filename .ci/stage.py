"""Run one stage of .ci/run, `stage.py SECONDS NICENESS COMMAND…`: a deadline, no input, nothing left running.

Whatever the command starts, and whatever that starts in turn, stays below this process (it is their
"subreaper"): what is still there when the command has ended is named, ended by its id, and fails the stage.
When it is told to end, or who started it dies, all of it ends. The last line of the log says what it took.
"""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # man 2 prctl
GRACE_SECONDS = 3  # for what is about to end by itself


def below(pid: int) -> list[int]:
    """Every process below `pid`, the nearest first."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in task.read_text().split()]
    return [*found, *(deeper for child in found for deeper in below(child))]


def reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def alive() -> list[int]:
    reap()
    return below(os.getpid())


def describe(pid: int) -> str:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
        return f"{pid} {' '.join(words)[:200]}"
    return str(pid)


def end_all(grace_seconds: float) -> list[str]:
    """End every process below this one; what had to be ended, after a moment of grace."""
    deadline = time.monotonic() + grace_seconds
    while alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    stubborn = [describe(pid) for pid in alive()]
    while found := alive():
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return stubborn


def terminated(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    sys.exit(143)


def took(began: float) -> str:
    """The time that has gone by, and what processors did in it, as far as what was started has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.monotonic() - began
    return f"stage: {seconds:.0f} s, and {used.ru_utime + used.ru_stime:.0f} s of processors"


def main() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, terminated)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    seconds, niceness, argv = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    os.nice(niceness)
    status, began = 1, time.monotonic()
    try:
        status = subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=seconds, check=False).returncode
    except subprocess.TimeoutExpired:
        print(f"stage: stopped after {seconds:.0f} s")
        status = 124
    finally:
        left = end_all(0 if status == 124 else GRACE_SECONDS)
        print(*(f"stage: left running: {line}" for line in left), took(began), sep="\n")
    return status or (99 if left else 0)


if __name__ == "__main__":
    sys.exit(main())
