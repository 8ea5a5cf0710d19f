"""A whole corpus, two rows at a time: each in a scene of its own, within its time and that of all."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from containment import confined, sharing, unconfined
from containment.benign import FILES, PREPARE, trouble
from containment.outcome import Outcome, has_effect
from containment.rows import COMMANDS, Row
from containment.scene import ROOT, Scene, Who, make_template
from containment.sharing import Lodgings

WORKERS = 2
T = TypeVar("T")
R = TypeVar("R")
_BYSTANDERS = (
    "pid", "port", "udp", "socket", "run", "abstract", "shm", "memory", "kept", "locked", "inshm",
    "intmp", "tty",
)  # fmt: skip


@dataclass(slots=True)
class Play:
    """One way to run attempts: whose they are, and whether anything confines them."""

    who: Who
    controlled: bool = False  # unconfined, to see that the attempt works
    fresh: bool = False  # a launcher of its own for each row
    seconds: float = 180.0
    began: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)
    opened: int = 0
    lodgings: Lodgings = field(init=False)

    def __post_init__(self) -> None:
        self.lodgings = Lodgings(lambda: self._scene("shared"), lambda: self.template)

    @property
    def template(self) -> Path:
        return ROOT / self.who.mode / "template"

    def rows(self, rows: Iterable[Row]) -> list[tuple[Row, Outcome]]:
        """What became of each row that is a command and meant for this user."""
        mine = [row for row in rows if row.form in COMMANDS and self.who.mode in row.modes]
        return list(zip(mine, self._each(self.row, mine), strict=True))

    def benign(self, commands: Sequence[str]) -> list[tuple[str, str]]:
        """What is wrong with each command when it is confined; nothing where it works."""
        return list(zip(commands, self._each(self.command, commands), strict=True))

    def _each(self, play: Callable[[T], R], things: Sequence[T]) -> list[R]:
        self._make_template()
        try:
            with ThreadPoolExecutor(WORKERS) as pool:
                return list(pool.map(play, things))
        finally:
            self.lodgings.close()

    def _make_template(self) -> None:
        if not self.template.exists():
            make_template(FILES, self.template, self.who)

    # -- one row -----------------------------------------------------------------------------------------

    def row(self, row: Row) -> Outcome:
        """Play one row to its end; whatever goes wrong is an outcome too."""
        if time.monotonic() - self.began > self.seconds:
            return Outcome("error", note="no time was left")
        try:
            return self._alone(row) if self._is_alone(row) else self._shared(row)
        except Exception as error:  # noqa: BLE001 - one broken row must not end the others
            return Outcome("error", note=f"{type(error).__name__}: {error}")

    def _is_alone(self, row: Row) -> bool:
        return self.controlled or self.fresh or not sharing.is_shared(row)

    def _alone(self, row: Row) -> Outcome:
        scene = self._scene(row.id, inside=row.inside)
        attempt = unconfined.attempt if self.controlled else confined.attempt
        try:
            return self._play(row, scene, lambda: attempt(row, scene))
        finally:
            scene.close()

    def _shared(self, row: Row) -> Outcome:
        with self.lodgings.one() as lodging:
            outcome = self._play(row, lodging.scene, lambda: lodging.attempt(row))
            sharing.spoil(lodging, outcome)
        # another launcher might have begun it
        return self._alone(row) if outcome.how == "refused" else outcome

    def _scene(self, name: str, *, inside: bool = False) -> Scene:
        with self.lock:
            self.opened += 1
            scene = Scene(f"{self.opened:04}-{name}", self.who, inside)
        scene.open(self.template)
        return scene

    def _play(self, row: Row, scene: Scene, attempt: Callable[[], Outcome]) -> Outcome:
        if not row.beside and any(f"{{{word}}}" in row.text() for word in _BYSTANDERS):
            scene.add_bystander(scene.out)
        wrong = scene.prepare(row.setup, row.root_setup)
        if wrong:
            return Outcome("error", note=wrong)
        outcome = attempt()
        outcome.survivors = scene.close()
        strict = not self.controlled and bool(outcome.survivors or outcome.harmed)
        outcome.effect = has_effect(row, scene, outcome) or strict
        if strict:
            outcome.note = "; ".join(
                [outcome.note, outcome.harmed, *(["left running"] * bool(outcome.survivors))]
            )
        return outcome

    # -- one benign command ------------------------------------------------------------------------------

    def command(self, command: str) -> str:
        """What is wrong with a command when it is confined."""
        row = Row(id="benign", cls="benign", form="shell", req=command, kind="M", setup=PREPARE)
        free = Play(self.who, controlled=True, seconds=self.seconds, began=self.began)
        return trouble(self._with(free).row(row), self.row(row))

    def _with(self, play: "Play") -> "Play":
        """The other play, counting scenes together with this one."""
        with self.lock:
            self.opened += 1
            play.opened = self.opened * 10_000
        return play
