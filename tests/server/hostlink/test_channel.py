"""The link tells why it is down, says so once, and takes up renewed certificates without a break."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support import certificates
from support.host import call
from support.places import short_folder
from support.waiting import until
from support.wirehost import Events, WireHost, address, exited, serving, started
from wand_hostagent import pki
from wand_proto import wire
from wand_proto.credentials import Identity
from wand_proto.errors import NotFound, Unavailable
from wand_server import ports
from wand_server.hostlink.channel import Link
from wand_server.hostlink.client import HostClient


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = "wand_server.hostlink.channel"
    return [record.message for record in caplog.records if record.name == ours]


async def why_not(folder: Path, identity: Identity) -> str:
    """The hint of a call that cannot reach the host agent."""
    async with Link(address(folder), identity) as link:
        with pytest.raises(Unavailable) as caught:
            await HostClient(link=link).info(call())
        return caught.value.hint


async def test_an_expired_certificate_of_ours_is_said_to_be_expired() -> None:
    with short_folder() as folder:
        async with serving(WireHost(), folder):
            ours = certificates.expired(folder, certificates.SERVER)

            assert "our own certificate" in await why_not(folder, ours)


async def test_a_host_agent_of_another_authority_is_not_believed() -> None:
    with short_folder() as folder, short_folder() as elsewhere:
        _, foreign = certificates.good(elsewhere)
        async with serving(WireHost(), folder):
            assert "is signed by another authority than ours" in await why_not(folder, foreign)


async def test_an_address_where_nobody_listens_is_named() -> None:
    with short_folder() as folder:
        _, ours = certificates.good(folder)

        assert f"cannot be reached at {address(folder)}" in await why_not(folder, ours)


async def test_certificates_that_are_missing_stop_the_start() -> None:
    with short_folder() as folder, pytest.raises(NotFound, match="does not exist"):
        async with Link(address(folder), pki.identity(folder, "server")):
            pass


async def test_loss_and_return_are_each_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with short_folder() as folder:
        async with serving(WireHost(), folder) as ours:
            link = Link(address(folder), ours)
            await link.__aenter__()
            await until(lambda: link.is_up)
        await until(lambda: "host agent lost" in messages(caplog))
        for _ in range(2):
            with pytest.raises(Unavailable):
                await HostClient(link=link).info(call())
        assert "cannot be reached" in link.why_down
        async with serving(WireHost(), folder):
            await until(lambda: link.is_up)
            await link.__aexit__(None, None, None)

    assert messages(caplog) == ["host agent connected", "host agent lost", "host agent connected"]


async def test_renewed_certificates_make_a_new_channel_and_calls_on_the_old_one_end_in_peace(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("wand_server.hostlink.channel._LOOK_AT_FILES_SECONDS", 0.01)
    caplog.set_level(logging.INFO)
    may_end = asyncio.Event()

    async def run(_: Any) -> Events:
        yield started()
        await may_end.wait()
        yield exited()

    with short_folder() as folder:
        async with (
            serving(host := WireHost(run=run), folder) as ours,
            Link(address(folder), ours) as link,
        ):
            client = HostClient(link=link)
            running = asyncio.create_task(client.run(call(), ports.Command(argv=("ls",))))
            await until(lambda: host.asked)
            pki.ensure(folder, "test", renew=True)
            await until(lambda: "new channel with renewed certificates" in messages(caplog))

            assert (await client.info(call())).hostname == "box"
            may_end.set()
            assert (await running).exit_code == 0


@asynccontextmanager
async def muffled(folder: Path) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The way to the host agent in `folder`; until the event is set, nothing passes and nothing breaks."""
    flowing, path, joined = asyncio.Event(), folder / "way.sock", set[asyncio.Task[None]]()
    flowing.set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await flowing.wait()
            writer.write(data)
        writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_there, there = await asyncio.open_unix_connection(folder / "agent.sock")
        try:
            await asyncio.gather(pass_on(reader, there), pass_on(from_there, writer))
        except OSError:
            return
        finally:
            for each in (writer, there):
                each.transport.abort()

    def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        joined.add(asyncio.create_task(join(reader, writer)))

    async with await asyncio.start_unix_server(welcome, path):
        yield f"unix:{path}", flowing
        for task in joined:
            task.cancel()
        await asyncio.gather(*joined, return_exceptions=True)


async def test_a_host_agent_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {name: most // 20 for name, most in wire.CHANNEL if name.endswith("_ms")}  # type: ignore[operator]  # times are numbers
    monkeypatch.setattr(wire, "CHANNEL", tuple({**dict(wire.CHANNEL), **quick}.items()))
    with short_folder() as folder:
        async with (
            serving(WireHost(), folder) as identity,
            muffled(folder) as (way, flowing),
            Link(way, identity, patience_seconds=0.1) as link,
        ):
            client = HostClient(link=link)
            await until(lambda: link.is_up)
            await client.info(call())
            flowing.clear()

            with pytest.raises(Unavailable):
                await asyncio.wait_for(client.info(call()), 8)

            flowing.set()
            await until(lambda: link.is_up)
            await client.info(call())


async def test_closing_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    with short_folder() as folder:
        async with serving(WireHost(), folder) as ours, Link(address(folder), ours) as link:
            await HostClient(link=link).info(call())

    assert {task for task in asyncio.all_tasks() - before if "link" in repr(task.get_coro())} == set()
