"""A server that is told to stop, with a call and a stream open on each of its transports."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from support.places import free_port, short_folder
from support.running import COMMAND, Running
from support.visits import recorded
from support.waiting import until
from support.ways import WAYS, Place, Way

BEYOND_SECONDS = 8.0  # for answers to leave and for the process to end; nothing else is on this machine


@dataclass(frozen=True, slots=True)
class Server:
    """One more server of the same host agent."""

    place: Place
    process: subprocess.Popen[bytes]

    async def stopped(self) -> float:
        """The seconds that it took to end, which it did in order."""
        began = time.monotonic()
        assert await asyncio.to_thread(self.process.wait, 60) == 0
        return time.monotonic() - began


@contextlib.contextmanager
def serving(wand: Running, folder: Path, stop_seconds: float) -> Iterator[Server]:
    port = free_port()
    settings = wand.state / "stopping.toml"
    text = (wand.state / "server.toml").read_text()
    for name, value in {
        "port": f"{port}\nlegacy_sse = true", "socket": f'"{folder}/s"', "stop_seconds": str(stop_seconds),
    }.items():  # fmt: skip
        text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
    settings.write_text(text)
    settings.chmod(0o600)
    reading, writing = os.pipe()
    argv = [str(COMMAND), "serve", "--settings", str(settings), "--ready-fd", str(writing)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, pass_fds=[writing], stderr=log, stdin=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as ready:
            assert ready.readline(), (folder / "log").read_text()[-4000:]
        yield Server(Place(f"http://127.0.0.1:{port}", f"{folder}/s", wand.key), process)
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def all_ways(wand: Running, server: Server, command: str) -> AsyncIterator[dict[str, Way]]:
    """A client on each transport, whose call runs."""
    before = len(recorded(wand, "run"))
    async with aiohttp.ClientSession() as client, contextlib.AsyncExitStack() as opened:
        ways = {
            name: await opened.enter_async_context(way(client, server.place, command))
            for name, way in WAYS.items()
        }
        await until(lambda: len(recorded(wand, "run")) == before + len(WAYS))
        yield ways


async def said(ways: dict[str, Way]) -> tuple[dict[str, str], dict[str, str]]:
    """What each call was answered, and how the server left."""
    async with asyncio.timeout(60):
        answers = {name: await way.answer for name, way in ways.items()}
        return answers, {name: await way.leave for name, way in ways.items()}


def check_leaves(leaves: dict[str, str]) -> None:
    assert '"resultType":"complete"' in leaves["stateless"]
    assert leaves["session"].endswith("retry: 2000\r\n\r\n")
    assert leaves["legacy_sse"].endswith("retry: 2000\r\n\r\n")
    assert leaves["websocket"] == "1001 restart"
    assert leaves["stdio"].startswith("1 wand-server stdio: the server closed the connection: it stops")


async def test_calls_come_to_their_end_and_every_stream_is_told(wand: Running, tmp_path: Path) -> None:
    with short_folder() as folder, serving(wand, folder, 30) as server:
        async with all_ways(wand, server, "sleep 2; echo the end") as ways, aiohttp.ClientSession() as other:
            server.process.send_signal(signal.SIGTERM)
            stopped = asyncio.create_task(server.stopped())
            async with other.get(f"{server.place.origin}/readyz") as answer:
                ready = answer.status, (await answer.json())["status"]
            answers, leaves = await said(ways)
        assert (ready, await stopped < 2 + BEYOND_SECONDS) == ((503, "leaving"), True)
    assert [name for name, text in answers.items() if "the end\\n" not in text] == []
    check_leaves(leaves)


@pytest.mark.parametrize("signals", [1, 2])
async def test_calls_that_last_are_cut_off_and_their_clients_know_it(wand: Running, signals: int) -> None:
    with short_folder() as folder, serving(wand, folder, (600, 0.5)[signals == 1]) as server:
        async with all_ways(wand, server, "sleep 600") as ways:
            jobs = {run["job"] for run in recorded(wand, "run")[-len(WAYS) :]}
            server.process.send_signal(signal.SIGTERM)
            if signals == 2:
                await until(lambda: "server stopping" in (folder / "log").read_text())
                server.process.send_signal(signal.SIGTERM)
            stopped = asyncio.create_task(server.stopped())
            answers, leaves = await said(ways)
        assert await stopped < BEYOND_SECONDS
    assert [name for name, text in answers.items() if "the server stopped while this ran" not in text] == []
    check_leaves(leaves)
    await until(lambda: jobs <= {end["job"] for end in recorded(wand, "end")})
