"""Jobs in containers of a Docker engine: one for each job, or some that wait."""

import hashlib
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from wand_hostagent.backends.base import BackendKind, ExecutionBackend, Surroundings
from wand_hostagent.backends.docker.engine import Engine, EngineError
from wand_hostagent.backends.docker.once import Once, sweep
from wand_hostagent.backends.docker.places import DockerSettings
from wand_hostagent.backends.docker.warm import Warm
from wand_proto.errors import WandError

log = logging.getLogger(__name__)


class Docker(BackendKind[DockerSettings]):
    """A backend for each place of the table."""

    settings = DockerSettings

    @asynccontextmanager
    async def open(
        self, settings: DockerSettings, around: Surroundings
    ) -> AsyncIterator[Sequence[ExecutionBackend]]:
        """The places, swept; where dockerd is away they are there all the same, and say so."""
        engine = Engine(around.folder / settings.socket)
        owner = _owner(around)
        names = [f"{around.name}:{name}" for name in settings.places]
        await _sweep(engine, owner, names)
        warm = [
            Warm(f"{around.name}:{name}", place, engine, owner)
            for name, place in settings.places.items()
            if place.warm
        ]
        once = [
            Once(f"{around.name}:{name}", place, engine, owner)
            for name, place in settings.places.items()
            if not place.warm
        ]
        try:
            for one in warm:
                await one.warm_up()
            yield [*once, *warm]
        finally:
            for one in warm:
                await one.finish()
            await _sweep(engine, owner, names)
            engine.close()


def _owner(around: Surroundings) -> str:
    """By which we know our containers from those of another host agent on the same engine."""
    told = f"{socket.gethostname()}\n{around.folder}\n{around.name}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


async def _sweep(engine: Engine, owner: str, backends: Sequence[str]) -> None:
    try:
        if count := await sweep(engine, owner, backends):
            log.warning("containers swept", extra={"count": count})
    except (EngineError, WandError) as error:
        log.warning("containers not swept", extra={"error": str(error)})


KIND = Docker
