"""A service is asked as often as it permits, and one that fails is tried again by one request."""

import asyncio

import pytest

from wand_proto.errors import Exhausted, Unavailable
from wand_server.integrations.kit.pace import Breaker, Bucket, Rate


def test_after_its_rest_a_service_is_tried_by_one_request_until_it_has_answered() -> None:
    now = [0.0]
    breaker = Breaker(lambda: now[0])
    for _ in range(5):
        breaker.failed()
    now[0] = 31.0

    breaker.check()
    for _ in range(3):
        with pytest.raises(Unavailable, match="left alone"):
            breaker.check()
    breaker.answered()
    for _ in range(3):
        breaker.check()


async def test_who_gives_up_waiting_leaves_the_turn_to_another() -> None:
    bucket = Bucket(Rate(1, per_seconds=60), lambda: 0.0)
    await bucket.take(0)
    waiting = asyncio.create_task(bucket.take(60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])

    with pytest.raises(Exhausted, match="used up"):
        await bucket.take(59)
    next_turn = asyncio.create_task(bucket.take(60))
    await asyncio.sleep(0)
    assert not next_turn.done()
    next_turn.cancel()
    await asyncio.wait([next_turn])
