"""A backend that runs nothing: it remembers what it was asked, and does what it was told to."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from wand_hostagent.backends.base import ExecutionBackend, Health, Left
from wand_hostagent.model import Event, Exited, Job, Limits, Output, Reason, Started
from wand_hostagent.policy.model import Permit
from wand_proto.errors import WandError


@dataclass
class Elsewhere(ExecutionBackend):
    """Every job writes the backend's name and exits, unless it fails."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    profile: str = ""  # as another host agent tells it
    fails: Exception | None = None
    fails_after_start: WandError | None = None
    health_is: Health = field(default_factory=lambda: Health(up=True))
    asked: list[Permit] = field(default_factory=list)
    signals: list[tuple[str, int]] = field(default_factory=list)
    left: "asyncio.Future[None] | None" = None  # of every job
    swept: set[str] = field(default_factory=set)

    async def run(self, permit: Permit) -> AsyncGenerator[Event, None]:
        self.asked.append(permit)
        if self.fails is not None:
            raise self.fails
        job = permit.act
        assert isinstance(job, Job)
        yield Started(
            job=job.id,
            backend=self.name,
            profile=self.profile,
            rule=permit.rule,
            limits=Limits(),
            directory="/",
        )
        if self.fails_after_start is not None:
            raise self.fails_after_start
        written = f"{self.name}\n".encode()
        yield Output(stream="stdout", data=written, offset=0)
        yield Exited(job=job.id, reason=Reason.EXITED, stdout_bytes=len(written))

    async def follow_again(self, left: Left) -> AsyncGenerator[Event, None]:
        yield left.started()
        await asyncio.sleep(3600)  # it runs on

    async def signal(self, job: str, signal: int) -> bool:
        self.signals.append((job, signal))
        return True

    async def sweep(self, lost: Collection[str], kept: Collection[str]) -> None:
        self.swept.update(lost)

    def tidying(self, job: str) -> "asyncio.Future[None] | None":
        return self.left

    async def health(self) -> Health:
        return self.health_is


def told(records: list[tuple[str, Mapping[str, Any]]], event: str) -> list[Mapping[str, Any]]:
    """What the launcher was told of an event."""
    return [fields for name, fields in records if name == event]
