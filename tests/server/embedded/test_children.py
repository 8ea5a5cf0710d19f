"""The children of the supervisor: each that dies is started again, whenever it dies."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from wand_server.embedded.children import Family, Stopped
from wand_server.embedded.parts import Child
from wand_server.embedded.place import Unfit

_READY = "echo > /dev/fd/$2"  # what follows the script is: --ready-fd N
_TURN = "read -r _ < /dev/fd/$4 || exit"  # and: --after-fd N
_STAY = "exec sleep 60"


def child(folder: Path, name: str, *steps: str) -> Child:
    """A child that takes these steps in a shell, in `folder`."""
    script = "\n".join(steps)
    return Child(
        name=name,
        argv=("/bin/sh", "-c", script, name),
        folder=folder,
        environment={"PATH": os.environ["PATH"]},
    )


@contextmanager
def stopped_after(seconds: float) -> Iterator[None]:
    """A supervisor that waits for ever is told to stop."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def test_a_child_that_dies_while_another_is_started_again_is_started_again_too(tmp_path: Path) -> None:
    ask_to_stop = "[ ! -e first.pid ] || { touch back; kill -TERM $PPID; }"
    first = child(tmp_path, "first", ask_to_stop, "echo $$ > first.pid", _READY, _STAY)
    see_it_die = "pid=$(cat first.pid); kill -9 $pid; until grep -q ') Z' /proc/$pid/stat; do :; done"
    second = child(tmp_path, "second", f"if mkdir once; then {_READY}; exit; fi", see_it_die, _READY, _STAY)

    with stopped_after(15), Family(tmp_path, verbose=False) as family:
        family.start(first)
        family.start(second)
        with suppress(Stopped):
            family.watch()

    assert (tmp_path / "back").exists()


def test_a_child_that_dies_again_and_again_ends_all(tmp_path: Path) -> None:
    with stopped_after(15), Family(tmp_path, verbose=False) as family:
        family.start(child(tmp_path, "mayfly", _READY, "echo why >&2", "exit 3"))

        with pytest.raises(Unfit, match=r"the mayfly ended with status 3, once too often(.|\n)*why"):
            family.watch()


def test_children_load_side_by_side_and_begin_in_order(tmp_path: Path) -> None:
    until_loaded = "until [ -e order ]; do :; done"
    first = child(tmp_path, "first", until_loaded, "echo first >> order", _READY, _STAY)
    second = child(tmp_path, "second", "echo loaded >> order", _TURN, "echo second >> order", _READY, _STAY)

    with stopped_after(15), Family(tmp_path, verbose=False) as family:
        family.start(first, second)

    assert (tmp_path / "order").read_text().split() == ["loaded", "first", "second"]


def test_who_waits_for_its_turn_is_ended_where_the_one_before_does_not_start(tmp_path: Path) -> None:
    first = child(tmp_path, "first", "echo broken >&2", "exit 3")
    second = child(tmp_path, "second", _TURN, "touch begun", _STAY)

    why = r"the first did not start(.|\n)*broken"
    with Family(tmp_path, verbose=False) as family, pytest.raises(Unfit, match=why):
        family.start(first, second)

    assert not (tmp_path / "begun").exists()


def test_who_is_started_again_keeps_nobody_waiting_where_the_front_has_ended(tmp_path: Path) -> None:
    once = f"if mkdir once; then {_READY}; exit; fi"
    server = child(tmp_path, "server", once, "touch loading", _STAY)

    with stopped_after(60), Family(tmp_path, verbose=False) as family:
        family.start(server)
        family.start_front(["/bin/sh", "-c", f"until [ -e {tmp_path}/loading ]; do :; done; exit 7"])

        assert family.watch() == 7


_FRONT = """\
import sys
from pathlib import Path
from wand_server.embedded import children
with children.Family(Path(), verbose=True) as family:
    family.start_front(["/bin/echo", "last words"])
    children.let_go()
    family.watch()
    open(int(sys.argv[1])).read()
"""


def test_a_client_sees_the_end_of_the_front_before_all_else_has_ended() -> None:
    ours, theirs = os.pipe()
    held, let_end = os.pipe()
    argv = [sys.executable, "-c", _FRONT, str(held)]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=theirs, pass_fds=[held])
    os.close(theirs)
    os.close(held)
    late = threading.Timer(60, process.kill)
    late.start()
    try:
        with os.fdopen(ours) as said:
            assert said.read() == "last words\n"
        assert process.poll() is None
    finally:
        late.cancel()
        os.close(let_end)
        process.wait(60)
