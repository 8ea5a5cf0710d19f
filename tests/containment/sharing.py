"""Launchers that serve one row after another: to start one costs five times what a row does.

Each has a scene of its own, whose folders are emptied in place between two rows: what the launcher holds open
stays what it was. Where anything went wrong in a row, or cannot be made as new, both are thrown away.
"""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from containment import confined
from containment.confined import Stage
from containment.outcome import Outcome
from containment.rows import Row
from containment.scene import Scene, survivors

MOST_ROWS = 16  # that one launcher serves: of every so many rows one meets a launcher that has just begun
_REST_SECONDS = 0.3  # that a row's processes have to be gone in; a worker of the file tools stays
_OF_ITS_OWN = ("{launcher}", "{ledger}", "{profile}", "{state}", "{name}")


def is_shared(row: Row) -> bool:
    """Whether the row needs nothing of its launcher that another would not, and is not aimed at its files."""
    special = row.inside or row.beside or row.reach or row.root_setup
    return not special and not any(token in row.text() for token in _OF_ITS_OWN)


@dataclass(slots=True)
class Lodging:
    """A scene with a launcher that runs for it."""

    scene: Scene
    stage: Stage
    ends: ExitStack
    served: int = 0

    def attempt(self, row: Row) -> Outcome:
        """Run the row; what still runs afterwards is ended with the launcher, as where it has its own."""
        outcome = confined.attempt_on(self.stage, row)
        if outcome.harmed or not self._comes_to_rest():
            self.served = MOST_ROWS
            self.ends.close()
        return outcome

    def _comes_to_rest(self) -> bool:
        give_up = time.monotonic() + _REST_SECONDS
        while survivors(self.scene.name):
            if time.monotonic() > give_up:
                return False
            time.sleep(0.005)
        return True

    def end(self) -> None:
        self.ends.close()
        self.scene.close()


@dataclass(slots=True)
class Lodgings:
    """Those that are free; whoever needs one takes it, and brings it back."""

    opened: Callable[[], Scene]
    template: Callable[[], Path]
    _free: list[Lodging] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def one(self) -> Iterator[Lodging]:
        """A lodging that is as new; afterwards it waits for the next row, where nothing speaks against it."""
        lodging = self._taken() or self._made()
        lodging.served += 1
        try:
            yield lodging
        except BaseException:
            lodging.end()
            raise
        if lodging.served < MOST_ROWS and _is_as_new(lodging, self.template()):
            with self._lock:
                self._free.append(lodging)
        else:
            lodging.end()

    def close(self) -> None:
        while lodging := self._taken():
            lodging.end()

    def _taken(self) -> Lodging | None:
        with self._lock:
            return self._free.pop() if self._free else None

    def _made(self) -> Lodging:
        scene, ends = self.opened(), ExitStack()
        return Lodging(scene, ends.enter_context(confined.launcher(scene)), ends)


def spoil(lodging: Lodging, outcome: Outcome) -> None:
    """Have it serve no other row where this one had an effect of any kind, or did not come to its end."""
    if outcome.effect or outcome.harmed or outcome.survivors or outcome.how == "error":
        lodging.served = MOST_ROWS


def _is_as_new(lodging: Lodging, template: Path) -> bool:
    try:
        return lodging.scene.renew(template)
    except (OSError, subprocess.SubprocessError, shutil.Error):
        return False  # an attempt may leave what nobody can remove
