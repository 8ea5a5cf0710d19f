"""Clients that are slow on purpose: in their headers, in reading; and headers without end."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from support.edge import Edge, edge
from support.waiting import until
from wand_server.transports import unread
from wand_server.transports.unread import Unread


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


@dataclass(eq=False)
class FakeConnection:
    """What waits for its client, time after time; it is its own transport."""

    sizes: list[int]
    aborted: bool = False

    @property
    def transport(self) -> Any:
        return self

    def get_write_buffer_size(self) -> int:
        return self.sizes.pop(0)

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize(
    ("sizes", "is_cut_off"),
    [
        ([9, 9, 9, 9], True),
        ([9, 9, 12, 15], True),  # more is written, and none of it read
        ([9, 8, 7, 6], False),
        ([9, 9, 0, 9], False),
        ([9, 9, 8, 8], False),
        ([0, 0, 0, 9], False),
    ],
)
def test_a_client_that_reads_nothing_for_so_long_is_cut_off(sizes: list[int], *, is_cut_off: bool) -> None:
    looking, connection = Unread(), FakeConnection(sizes)
    for now in (0, 10, 20, unread.UNREAD_SECONDS):
        looking.cut_off([cast("unread.Connection", connection)], now)

    assert connection.aborted == is_cut_off


async def test_one_that_asks_for_much_and_reads_nothing_is_cut_off(server: Edge) -> None:
    asked = server.call("big")
    body = json.dumps(asked["json"])
    head = [f"{name}: {value}" for name, value in asked["headers"].items()]
    first = ["POST /mcp HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    one = "\r\n".join([*first, *head, "", body]).encode()
    _, writer = await asyncio.open_connection("127.0.0.1", server.transport.port, limit=1024)
    writer.write(one * 16)
    connections = server.transport._server.connections
    await until(lambda: any(one.transport and one.transport.get_write_buffer_size() for one in connections))

    looking = Unread()
    assert looking.cut_off(connections, 0) == 0
    assert looking.cut_off(connections, unread.UNREAD_SECONDS) == 1
    await until(lambda: not server.transport._server.connections)
    writer.transport.abort()


@dataclass
class Head:
    """A request's head, as it would go out."""

    lines: list[str] = field(default_factory=list)

    def wire(self) -> bytes:
        return "\r\n".join(["POST /mcp HTTP/1.1", "Host: localhost", *self.lines, "", ""]).encode()


@pytest.mark.parametrize(
    "head",
    [
        Head([f"X-{number}: 1" for number in range(500)]),
        Head(["X-Long: " + "x" * 20_000]),
        Head(["X-" + "x" * 20_000 + ": 1"]),
        Head(["no colon"]),
    ],
    ids=["many", "long", "long name", "no header"],
)
async def test_headers_without_end_are_refused(server: Edge, head: Head) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.transport.port)
    writer.write(head.wire())

    assert b" 400 " in await asyncio.wait_for(reader.readuntil(b"\r\n"), 20)
    writer.close()
    await writer.wait_closed()
