"""One job in a container, followed by what dockerd has kept of its output.

dockerd lets go of who follows a log when the container ends, though it may not have told all of it yet: the
rest is read once more, from a log that grows no more.
"""

import asyncio
from collections.abc import Awaitable, Callable

from wand_hostagent.backends.course import StreamName
from wand_hostagent.backends.docker.engine import Wire
from wand_hostagent.backends.docker.job import AGAIN_SECONDS, ContainerJob, Means


class LoggedJob(ContainerJob):
    """Such a job; `log` opens all that has been kept of it."""

    def __init__(
        self,
        wire: Wire,
        means: Means,
        *,
        log: Callable[[], Awaitable[Wire]],
        is_terminal: bool,
    ) -> None:
        super().__init__(wire, means, is_terminal=is_terminal, is_alone=True)
        self._log = log
        self._told: dict[StreamName, int] = {"stdout": 0, "stderr": 0}
        self._known: dict[StreamName, int] | None = None  # what is left out of the second reading

    async def read(self) -> tuple[StreamName, bytes] | None:
        """What it writes next; None when all of its log has been read."""
        while True:
            part = await super().read()
            if part is None and self._known is not None:
                return None
            if part is None:
                await self._begin_again()
            elif new := self._new(*part):
                self._told[part[0]] += len(new)
                return part[0], new

    async def _begin_again(self) -> None:
        while (await self._state())["Running"]:  # noqa: ASYNC110 - dockerd tells nobody when
            await asyncio.sleep(AGAIN_SECONDS)
        self._wire.close()
        self._wire = await self._log()
        self._known = dict(self._told)

    def _new(self, stream: StreamName, data: bytes) -> bytes:
        if self._known is None:
            return data
        known = min(self._known[stream], len(data))
        self._known[stream] -= known
        return data[known:]
