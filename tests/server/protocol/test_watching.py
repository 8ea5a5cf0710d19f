"""Resources that are looked at again and again, with one that changes when it is told to."""

import asyncio
from dataclasses import dataclass, field

import pytest

from support.waiting import until
from wand_proto.errors import Exhausted, Invalid, NotFound, Unavailable, WandError
from wand_server.model import Call, Principal, ResourceContent, ResourceDescription, ResourceState
from wand_server.protocol.methods import Visit
from wand_server.protocol.watching import OF_ONE_CEILING, Watcher

ME = Visit(principal=Principal(name="me", means="api_key"))
OTHER = Visit(principal=Principal(name="other", means="api_key"))


@dataclass
class OneResource:
    """Is as it is told to be; remembers how often it was looked at."""

    now: ResourceState | WandError = field(default_factory=lambda: ResourceState(mark="a"))
    looks: int = 0

    def describe(self) -> tuple[ResourceDescription, ...]:
        return ()

    async def read(self, uri: str, call: Call) -> ResourceContent:
        raise NotFound(uri)

    async def complete(self, template: str, variable: str, begun: str, call: Call) -> tuple[str, ...]:
        return ()

    async def state(self, uri: str, call: Call) -> ResourceState:
        self.looks += 1
        if isinstance(self.now, WandError):
            raise self.now
        return self.now


@dataclass
class Watched:
    """A watch of that one, and how many changes it told of."""

    resource: OneResource
    watcher: Watcher
    told: int = 0

    async def changed(self) -> None:
        self.told += 1

    def begin(self, visit: Visit = ME) -> asyncio.Task[None]:
        watch = self.watcher.watch("any", visit, ResourceState(mark="a"), self.changed)
        return asyncio.create_task(watch)

    async def looked(self) -> None:
        before = self.resource.looks
        await until(lambda: self.resource.looks > before + 1)


@pytest.fixture
async def watched() -> Watched:
    resource = OneResource()
    return Watched(resource, Watcher(resource, look_seconds=0))


async def test_a_change_is_told_once_and_what_is_final_is_looked_at_no_more(watched: Watched) -> None:
    watch = watched.begin()
    await watched.looked()
    assert watched.told == 0

    watched.resource.now = ResourceState(mark="b")
    await watched.looked()
    assert watched.told == 1
    watched.resource.now = ResourceState(mark="c", final=True)
    await watch

    assert watched.told == 2


@pytest.mark.parametrize("gone", [NotFound("gone"), Invalid("is a folder now")])
async def test_what_is_gone_has_changed_a_last_time(watched: Watched, gone: WandError) -> None:
    watch = watched.begin()
    watched.resource.now = gone
    await watch

    assert watched.told == 1


async def test_a_host_agent_that_is_away_is_no_change(watched: Watched) -> None:
    watch = watched.begin()
    watched.resource.now = Unavailable("away")
    await watched.looked()
    watched.resource.now = ResourceState(mark="a", final=True)
    await watch

    assert watched.told == 0


async def test_a_client_that_has_left_ends_the_watch(watched: Watched) -> None:
    async def gone() -> None:
        raise ConnectionResetError

    watched.resource.now = ResourceState(mark="b")
    await watched.watcher.watch("any", ME, ResourceState(mark="a"), gone)


async def test_a_principal_watches_only_so_many_at_once_and_takes_no_room_of_others(watched: Watched) -> None:
    watches = [watched.begin() for _ in range(OF_ONE_CEILING)]
    await watched.looked()

    with pytest.raises(Exhausted, match="64 resources are watched"):
        await watched.watcher.look("any", ME)
    assert (await watched.watcher.look("any", OTHER)).mark == "a"
    watches[0].cancel()
    await asyncio.wait(watches[:1])
    assert (await watched.watcher.look("any", ME)).mark == "a"

    for watch in watches:
        watch.cancel()
    await asyncio.wait(watches)
