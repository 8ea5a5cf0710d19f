"""How often somebody may ask: buckets as a table of times, then over a socket."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from support.edge import Edge, edge, legacy
from support.waiting import until
from wand_server.auth import keyfile
from wand_server.auth.keyfile import Wanted
from wand_server.transports import limits
from wand_server.transports.limits import Buckets, Limits, Rate, Rates, block_of
from wand_server.transports.replies import Refused
from wand_server.transports.routes import Open

NEVER = Rate(per_second=0, burst=1)
TIGHT = Rate(per_second=0.001, burst=2)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


def test_a_bucket_gives_its_burst_and_then_as_it_fills() -> None:
    times = iter([0, 0, 0, 0.25, 0.5, 10, 10, 10])
    bucket = Buckets(Rate(per_second=2, burst=2), lambda: next(times))

    assert [bucket.take("a") for _ in range(8)] == [0, 0, 0.5, 0.25, 0, 0, 0, 0.5]


def test_one_bucket_leaves_the_others_full() -> None:
    buckets = Buckets(Rate(per_second=1, burst=1), lambda: 0.0)

    assert [buckets.take(name) > 0 for name in ("a", "a", "b")] == [False, True, False]


def test_no_more_buckets_are_kept_than_may_be_and_the_busy_ones_stay() -> None:
    buckets = Buckets(Rate(per_second=1, burst=1), lambda: 0.0, most=10)
    for number in range(1000):
        buckets.take("busy")
        buckets.take(str(number))

    assert (len(buckets), buckets.take("busy") > 0) == (10, True)


def test_without_a_rate_nothing_is_counted() -> None:
    buckets = Buckets(NEVER)

    assert [buckets.take("a") for _ in range(100)] == [0.0] * 100
    assert len(buckets) == 0


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
        ("a:b", "a:b"),
    ],
)
def test_an_address_counts_with_its_block(address: str, block: str) -> None:
    assert block_of(address) == block


async def post(server: Edge, key: str = "") -> tuple[int, str | None, Any]:
    asked = server.call("echo", None, **({"Authorization": f"Bearer {key}"} if key else {}))
    async with server.client.post(server.url, **asked) as answer:
        return answer.status, answer.headers.get("Retry-After"), await answer.json()


async def test_who_asks_too_often_is_told_when_to_come_back(server: Edge) -> None:
    server.transport.limits.change(Rates(principal=TIGHT))
    first, second, third = [await post(server) for _ in range(3)]

    assert (first[0], second[0], third[0]) == (200, 200, 429)
    assert third[1] is not None
    assert 900 <= int(third[1]) <= 1000
    assert (third[2]["error"]["code"], "requests come from probe" in third[2]["error"]["message"]) == (
        -31429,
        True,
    )
    assert (await post(server, server.other_key))[0] == 200


async def test_an_address_that_asks_too_often_is_refused_before_its_key_is_looked_at(server: Edge) -> None:
    server.transport.limits.change(Rates(address=TIGHT))

    assert [(await post(server, "wand_wrong"))[0] for _ in range(3)] == [401, 401, 429]


async def test_what_strangers_may_ask_they_may_ask_no_oftener(server: Edge) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(text="token")

    server.transport.more_routes = {"/oauth/token": {"GET": Open(answer)}}
    server.transport.switch(websocket=True, legacy_sse=False)
    server.transport.limits.change(Rates(address=TIGHT))

    found = [await server.client.get(f"{server.origin}/oauth/token") for _ in range(3)]
    assert [one.status for one in found] == [200, 200, 429]
    assert (await server.client.get(f"{server.origin}/livez")).status == 200


async def test_failed_sign_ins_are_slowed_and_an_owner_at_the_same_address_comes_in(
    server: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.transport.limits.change(Rates(failed_sign_ins=TIGHT))
    held = asyncio.Event()
    waited: list[float] = []

    async def hold(seconds: float) -> None:
        waited.append(seconds)
        await held.wait()

    monkeypatch.setattr(limits, "_hold", hold)
    assert [(await post(server, "wand_wrong"))[0] for _ in range(2)] == [401, 401]
    slow = asyncio.create_task(post(server, "wand_wrong"))
    await until(lambda: bool(waited))
    owner = await post(server)
    held.set()

    assert (owner[0], (await slow)[0], waited) == (200, 429, [limits.FAILURE_SECONDS])


async def test_no_more_answers_are_held_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    never = asyncio.Event()

    async def hold(_: float) -> None:
        await never.wait()

    monkeypatch.setattr(limits, "_hold", hold)
    every = Limits(Rates(failed_sign_ins=Rate(per_second=0.001, burst=1)))
    await every.count_failure("192.0.2.7")
    held = [asyncio.create_task(every.count_failure("192.0.2.7")) for _ in range(limits.MOST_HELD)]
    await asyncio.sleep(0)

    with pytest.raises(Refused):
        await asyncio.wait_for(every.count_failure("192.0.2.7"), 20)

    for task in held:
        task.cancel()
    await asyncio.wait(held)


async def test_who_brings_no_key_at_all_has_not_failed(server: Edge) -> None:
    server.transport.limits.change(Rates(failed_sign_ins=TIGHT))
    for _ in range(5):
        async with server.client.get(server.url) as answer:
            assert answer.status == 401


async def test_who_brings_a_key_that_has_expired_has_guessed_nothing(
    server: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.auth.keys._LOOK_AGAIN_SECONDS", 0)
    server.transport.limits.change(Rates(failed_sign_ins=TIGHT))
    late = keyfile.add(tmp_path / "keys.toml", "late", Wanted(lives_seconds=0))

    assert {(await post(server, late))[0] for _ in range(5)} == {401}
    assert (await post(server, "wand_wrong"))[0] == 401


async def test_messages_on_a_websocket_are_counted(server: Edge) -> None:
    server.transport.limits.change(Rates(principal=TIGHT))
    headers = {"Authorization": f"Bearer {server.key}"}
    async with server.client.ws_connect(server.url, protocols=["mcp"], headers=headers) as socket:
        answers = []
        for number in (1, 2):
            await socket.send_json(legacy("ping", message_id=number))
            frame = await socket.receive(5)
            assert frame.type is WSMsgType.TEXT
            answers.append(frame.json())

    assert (answers[1]["id"], answers[1]["error"]["code"]) == (2, -31429)


async def test_clients_behind_a_proxy_that_is_believed_are_counted_apart(server: Edge) -> None:
    server.transport.limits.change(Rates(address=TIGHT, principal=NEVER))
    refused: list[str] = []
    server.transport.refused = lambda address, _: refused.append(address)

    async def statuses(client: str, key: str = "") -> list[int]:
        call = server.call("echo", {"text": "x"}, X_Forwarded_For=client, **_bearer(key))
        return [(await server.ask(**call))[0] for _ in range(3)]

    assert await statuses("198.51.100.7") == [200, 200, 429]  # it is believed by nobody: all are one
    server.transport.proxies = (ipaddress.ip_network("127.0.0.1"),)
    assert await statuses("198.51.100.8") == [200, 200, 429]
    assert await statuses("203.0.113.9, 198.51.100.8") == [429, 429, 429]
    assert await statuses("198.51.100.9", "wand_wrong") == [401, 401, 429]
    assert refused == ["198.51.100.9"] * 2


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}
