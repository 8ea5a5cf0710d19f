"""Jobs of other host agents: each decides by its own policy, and holds them in the box of its own profile."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

from wand_hostagent.backends.base import BackendKind, ExecutionBackend, Health, JobInput, Left, Surroundings
from wand_hostagent.backends.remote import messages
from wand_hostagent.backends.remote.hosts import RemoteHost, RemoteSettings
from wand_hostagent.backends.remote.job import Asked, RemoteInput, RemoteJob
from wand_hostagent.backends.remote.link import Link, metadata
from wand_hostagent.model import Event, Job, Started
from wand_hostagent.policy.model import Permit
from wand_proto.context import Caller, new_request_id
from wand_proto.credentials import Identity
from wand_proto.errors import WandError
from wand_proto.v1 import host_pb2

HEALTH_SECONDS = 4.0
OURSELVES = "wand-hostagent"  # the principal that asks how it fares


class Agent(ExecutionBackend):
    """Jobs of one other host agent."""

    def __init__(self, name: str, host: RemoteHost, link: Link, rejoin_seconds: float) -> None:
        self.name = name
        self.labels: Mapping[str, str] = host.labels
        self._host = host
        self._link = link
        self._rejoin_seconds = rejoin_seconds
        self._running: dict[str, RemoteJob] = {}
        self._inputs: dict[str, RemoteInput] = {}

    async def health(self) -> Health:
        """Whether it answers us, and its launcher answers it."""
        us = metadata(Caller(principal=OURSELVES, request_id=new_request_id()))
        try:
            async with asyncio.timeout(HEALTH_SECONDS), self._link.used() as to:
                status = await to.host.Status(host_pb2.StatusRequest(), metadata=us)
        except TimeoutError:
            return Health(up=False, detail=f"no answer within {HEALTH_SECONDS:g} s")
        except WandError as error:
            return Health(up=False, detail=error.message)
        if not status.launcher_up:
            return Health(up=False, detail="its launcher does not answer")
        return Health(up=True, detail=f"the host agent answers; {status.jobs_running} jobs run there")

    def input_of(self, job: str) -> JobInput | None:
        return self._inputs.get(job)

    async def signal(self, job: str, signal: int) -> bool:
        """Have it sent there; it is on record there too."""
        running = self._running.get(job)
        return running is not None and await running.signal(signal)

    async def run(self, permit: Permit) -> AsyncGenerator[Event, None]:
        """Ask for it there; see `ExecutionBackend`.

        Raises:
            Denied: the policy there says no, or a person has to say yes there first.
        """
        job = permit.act
        assert isinstance(job, Job)
        asked = Asked(
            backend=self.name, job=job.id, rule=permit.rule, detached=job.detached, caller=permit.caller
        )
        running = RemoteJob(self._link, asked, self._rejoin_seconds)
        try:
            async with aclosing(running.events(messages.request(self._host, permit, job))) as events:
                async for event in events:
                    if isinstance(event, Started):
                        self._begin(job, running)
                    yield event
        finally:
            self._running.pop(job.id, None)
            if (taking := self._inputs.pop(job.id, None)) is not None:
                taking.let_go()

    def mark_of(self, job: str) -> str:
        """Its name there."""
        running = self._running.get(job)
        return running.there if running else ""

    async def follow_again(self, left: Left) -> AsyncGenerator[Event, None]:
        """Follow it from its first byte on; there it has never stopped."""
        caller = Caller(principal=left.principal, request_id=new_request_id())
        asked = Asked(backend=self.name, job=left.job, rule=left.rule, detached=True, caller=caller)
        running = self._running[left.job] = RemoteJob(
            self._link, asked, self._rejoin_seconds, there=left.mark
        )
        try:
            yield left.started()
            async with aclosing(running.rejoined()) as events:
                async for event in events:
                    yield event
        finally:
            self._running.pop(left.job, None)

    def _begin(self, job: Job, running: RemoteJob) -> None:
        self._running[job.id] = running
        is_terminal = job.terminal is not None
        if is_terminal or job.stdin or job.stdin_open:
            self._inputs[job.id] = RemoteInput(running, is_terminal=is_terminal, stays_open=job.stdin_open)


class Remote(BackendKind[RemoteSettings]):
    """A backend for each host agent of the table."""

    settings = RemoteSettings

    @asynccontextmanager
    async def open(
        self, settings: RemoteSettings, around: Surroundings
    ) -> AsyncIterator[Sequence[ExecutionBackend]]:
        """The host agents; channels are made when there is something to do."""
        links = {name: _link(name, host, around) for name, host in settings.hosts.items()}
        try:
            yield [
                Agent(f"{around.name}:{name}", host, links[name], settings.rejoin_seconds)
                for name, host in settings.hosts.items()
            ]
        finally:
            await asyncio.gather(*(link.close() for link in links.values()))


def _link(name: str, host: RemoteHost, around: Surroundings) -> Link:
    folder = around.folder
    identity = Identity(folder / host.ca, folder / host.certificate, folder / host.key)
    return Link(f"{around.name}:{name}", host.address, identity)


KIND = Remote
