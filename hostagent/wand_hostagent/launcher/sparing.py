"""Whom the kernel ends when the machine has no memory left: the launcher is spared, its jobs are not.

The launcher's unit has it ended last (`OOMScoreAdjust=`), and every process has that from its parent. A job
that kept it would outlive whatever else the machine runs.
"""

from contextlib import suppress
from pathlib import Path

_SCORE, _NAME = "oom_score_adj", "comm"  # proc(5)


def is_spared() -> bool:
    """Whether the kernel would rather end others than this process."""
    try:
        return int(Path("/proc/self", _SCORE).read_text()) < 0
    except (OSError, ValueError):
        return False


def is_apart(pid: int) -> bool:
    """Whether a child is another program by now: until then it has our memory, and a score is of both."""
    try:
        return Path("/proc", str(pid), _NAME).read_bytes() != Path("/proc/self", _NAME).read_bytes()
    except OSError:
        return False


def stop_with_child(pid: int) -> bool:
    """The same as `stop`, of a child of ours and of its own child; False where it has none yet."""
    try:
        children = Path("/proc", str(pid), "task", str(pid), "children").read_text().split()
    except OSError:
        return False
    for one in (str(pid), *children):
        stop(one)
    return bool(children)


def stop(pid: int | str = "self") -> None:
    """That process is one as any other, and so are those that it will start."""
    with suppress(OSError):
        Path("/proc", str(pid), _SCORE).write_text("0")
