"""How jobs are started, and what becomes of processes that lost their init."""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import wand_hostagent
from wand_hostagent.launcher.children import Children
from wand_hostagent.launcher.loop import Loop

# It has three dead children that nobody has collected, and one that lives; then it has none.
LAUNCHER = """
import os, signal, sys, types
sys.path.insert(0, sys.argv[1])
from wand_hostagent.launcher import children, tree

looked = []
kill = tree.kill
tree.kill = lambda root: (looked.append(root), kill(root))
dead = [os.posix_spawn("/bin/true", ["true"], {}) for _ in range(3)]
for pid in dead:
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
alive = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
children.Children(None, None, None).reap_strays()
print(looked == [alive], tree.children(os.getpid()))
"""


def test_strays_are_collected_and_only_the_living_are_looked_up() -> None:
    home = str(Path(wand_hostagent.__file__).parents[1])
    words = [sys.executable, "-I", "-S", "-E", "-c", LAUNCHER, home]

    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=90)

    assert done.stdout == "True []\n"


def test_a_command_that_cannot_be_watched_is_not_told_to_begin() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    ended: list[bool] = []
    with ours, theirs, tempfile.TemporaryFile() as never_ready:  # epoll(7) takes no plain file
        init = SimpleNamespace(
            pid=0,
            pidfd=never_ready.fileno(),
            control=ours,
            leaf=None,
            network=-1,
            end=lambda: ended.append(True),
        )
        plan = SimpleNamespace(job="j", orders=b"x", walls=SimpleNamespace(network="none"), limits={})
        children = Children(Loop(), None, None, SimpleNamespace())  # type: ignore[arg-type]
        with pytest.raises(PermissionError):
            children.start(plan, init)  # type: ignore[arg-type]
        with pytest.raises(BlockingIOError):
            theirs.recv(1)
        assert (ended, children.running) == ([True], {})
