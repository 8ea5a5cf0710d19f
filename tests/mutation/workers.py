"""Rooms as workers: each takes the next piece of work, until there is none."""

import json
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mutation import room
from mutation.places import STATE

_STOP_SECONDS = 60.0
Work = TypeVar("Work")


class Worker:
    """A room, made when it is first asked, and made again when it broke; `prepare` is asked of each first."""

    def __init__(self, name: str, prepare: "Callable[[Worker], object]") -> None:
        self._folder = STATE / name
        self._folder.mkdir(parents=True, exist_ok=True)
        self._prepare = prepare
        self._process: subprocess.Popen[str] | None = None

    def ask(self, do: str, **more: Any) -> Any:
        """What the room answers; None where it ended instead."""
        if self._process is None:
            self._process = room.start(self._folder)
            self._prepare(self)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        if not said:
            self.close()
            return None
        return json.loads(said)

    def close(self) -> None:
        """End the room, with all that is in it."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(_STOP_SECONDS)
            self._process = None
            room.leave(self._folder)


def in_rooms(
    names: Sequence[str], work: Sequence[Work], do: Callable[[Worker, Work], None],
    prepare: Callable[[Worker], object] = lambda _: None,
) -> None:  # fmt: skip
    """Do each piece of work in the first of the rooms that is free."""
    waiting: queue.SimpleQueue[Work] = queue.SimpleQueue()
    for each in work:
        waiting.put(each)

    def one(name: str) -> None:
        worker = Worker(name, prepare)
        try:
            while True:
                do(worker, waiting.get_nowait())
        except queue.Empty:
            pass
        finally:
            worker.close()

    threads = [threading.Thread(target=one, args=[name]) for name in names[: len(work)]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
