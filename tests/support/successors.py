"""One host agent after the other, over one fake launcher and one spool."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from support.fakelauncher import FakeLauncher, fake_launcher
from support.gates import House, house
from support.people import ANN, shell
from support.places import short_folder
from support.waiting import until
from wand_hostagent.model import Job
from wand_hostagent.positions import sealed


class Agents:
    """The one that runs, and the means to have another in its place."""

    def __init__(self, launcher: FakeLauncher, folder: Path) -> None:
        self.spool = folder / "spool"
        self._launcher, self._folder = launcher, folder
        self._last = AsyncExitStack()

    def script(self, *steps: str) -> Job:
        """A detached job that waits between its steps, until `let` lets it go on."""
        wait = f"until test -e {self._folder}/{{}}; do sleep 0.01; done"
        waits = [wait.format(number) for number in range(len(steps))]
        lines = [line for pair in zip(waits, steps, strict=True) for line in pair]
        return shell("\n".join(lines[1:]), detached=True)

    def let(self, number: int) -> None:
        (self._folder / str(number)).touch()

    async def next(self, **parts: Any) -> House:
        await self.stop()
        return await self._last.enter_async_context(house(self._launcher.path, self.spool, **parts))

    async def stop(self) -> None:
        await self._last.aclose()

    async def begin(self, asked: Job, stdout: int, stderr: int = 0) -> None:
        """Have a first one run the job until so much is read, and go."""
        first = await self.next()
        async with aclosing(first.gate.run(ANN, asked)) as events:
            await anext(events)
        await until(lambda: first.jobs.of("ann", asked.id).offsets() == (stdout, stderr))
        await self.stop()

    def cut(self, asked: Job, kept: int, name: str = "stdout") -> None:
        """Leave only so much of a file."""
        file = self.spool / f"{asked.id}.{name}"
        file.write_bytes(file.read_bytes()[:kept])

    def end_launcher(self) -> None:
        """Have a new launcher, which knows no job."""
        self._launcher.die()
        self._launcher.listen()

    def counted(self) -> list[str]:
        return [job for _, job, _ in sealed((self.spool / "positions").read_bytes())]


@asynccontextmanager
async def one_after_the_other() -> AsyncIterator[Agents]:
    """None runs yet; in the end none is left."""
    with fake_launcher() as launcher, short_folder() as folder:
        agents = Agents(launcher, folder)
        try:
            yield agents
        finally:
            await agents.stop()
