"""A server that is told to stop: what it still takes, and how long it waits."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.edge import Edge, edge


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


async def status_of(served: Edge, path: str) -> int:
    async with served.client.get(served.origin + path) as answer:
        return answer.status


@pytest.mark.parametrize(("health", "ready"), [([True], 200), ([False], 503)])
async def test_it_is_ready_while_it_reaches_the_host_agent(
    served: Edge, health: list[bool], ready: int
) -> None:
    served.health[:] = health
    assert (await status_of(served, "/livez"), await status_of(served, "/readyz")) == (200, ready)


async def test_calls_that_run_come_to_their_end_and_new_ones_are_refused(served: Edge) -> None:
    running = asyncio.create_task(served.ask(**served.call("slow")))
    await asyncio.wait_for(served.tools.slow_began.wait(), 20)

    leaving = asyncio.create_task(served.transport.kernel.leave(30))
    await asyncio.sleep(0)
    refused = (await served.ask(**served.call("echo")))[1]["result"]
    unready = await status_of(served, "/readyz")
    served.tools.slow_may_end.set()

    assert (await running)[1]["result"]["isError"] is False
    assert await asyncio.wait_for(leaving, 20) is True
    assert (refused["isError"], "nothing was done" in refused["content"][0]["text"], unready) == (
        True,
        True,
        503,
    )


async def test_it_does_not_wait_for_ever(served: Edge) -> None:
    running = asyncio.create_task(served.ask(**served.call("slow")))
    await asyncio.wait_for(served.tools.slow_began.wait(), 20)

    assert await served.transport.kernel.leave(0.01) is False

    served.tools.slow_may_end.set()
    await running


async def test_without_calls_it_leaves_at_once(served: Edge) -> None:
    assert await asyncio.wait_for(served.transport.kernel.leave(30), 20) is True
