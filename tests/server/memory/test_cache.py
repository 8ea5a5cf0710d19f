"""What every cache promises: bounded, each value for a while, and nobody gets what is another's."""

import pytest

from wand_server.memory.cache import InMemoryCache
from wand_server.ports import Cache, Shelf

ANN, BOB = Shelf("a", "ann"), Shelf("a", "bob")
MOST = 40_000


class Clock:
    """Stands still until it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=[InMemoryCache])
def cache(request: pytest.FixtureRequest, clock: Clock) -> Cache:
    made: Cache = request.param(MOST, clock)
    return made


async def test_what_was_put_comes_back_until_its_time_is_over(cache: Cache, clock: Clock) -> None:
    await cache.put(ANN, "k", b"v", 10.0)
    assert await cache.get(ANN, "k") == b"v"
    clock.now = 10.0
    assert await cache.get(ANN, "k") is None


async def test_nobody_gets_what_was_kept_for_another_or_of_another_area(cache: Cache) -> None:
    await cache.put(ANN, "k", b"v", 10.0)
    assert await cache.get(BOB, "k") is None
    assert await cache.get(Shelf("b", "ann"), "k") is None


async def test_what_is_put_again_stands_in_place_of_the_first(cache: Cache) -> None:
    await cache.put(ANN, "k", b"v", 10.0)
    await cache.put(ANN, "k", b"w", 10.0)
    assert await cache.get(ANN, "k") == b"w"
    await cache.put(ANN, "k", b"", 0)
    assert await cache.get(ANN, "k") is None


async def test_forgetting_a_shelf_leaves_every_other_one(cache: Cache) -> None:
    shelves = [ANN, BOB, Shelf("b", "ann")]
    for shelf in shelves:
        await cache.put(shelf, "k", b"v", 10.0)
    await cache.forget(ANN)
    assert [await cache.get(shelf, "k") for shelf in shelves] == [None, b"v", b"v"]


async def test_the_one_who_has_most_gives_up_first_and_what_was_used_longest_ago(cache: Cache) -> None:
    await cache.put(BOB, "k", b"v", 10.0)
    for number in range(20):
        await cache.put(ANN, str(number), b"x" * 3000, 10.0)
        await cache.get(ANN, "0")
    assert await cache.get(BOB, "k") == b"v"
    assert await cache.get(ANN, "0") is not None
    assert await cache.get(ANN, "1") is None
    assert await cache.get(ANN, "19") is not None


async def test_what_would_fill_the_cache_alone_is_not_kept(cache: Cache) -> None:
    await cache.put(BOB, "k", b"v", 10.0)
    await cache.put(ANN, "k", b"x" * (MOST // 2), 10.0)
    assert await cache.get(ANN, "k") is None
    assert await cache.get(BOB, "k") == b"v"


async def test_a_cache_of_no_size_keeps_nothing() -> None:
    cache = InMemoryCache(0)
    await cache.put(ANN, "k", b"v", 10.0)
    assert await cache.get(ANN, "k") is None
