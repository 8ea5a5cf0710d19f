"""The children of the supervisor: each that dies is started again, whenever it dies."""

import os
import signal
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
