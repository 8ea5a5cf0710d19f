"""Two real host agents: what one sends to the other is judged, boxed and recorded there too, and survived."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from grpc import aio

from support import hostagent
from support.calls import asking, command, failure, followed, processes, shell
from support.hostagent import Wand
from support.waiting import until
from wand_proto import errors
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1 import host_pb2
from wand_proto.v1.execution_pb2_grpc import ExecutionStub
from wand_proto.v1.host_pb2_grpc import HostStub

pytestmark = pytest.mark.timeout(120)
THERE = """
[[rule]]
name = "not on this host"
verdict = "deny"
programs = ["date"]
say = "this host has no clock for you"
"""
HERE = """
[[rule]]
name = "there too"
verdict = "allow"
programs = ["*"]
backends = ["remote"]
"""
TABLE = """
[backends.remote.hosts.far]
address = "{address}"
ca = "{pki}/ca.crt"
certificate = "{pki}/server.crt"
key = "{pki}/server.key"
labels = {{ role = "far" }}
"""


@contextmanager
def two(*, by_tcp: bool = False) -> Iterator[tuple[Wand, Wand]]:
    """A host agent that knows another one, and that one."""
    with (
        hostagent.running(policy=THERE + hostagent.POLICY) as there,
        hostagent.prepared(policy=hostagent.POLICY + HERE) as here,
    ):
        table = TABLE.format(address=there.tcp if by_tcp else there.unix, pki=there.pki)
        here.settings.write_text(here.settings.read_text() + table)
        here.launcher.start()
        here.agent.start()
        yield here, there


@asynccontextmanager
async def asked(here: Wand, request: wire.RunRequest) -> AsyncIterator[tuple[str, Any]]:
    """The job's name here, and the rest of its events."""
    async with here.channel() as channel:
        execution: Any = ExecutionStub(channel)
        events = aiter(execution.Run(request, metadata=asking()))
        yield (await anext(events)).started.job, events


async def test_a_job_runs_there_in_the_box_of_that_host_and_both_ledgers_have_it() -> None:
    with two(by_tcp=True) as (here, there):
        async with asked(here, shell("pwd; exit 3", backend="role=far")) as (job, events):
            told, exited = await followed(events)
        async with here.channel() as channel:
            host: Any = HostStub(channel)
            reply = await host.Backends(host_pb2.BackendsRequest(), metadata=asking())
        (began,) = here.recorded("dispatch")
        (ran,) = there.recorded("run")

    assert told[wire.STREAM_STDOUT].decode() == f"{there.workspace}\n"
    assert (exited.job, exited.reason, exited.exit_code) == (job, wire.REASON_EXITED, 3)
    assert [(one.name, one.up) for one in reply.backends] == [("native", True), ("remote:far", True)]
    assert (began["fields"]["job"], began["fields"]["backend"]) == (job, "remote:far")
    told_there = ran["fields"]
    assert (told_there["profile"], told_there["why"]["principal"]) == ("developer", "ada")


async def test_what_the_policy_there_denies_does_not_run_there() -> None:
    with two() as (here, there):
        async with here.channel() as channel:
            execution: Any = ExecutionStub(channel)
            run = execution.Run(command("date", backend="remote:far"), metadata=asking())
            refused = await failure(anext(aiter(run)))
        (told,) = there.recorded("refused")
        assert there.recorded("run") == []

    assert type(refused) is errors.Denied
    assert refused.message == "remote:far: date is denied by the rule 'not on this host'"
    assert "no clock for you" in refused.hint
    assert (told["fields"]["principal"], told["fields"]["rule"]) == ("ada", "not on this host")


async def test_a_job_there_goes_on_where_the_host_agent_there_is_killed_and_comes_back() -> None:
    with two() as (here, there):
        text = "echo go; while [ ! -e on ]; do sleep 0.05; done; echo done"
        async with asked(here, shell(text, backend="remote:far")) as (_, events):
            assert (await anext(events)).output.data == b"go\n"
            there.agent.kill()
            there.agent.start()
            (there.workspace / "on").touch()
            told, exited = await followed(events)

    assert told[wire.STREAM_STDOUT] == b"done\n"
    assert (exited.reason, exited.exit_code, exited.stdout_bytes) == (wire.REASON_EXITED, 0, 8)


async def test_a_job_there_ends_with_the_host_agent_that_asked_for_it_and_is_told_as_lost() -> None:
    with two() as (here, there):
        text = f"echo go; sleep {there.mark}"
        async with asked(here, shell(text, backend="remote:far")) as (job, events):
            assert (await anext(events)).output.data == b"go\n"
            here.agent.kill()
            with pytest.raises(aio.AioRpcError):
                await anext(events)
        await until(lambda: not processes(there.mark))
        here.agent.start()
        await until(lambda: here.recorded("dispatch_end"))
        (lost,) = here.recorded("dispatch_end")

    assert lost["fields"] == {"job": job, "backend": "remote:far", "reason": "lost"}


async def test_a_certificate_that_is_not_let_in_there_starts_nothing() -> None:
    with two() as (here, there):
        strange = here.settings.read_text().replace(f"{there.pki}/server", f"{there.pki}/hostagent")
        here.settings.write_text(strange)
        here.agent.end()
        here.agent.start()
        async with here.channel() as channel:
            execution: Any = ExecutionStub(channel)
            run = execution.Run(shell("true", backend="remote:far"), metadata=asking())
            refused = await failure(anext(aiter(run)))
        assert there.recorded("run") == []
    assert type(refused) is errors.Unavailable, refused
    assert "nothing was done" in refused.message
