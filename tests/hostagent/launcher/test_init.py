"""The first process of a job, without a box: it takes all with it, whatever the launcher had heard of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import wand_hostagent
from support.launcher_client import marked, none_left

# The launcher's part, and not more of it: it dies with what the init has said still unread.
LAUNCHER = """
import os, socket, sys
sys.path.insert(0, sys.argv[1])
from wand_hostagent.launcher import init, users
from wand_hostagent.launcher.box import Box
from wand_hostagent.launcher.steps import Command, Table
from wand_hostagent.launcher.walls import Walls

ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
here = os.open("/", os.O_PATH)
streams = tuple(map(os.dup, (0, 1, 2)))
walls = Walls(tree=None, ruleset=None)
table = Table(Command(
    program=b"/bin/sh", argv=[b"sh", b"-c", *map(os.fsencode, sys.argv[2:])], environment=[], streams=streams,
    directory=here, directory_path=b"/", rlimits={}, user=users.own(), drop_capabilities=False, umask=0o022,
    walls=walls,
))
box = Box(flags=0, fresh_proc=False, uid=os.geteuid(), gid=os.getegid())
if os.fork() == 0:
    init.live(init.Orders(box, walls, table, theirs.fileno(), (*streams, here)))
theirs.close()
sys.stdin.read()
"""
TREE = "(sleep $0 &); sleep $0 & echo up; exec sleep $0"


def test_a_tree_ends_with_a_launcher_that_died_before_it_heard_of_it() -> None:
    marker = f"9998.{os.getpid()}{os.urandom(4).hex().translate(str.maketrans('abcdef', '012345'))}"
    home = str(Path(wand_hostagent.__file__).parents[1])
    words = [sys.executable, "-I", "-S", "-E", "-c", LAUNCHER, home, TREE, marker]

    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as launcher:
        assert launcher.stdin is not None
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == b"up\n"
        assert len(marked(marker)) >= 4
        launcher.kill()
        all_gone = none_left(marker)
        for pid in marked(marker):
            os.kill(pid, signal.SIGKILL)

    assert all_gone
