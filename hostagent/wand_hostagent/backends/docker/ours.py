"""Our containers on an engine, known by a label: removed when they should be, or when dockerd is back."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from wand_hostagent.backends.docker.engine import Engine, EngineError, is_gone
from wand_proto.errors import Ambiguous, WandError

log = logging.getLogger(__name__)

OWNER, JOB = "wand.owner", "wand.job"  # labels of what is ours to remove
KEPT = "wand.kept"  # of what a later host agent may follow: the name of its backend
AGAIN_SECONDS = (1.0, 60.0)  # after which it is tried again, at first and at most


class Ours:
    """All of one owner; close it."""

    def __init__(self, engine: Engine, owner: str) -> None:
        self.engine = engine
        self.labels: Mapping[str, str] = {OWNER: owner}
        self._left: list[str] = []
        self._removing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Try no more."""
        if self._removing is not None:
            self._removing.cancel()
            await asyncio.gather(self._removing, return_exceptions=True)

    async def every(self) -> list[dict[str, Any]]:
        """What there is, as dockerd lists it."""
        ((name, owner),) = self.labels.items()
        query = {"all": "1", "filters": f'{{"label":["{name}={owner}"]}}'}
        return list(await self.engine.ask("GET", "/containers/json", query=query))

    async def removed(self, container: str) -> None:
        """Remove a container with all that is in it.

        Raises:
            WandError: it may be there still.
        """
        try:
            await self.engine.ask("DELETE", f"/containers/{container}", query={"force": "1", "v": "1"})
        except EngineError as error:
            if not is_gone(error):
                raise Ambiguous(f"a container may be there still: {error.message[:300]}") from error

    async def remove(self, container: str) -> None:
        """The same; where it cannot be now, it is tried again until it can."""
        try:
            await self.removed(container)
        except WandError as error:
            log.warning("container left behind", extra={"container": container, "error": str(error)})
            self._left.append(container)
            if self._removing is None or self._removing.done():
                self._removing = asyncio.create_task(self._remove_left(), name="containers left behind")

    async def _remove_left(self) -> None:
        seconds, most = AGAIN_SECONDS
        while self._left:
            await asyncio.sleep(seconds)
            with contextlib.suppress(WandError):
                await self.removed(self._left[0])
                log.info("container removed", extra={"container": self._left.pop(0)})
                continue
            seconds = min(2 * seconds, most)

    async def sweep(self, backends: Collection[str]) -> None:
        """Remove what an earlier host agent has left, as far as dockerd answers.

        What may be followed again, those backends sweep when they know what is.
        """
        await self._sweep(lambda labels: labels.get(KEPT) not in backends)

    async def sweep_kept(self, backend: str, jobs: Collection[str]) -> None:
        """Remove those of a backend that might have been followed again, but for those jobs."""
        await self._sweep(lambda labels: labels.get(KEPT) == backend and labels.get(JOB) not in jobs)

    async def _sweep(self, is_meant: Callable[[Mapping[str, str]], bool]) -> None:
        try:
            left = [one for one in await self.every() if is_meant(one.get("Labels") or {})]
        except (EngineError, WandError) as error:
            log.warning("containers not swept", extra={"error": str(error)})
            return
        for container in left:
            await self.remove(str(container["Id"]))
        if left:
            log.warning("containers swept", extra={"count": len(left)})
