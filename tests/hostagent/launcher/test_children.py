"""Processes that lost their init are the launcher's to end and to collect."""

import subprocess
import sys
from pathlib import Path

import wand_hostagent

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

    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=30)

    assert done.stdout == "True []\n"
