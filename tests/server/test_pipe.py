"""The pipe between a client's stdin and stdout and the server's socket: a real process, a real socket."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from support.edge import ENVELOPE, legacy, short_folder, unix_edge
from support.tools import FakeTools

START = "import sys; from wand_server.pipe import main; sys.exit(main(sys.argv[1:]))"
LIST = json.dumps(legacy("tools/list", {"_meta": ENVELOPE})).encode() + b"\n"
SLOW = json.dumps(legacy("tools/call", {"name": "slow", "_meta": ENVELOPE})).encode() + b"\n"


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


async def start(path: Path, *, stdin: int = subprocess.PIPE) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", START, "--socket", str(path),
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


async def ended(pipe: asyncio.subprocess.Process) -> tuple[int, bytes, bytes]:
    out, err = await asyncio.wait_for(pipe.communicate(), 10)
    assert pipe.returncode is not None
    return pipe.returncode, out, err


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_official_client_lists_and_calls_through_it(path: Path, mode: str) -> None:
    told: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    words = ["-c", START, "--socket", str(path)]
    transport = stdio_client(StdioServerParameters(command=sys.executable, args=words))
    async with Client(transport, mode=mode) as client:
        listed = await client.list_tools()
        called = await client.call_tool("count", {}, progress_callback=hear)

    assert (listed.tools[0].name, called.is_error, told) == ("echo", False, [1, 2, 3])


async def test_what_was_asked_before_the_end_is_answered(path: Path) -> None:
    pipe = await start(path)
    assert pipe.stdin is not None
    pipe.stdin.write(LIST)
    pipe.stdin.close()

    code, out, err = await ended(pipe)

    assert (code, json.loads(out)["id"], err) == (0, 1, b"")


async def test_a_long_answer_comes_through_whole(path: Path) -> None:
    pipe = await start(path)
    big = json.dumps(legacy("tools/call", {"name": "big", "_meta": ENVELOPE})).encode() + b"\n"
    assert pipe.stdin is not None
    pipe.stdin.write(big)
    pipe.stdin.close()

    _, out, _ = await ended(pipe)

    assert len(json.loads(out)["result"]["content"][0]["text"]) == 1_000_000


async def test_a_killed_pipe_takes_its_calls_along(path: Path, tools: FakeTools) -> None:
    pipe = await start(path)
    assert pipe.stdin is not None
    pipe.stdin.write(SLOW)
    await asyncio.wait_for(tools.slow_began.wait(), 10)

    pipe.kill()

    await asyncio.wait_for(tools.slow_cancelled.wait(), 20)
    await ended(pipe)


async def test_a_client_that_reads_no_more_ends_the_pipe(path: Path, tools: FakeTools) -> None:
    pipe = await start(path)
    assert pipe.stdin is not None
    pipe.stdin.write(SLOW)
    await asyncio.wait_for(tools.slow_began.wait(), 10)

    pipe._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # asyncio offers no other way

    assert await asyncio.wait_for(pipe.wait(), 20) == 0
    await asyncio.wait_for(tools.slow_cancelled.wait(), 20)


async def test_a_dead_parent_ends_the_pipe_though_stdin_stays_open(path: Path, tools: FakeTools) -> None:
    read, write = os.pipe()
    parent = (
        "import subprocess, sys, time\n"
        "pipe = subprocess.Popen([sys.executable, '-c', *sys.argv[1:]], stdin=0)\n"
        "print(pipe.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent, START, "--socket", str(path), stdin=read, stdout=subprocess.PIPE
    )
    os.close(read)
    os.write(write, SLOW)
    await asyncio.wait_for(tools.slow_began.wait(), 10)

    client.kill()

    await asyncio.wait_for(tools.slow_cancelled.wait(), 20)
    await ended(client)
    os.close(write)


@pytest.mark.parametrize("gone", ["never there", "nobody listens"])
async def test_where_no_server_listens_every_request_up_to_initialize_is_told(
    folder: Path, gone: str
) -> None:
    if gone == "nobody listens":
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(folder / "s"))
    pipe = await start(folder / "s")
    assert pipe.stdin is not None
    pipe.stdin.write(b'not JSON\n{"jsonrpc":"2.0","method":"note"}\n')
    pipe.stdin.write(b'{"jsonrpc":"2.0","id":"a","method":"server/discover"}\n')
    pipe.stdin.write(b'{"jsonrpc":"2.0","id":2,"method":"initialize"}\n')

    code = await asyncio.wait_for(pipe.wait(), 10)
    _, out, err = await ended(pipe)

    answers = [json.loads(line) for line in out.splitlines()]
    assert (code, [answer["id"] for answer in answers]) == (1, ["a", 2])
    assert answers[0]["error"]["code"] == -32603
    assert "--embedded" in answers[0]["error"]["data"]["hint"]
    assert str(folder / "s") in err.decode()


async def test_a_server_that_stops_ends_the_pipe_with_a_word(folder: Path, tools: FakeTools) -> None:
    async with unix_edge(folder, tools) as path:
        pipe = await start(path)
        assert pipe.stdin is not None
        pipe.stdin.write(SLOW)
        await asyncio.wait_for(tools.slow_began.wait(), 10)

    code = await asyncio.wait_for(pipe.wait(), 20)

    assert pipe.stderr is not None
    assert (code, b"server closed" in await pipe.stderr.read()) == (1, True)
    await ended(pipe)


@pytest.mark.parametrize("words", [["--socket"], ["--port", "5"], ["--socket", "a", "b"]])
def test_it_tells_how_it_is_used(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", START, *words], capture_output=True, check=False)

    assert (done.returncode, b"usage" in done.stderr) == (2, True)


def test_help_tells_of_both_ways_and_goes_to_stdout() -> None:
    done = subprocess.run([sys.executable, "-c", START, "--help"], capture_output=True, check=False)

    assert (done.returncode, b"--embedded [FOLDER]" in done.stdout, done.stderr) == (0, True, b"")
