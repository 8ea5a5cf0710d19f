"""The port over a real socket with real certificates: what is asked, what comes back, what a break means."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.host import call
from support.places import short_folder
from support.waiting import until
from support.wirehost import Events, WireHost, address, exited, output, serving, started
from wand_proto.errors import Ambiguous, Conflict, Denied, NotFound, Unavailable
from wand_proto.v1 import execution_pb2, files_pb2, host_pb2
from wand_server import ports
from wand_server.hostlink.channel import Link
from wand_server.hostlink.client import HostClient

LS = ports.Command(argv=("ls",))


@asynccontextmanager
async def linked(host: WireHost) -> AsyncIterator[tuple[HostClient, Path, AsyncExitStack]]:
    """A client of that host, the folder of its socket, and a stack whose closing takes the host away."""
    with short_folder() as folder:
        async with AsyncExitStack() as served:
            identity = await served.enter_async_context(serving(host, folder))
            async with Link(address(folder), identity) as link:
                yield HostClient(link=link), folder, served


async def test_a_command_runs_to_its_end() -> None:
    async def run(_: Any) -> Events:
        for event in (started(), output(b"a"), output(b"b", 1), exited(2)):
            yield event

    host, heard = WireHost(run=run), []

    async def on_output(stream: str, data: bytes) -> None:
        heard.append((stream, data))

    async with linked(host) as (client, *_):
        outcome = await client.run(call(), LS, on_output)

    assert (outcome.stdout, outcome.exit_code, outcome.job) == (b"ab", 2, "j1")
    assert heard == [("stdout", b"a"), ("stdout", b"b")]


async def test_who_asks_and_the_time_limit_go_along() -> None:
    host = WireHost()

    async with linked(host) as (client, *_):
        await client.run(
            call(), ports.Command(shell="ls", wall_seconds=7, environment={"A": "b"}, stdin=b"x")
        )
        await client.run(call(), LS)

    assert host.metadata["wand-principal-bin"] == b"ann"
    assert host.metadata["wand-request-id"] == "r1"
    first, second = host.asked
    assert (first.shell, first.limits.wall_seconds, dict(first.environment)) == ("ls", 7, {"A": "b"})
    assert (list(second.argv.words), second.limits.wall_seconds) == (["ls"], 300)


async def test_a_command_in_the_background_is_let_go_of_when_it_has_started() -> None:
    async def run(_: Any) -> Events:
        yield started()
        await asyncio.Event().wait()

    host = WireHost(run=run)
    command = ports.Command(shell="sh", stdin=b"x", stdin_open=True, terminal=(132, 0))

    async with linked(host) as (client, *_):
        job = await asyncio.wait_for(client.start(call(), command), 20)
        await until(lambda: host.ended == ["Run"])

    (asked,) = host.asked
    assert job == ports.StartedJob(job="j1", directory="/work")
    assert (asked.detached, asked.stdin_open, asked.stdin) == (True, True, b"x")
    assert (asked.terminal.columns, asked.terminal.rows) == (132, 0)


async def test_input_and_a_size_reach_the_host_agent() -> None:
    host = WireHost()

    async with linked(host) as (client, *_):
        fed = await client.feed(call(), "j1", ports.Input(data=b"x", interrupt=True, end=True, size=(80, 24)))
        await client.feed(call(), "j1", ports.Input())

    whole, nothing = host.asked
    assert fed == ports.Fed(running=True, stdout_bytes=7, stderr_bytes=0)
    assert (whole.job, whole.data, whole.interrupt, whole.end) == ("j1", b"x", True, True)
    assert (whole.resize.columns, whole.resize.rows) == (80, 24)
    assert not nothing.HasField("resize")


async def test_what_the_host_agent_refuses_arrives_as_the_same_class() -> None:
    async with linked(WireHost(error=Denied("ls is denied", hint="git is", field="argv"))) as (client, *_):
        for ask in (client.run(call(), LS), client.info(call())):
            with pytest.raises(Denied) as caught:
                await ask
            assert (caught.value.hint, caught.value.field) == ("git is", "argv")


async def test_files_travel_both_ways() -> None:
    written = files_pb2.WriteReply(path="/work/a", total_bytes=1, sha256="s", created=True)
    entry = files_pb2.FileEntry(path="a", kind=files_pb2.FILE_KIND_DIRECTORY)
    match = files_pb2.Match(path="a", line=1, text="t", before=["b"])
    replies = {
        "ReadRequest": files_pb2.ReadReply(path="/work/a", data=b"x", total_bytes=1, next_line=2),
        "WriteRequest": written,
        "EditRequest": written,
        "ListRequest": files_pb2.ListReply(path="/work", entries=[entry], truncated=True),
        "SearchRequest": files_pb2.SearchReply(path="/work", matches=[match], files_searched=3),
        "ReadOutputRequest": execution_pb2.ReadOutputReply(data=b"o", offset=5, total_bytes=9, running=True),
    }
    edits = (ports.Replacement(old_text="a", new_text="b", every=True),)

    async with linked(host := WireHost(replies=replies)) as (client, *_):
        read = await client.read_file(call(), ports.Reading(path="a", first_line=1))
        await client.write_file(call(), ports.Writing(path="a", content=b"x", mode="append"))
        await client.edit_file(call(), "a", edits, expected_sha256="s")
        listing = await client.list_directory(call(), ports.List(path="a", depth=2))
        found = await client.search_files(call(), ports.Search(pattern="t", literal=True))
        part = await client.read_output(call(), "j1", "stderr", (5, 10))

    assert (read.path, read.data, read.next_line) == ("/work/a", b"x", 2)
    assert (listing.entries[0].kind, listing.truncated) == ("directory", True)
    assert (found.matches[0].before, found.files_searched) == (("b",), 3)
    assert (part.data, part.offset, part.running) == (b"o", 5, True)
    assert [type(asked).__name__ for asked in host.asked] == list(replies)
    assert host.asked[1].mode == files_pb2.WRITE_MODE_APPEND
    assert host.asked[5].stream == execution_pb2.STREAM_STDERR


async def test_a_host_agent_that_is_down_is_told_of_soon_and_why() -> None:
    async with linked(WireHost()) as (client, folder, served):
        await client.info(call())
        await served.aclose()
        await until(lambda: not client.link.is_up)

        with pytest.raises(Unavailable) as caught:
            await asyncio.wait_for(client.run(call(), LS), 20)  # a call's own time is longer

        assert f"cannot be reached at {address(folder)}" in caught.value.hint


async def test_a_link_comes_back_by_itself() -> None:
    async with linked(WireHost()) as (client, folder, served):
        await served.aclose()
        with pytest.raises(Unavailable):
            await client.info(call())
        async with serving(WireHost(), folder):
            await until(lambda: client.link.is_up)
            assert (await client.info(call())).hostname == "box"


async def test_a_quick_restart_of_the_host_agent_goes_unseen() -> None:
    async with linked(WireHost()) as (client, folder, served):
        await client.info(call())
        await served.aclose()
        asking = asyncio.create_task(client.info(call()))
        await asyncio.sleep(0)
        async with serving(WireHost(), folder):
            assert (await asking).hostname == "box"


async def test_cancelling_ends_the_call() -> None:
    forever = asyncio.Event()

    async def run(_: Any) -> Events:
        yield started()
        await forever.wait()

    async with linked(host := WireHost(run=run)) as (client, *_):
        running = asyncio.create_task(client.run(call(), LS))
        await until(lambda: host.asked)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await until(lambda: host.ended == ["Run"])


async def test_a_job_is_found_again_when_its_host_agent_comes_back() -> None:
    broken = asyncio.Event()

    async def run(_: Any) -> Events:
        yield started()
        yield output(b"first ")
        broken.set()
        await asyncio.Event().wait()

    async def attach(request: execution_pb2.AttachRequest) -> Events:
        yield started()
        yield output(b"second", request.stdout_offset)
        yield exited(stdout_bytes=12)

    async with linked(WireHost(run=run)) as (client, folder, served):
        running = asyncio.create_task(client.run(call(), LS))
        await asyncio.wait_for(broken.wait(), 20)
        await served.aclose()
        async with serving(again := WireHost(attach=attach), folder):
            outcome = await asyncio.wait_for(running, 10)

    assert (outcome.stdout, outcome.reason) == (b"first second", "exited")
    assert (again.asked[0].job, again.asked[0].stdout_offset) == ("j1", 6)


async def test_a_job_that_nobody_knows_any_more_is_ambiguous(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wand_server.hostlink.running._REJOIN_SECONDS", 0.1)

    async def run(_: Any) -> Events:
        host.error = NotFound("there is no such job")
        yield started()

    async with linked(host := WireHost(run=run)) as (client, *_):
        with pytest.raises(Ambiguous, match="how it went is not known") as caught:
            await client.run(call(), LS)

    assert "wand://jobs/j1/stdout" in caught.value.hint


async def test_a_host_agent_that_lost_its_place_in_the_output_makes_it_ambiguous() -> None:
    async def run(_: Any) -> Events:
        host.error = Conflict("stdout has 0 bytes, fewer than 5")
        yield started()
        yield output(b"first")

    async with linked(host := WireHost(run=run)) as (client, *_):
        with pytest.raises(Ambiguous, match="how it went is not known"):
            await client.run(call(), LS)


async def test_cancelling_a_job_that_was_found_again_kills_it() -> None:
    async def run(_: Any) -> Events:
        yield started()

    async def attach(_: Any) -> Events:
        yield started()
        await asyncio.Event().wait()

    async with linked(host := WireHost(run=run, attach=attach)) as (client, *_):
        running = asyncio.create_task(client.run(call(), LS))
        await until(lambda: len(host.asked) == 2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    assert (host.asked[-1].job, host.asked[-1].signal) == ("j1", 9)


async def test_a_change_whose_answer_is_lost_is_ambiguous() -> None:
    class Deaf(WireHost):
        async def Write(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the .proto
            self.asked.append(request)
            await asyncio.Event().wait()

    async with linked(host := Deaf()) as (client, _, served):
        writing = asyncio.create_task(
            client.write_file(call(), ports.Writing(path="a", content=b"", mode="create"))
        )
        await until(lambda: host.asked)
        await served.aclose()
        with pytest.raises(Ambiguous):
            await writing


async def test_a_record_whose_answer_is_lost_is_not_made_twice() -> None:
    class Deaf(WireHost):
        async def OperationBegins(self, request: Any, context: Any) -> Any:  # noqa: N802 - as above
            self.asked.append(request)
            await asyncio.Event().wait()

    async with linked(host := Deaf()) as (client, _, served):
        told = host_pb2.OperationBeginsRequest(id="a1", operation="notes.write_note")
        telling = asyncio.create_task(client.tell_operation(call(), told))
        await until(lambda: host.asked)
        await served.aclose()
        with pytest.raises(Ambiguous):
            await telling
