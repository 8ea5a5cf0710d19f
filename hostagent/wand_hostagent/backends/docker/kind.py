"""Jobs in containers of a Docker engine: one for each job, or some that wait."""

import hashlib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from wand_hostagent.backends.base import BackendKind, ExecutionBackend, Surroundings
from wand_hostagent.backends.docker.engine import Engine
from wand_hostagent.backends.docker.once import Once
from wand_hostagent.backends.docker.ours import Ours
from wand_hostagent.backends.docker.places import DockerSettings
from wand_hostagent.backends.docker.warm import Warm


class Docker(BackendKind[DockerSettings]):
    """A backend for each place of the table."""

    settings = DockerSettings

    @asynccontextmanager
    async def open(
        self, settings: DockerSettings, around: Surroundings
    ) -> AsyncIterator[Sequence[ExecutionBackend]]:
        """The places, swept; where dockerd is away they are there all the same, and say so."""
        engine = Engine(around.folder / settings.socket)
        ours = Ours(engine, _owner(around))
        names = [f"{around.name}:{name}" for name in settings.places]
        await ours.sweep(names)
        warm = [
            Warm(f"{around.name}:{name}", place, ours)
            for name, place in settings.places.items()
            if place.warm
        ]
        once = [
            Once(f"{around.name}:{name}", place, ours)
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
            await ours.sweep(names)
            await ours.close()
            engine.close()


def _owner(around: Surroundings) -> str:
    """By which we know our containers from those of another host agent on the same engine."""
    told = f"{socket.gethostname()}\n{around.folder}\n{around.name}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


KIND = Docker
