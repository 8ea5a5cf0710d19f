"""Lines of JSON-RPC over a real unix socket."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.edge import ENVELOPE, LEGACY, legacy, short_folder, unix_edge
from support.tools import FakeTools
from support.waiting import turns
from wand_proto.errors import Conflict
from wand_server.protocol.server import build
from wand_server.transports.stdio import Admitted, UnixTransport


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as path:
        yield path


@pytest.fixture
def tools() -> FakeTools:
    return FakeTools()


@pytest.fixture
async def path(folder: Path, tools: FakeTools) -> AsyncIterator[Path]:
    async with unix_edge(folder, tools) as socket_path:
        yield socket_path


class Line:
    """A client of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, path: Path) -> "Line":
        return cls(*await asyncio.open_unix_connection(str(path), limit=8 * 1024 * 1024))

    def say(self, message: Any) -> None:
        self.writer.write(json.dumps(message).encode() + b"\n")

    async def hear(self) -> Any:
        line = await asyncio.wait_for(self.reader.readline(), 20)
        return json.loads(line) if line else None

    async def ask(self, message: Any) -> Any:
        self.say(message)
        return await self.hear()

    async def initialize(self) -> None:
        about = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "p", "version": "1"}}
        assert (await self.ask(legacy("initialize", about)))["result"]["protocolVersion"] == LEGACY
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


def modern(method: str, message_id: int = 1, **params: Any) -> dict[str, Any]:
    return legacy(method, {**params, "_meta": {**ENVELOPE, **params.get("_meta", {})}}, message_id)


def call(tool: str, message_id: int = 1, **meta: Any) -> dict[str, Any]:
    return modern("tools/call", message_id, name=tool, arguments={}, _meta=meta)


async def test_both_eras_are_answered(path: Path, tools: FakeTools) -> None:
    old, new = await Line.to(path), await Line.to(path)
    await old.initialize()

    answers = [
        await old.ask(legacy("tools/call", {"name": "echo", "arguments": {"text": "old"}}, 2)),
        await new.ask(modern("tools/call", name="echo", arguments={"text": "new"})),
    ]

    assert [answer["result"]["content"][0]["text"] for answer in answers] == ["old", "new"]
    assert {call.principal.means for _, _, call in tools.calls} == {"unix_peer"}
    await old.close()
    await new.close()


async def test_progress_comes_before_the_answer(path: Path) -> None:
    line = await Line.to(path)
    line.say(call("count", progressToken="p"))

    got = [await line.hear() for _ in range(4)]

    assert [one["params"]["progress"] for one in got[:3]] == [1, 2, 3]
    assert got[3]["result"]["isError"] is False
    await line.close()


async def test_a_cancelled_call_ends_without_an_answer(path: Path, tools: FakeTools) -> None:
    line = await Line.to(path)
    line.say(call("slow", 5))
    await asyncio.wait_for(tools.slow_began.wait(), 20)

    line.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}})

    await asyncio.wait_for(tools.slow_cancelled.wait(), 20)
    assert (await line.ask(modern("tools/list", 6)))["id"] == 6
    await line.close()


async def test_a_client_that_goes_away_takes_its_calls_along(
    path: Path, tools: FakeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.transports.stdio.DRAIN_SECONDS", 60)
    line = await Line.to(path)
    line.say(call("slow"))
    await asyncio.wait_for(tools.slow_began.wait(), 20)

    await line.close()

    await asyncio.wait_for(tools.slow_cancelled.wait(), 20)


async def test_a_client_that_has_said_its_last_still_hears_the_answer(path: Path, tools: FakeTools) -> None:
    line = await Line.to(path)
    line.say(call("slow"))
    await asyncio.wait_for(tools.slow_began.wait(), 20)

    line.writer.write_eof()
    tools.slow_may_end.set()

    assert (await line.hear())["result"]["content"][0]["text"] == "done"
    assert await line.hear() is None
    await line.close()


async def test_a_client_that_only_listens_is_not_waited_for_long(
    path: Path, tools: FakeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.transports.stdio.DRAIN_SECONDS", 0.05)
    line = await Line.to(path)
    line.say(call("slow"))
    await asyncio.wait_for(tools.slow_began.wait(), 20)

    line.writer.write_eof()

    await asyncio.wait_for(tools.slow_cancelled.wait(), 20)
    await line.close()


WRONG = {b"{": -32700, b"[]": -32600, b'{"jsonrpc":"2.0","id":1,"method":3}': -32600, b"\xff": -32700}


@pytest.mark.parametrize("words", WRONG)
async def test_a_line_that_is_no_message_is_answered_and_the_next_is_read(path: Path, words: bytes) -> None:
    line = await Line.to(path)
    line.writer.write(words + b"\n\n")

    assert (await line.hear())["error"]["code"] == WRONG[words]
    assert (await line.ask(modern("tools/list")))["id"] == 1
    await line.close()


@pytest.mark.parametrize("line", [b"", b"x"])
async def test_between_two_lines_everybody_else_has_a_turn(path: Path, line: bytes) -> None:
    client = await Line.to(path)
    async with turns() as had:
        client.writer.write((line + b"\n") * 500)
        client.say(legacy("tools/list", {"_meta": ENVELOPE}, "last"))
        async with asyncio.timeout(60):
            while b'"last"' not in await client.reader.readuntil():
                pass  # without a turn for anybody, as long as lines are here

    assert had[0] >= 500
    client.writer.close()


async def test_a_line_that_is_too_long_is_answered_and_the_next_is_read(path: Path) -> None:
    line = await Line.to(path)
    line.writer.write(b" " * (9 * 1024 * 1024) + b"\n")

    assert "4194304" in (await line.hear())["error"]["message"]
    assert (await line.ask(modern("tools/list")))["id"] == 1
    await line.close()


async def test_failures_are_told_as_over_http(path: Path) -> None:
    line = await Line.to(path)
    await line.initialize()

    answers = [
        await line.ask(legacy("tools/call", {"name": "ecko", "arguments": {}}, 2)),
        await line.ask(legacy("tools/call", {"name": "broken", "arguments": {}}, 3)),
        await line.ask(legacy("tools/call", {"name": "echo", "arguments": 5}, 4)),
        await line.ask(legacy("no/such", {}, 5)),
    ]

    assert [answer["error"]["code"] for answer in answers] == [-32602, -32603, -32602, -32601]
    assert "1234" not in str(answers)
    await line.close()


async def test_what_json_cannot_say_is_said_as_near_as_it_can(path: Path) -> None:
    line = await Line.to(path)

    answer = await line.ask(call("odd"))

    assert answer["result"]["structuredContent"] == {"value": "?"}
    await line.close()


async def test_there_are_only_so_many_requests_of_one_client(
    path: Path, tools: FakeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.transports.unanswered.CEILING", 1)
    line = await Line.to(path)
    line.say(call("slow", 1))
    await asyncio.wait_for(tools.slow_began.wait(), 20)

    refused = await line.ask(call("echo", 2))

    assert (refused["id"], refused["error"]["code"]) == (2, -31429)
    tools.slow_may_end.set()
    assert (await line.hear())["id"] == 1
    assert (await line.ask(call("echo", 3)))["id"] == 3
    await line.close()


async def test_there_are_only_so_many_clients(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wand_server.transports.stdio.CONNECTIONS_CEILING", 1)
    first = await Line.to(path)
    await first.initialize()

    second = await Line.to(path)

    assert "at once" in (await second.hear())["error"]["message"]
    assert await second.hear() is None
    await first.close()
    await second.close()


async def test_a_user_who_may_not_is_told_so(folder: Path, tools: FakeTools) -> None:
    async with unix_edge(folder, tools, allowed_uid=os.geteuid() + 1) as path:
        line = await Line.to(path)

        assert "may not use this socket" in (await line.hear())["error"]["message"]
        assert await line.hear() is None
        await line.close()


async def test_a_user_who_may_no_more_is_hung_up_on_and_the_others_stay(
    folder: Path, tools: FakeTools
) -> None:
    kernel, ours = build(tools, version="1", instructions=""), os.geteuid()
    async with UnixTransport(
        kernel, folder / "s", admitted=Admitted(uids=frozenset({ours, 2**31}))
    ) as transport:
        line = await Line.to(folder / "s")
        line.say(call("slow"))
        await asyncio.wait_for(tools.slow_began.wait(), 20)

        transport.allow(Admitted(uids=frozenset({ours})))
        assert (await line.ask(call("echo", 2)))["id"] == 2
        transport.allow(Admitted(uids=frozenset({2**31})))

        assert (await line.hear())["error"]["message"] == "Connection closed"
        assert await line.hear() is None
        await asyncio.wait_for(tools.slow_cancelled.wait(), 20)
        await line.close()


async def test_who_is_not_let_in_is_told_of(folder: Path, tools: FakeTools) -> None:
    heard: list[tuple[str, str]] = []
    kernel, path = build(tools, version="1", instructions=""), folder / "s"
    async with UnixTransport(
        kernel, path, admitted=Admitted(uids=frozenset()), refused=lambda *told: heard.append(told)
    ):
        line = await Line.to(path)
        assert (await line.hear())["error"]
        await line.close()
    (where, why), *more = heard
    assert (where, more) == (f"unix:{path}", [])
    assert why.endswith("may not use this socket")


async def test_the_socket_is_its_owners_and_goes_with_the_server(folder: Path, tools: FakeTools) -> None:
    async with unix_edge(folder, tools) as path:
        assert path.stat().st_mode & 0o777 == 0o600

    assert not path.exists()


async def test_a_socket_for_other_users_can_be_reached_by_them(folder: Path, tools: FakeTools) -> None:
    async with unix_edge(folder, tools, allowed_uid=os.geteuid() + 1) as path:
        assert path.stat().st_mode & 0o777 == 0o666


@pytest.mark.parametrize(
    ("uids", "gids", "may", "mode"),
    [
        ({os.geteuid()}, set(), True, 0o600),
        (set(), {os.getegid()}, True, 0o666),
        (set(), {2**31}, False, 0o666),
        ({2**31}, set(), False, 0o666),
    ],
)
def test_users_are_admitted_by_themselves_or_by_a_group(
    uids: set[int], gids: set[int], *, may: bool, mode: int
) -> None:
    admitted = Admitted(uids=frozenset(uids), gids=frozenset(gids))
    assert (admitted.may(os.geteuid()), admitted.mode) == (may, mode)


def test_a_number_that_is_no_user_is_in_no_group() -> None:
    assert not Admitted(uids=frozenset(), gids=frozenset({os.getegid()})).may(2**31)


async def test_a_socket_on_which_nobody_listens_is_replaced(folder: Path, tools: FakeTools) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / "s"))

    async with unix_edge(folder, tools) as path:
        line = await Line.to(path)
        await line.initialize()
        await line.close()


@pytest.mark.parametrize("there", ["server", "file"])
async def test_what_stands_in_the_place_of_the_socket_is_left_alone(
    folder: Path, tools: FakeTools, there: str
) -> None:
    other = UnixTransport(
        build(tools, version="1", instructions=""),
        folder / "s",
        admitted=Admitted(uids=frozenset({os.geteuid()})),
    )
    if there == "file":
        (folder / "s").write_text("precious")
        with pytest.raises(Conflict, match="no socket"):
            await other.__aenter__()
        return
    async with unix_edge(folder, tools) as path:
        with pytest.raises(Conflict, match="another process"):
            await other.__aenter__()
        line = await Line.to(path)
        await line.initialize()
        await line.close()


async def test_a_server_that_stops_ends_its_calls(folder: Path, tools: FakeTools) -> None:
    async with unix_edge(folder, tools) as path:
        line = await Line.to(path)
        line.say(call("slow"))
        await asyncio.wait_for(tools.slow_began.wait(), 20)

    assert tools.slow_cancelled.is_set()
    await line.close()
