"""Other backends behind the real host agent, over the wire: chosen, recorded, switched, survived."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import hostagent
from support.calls import asking, failure, followed, shell
from support.hostagent import Wand
from support.places import short_folder
from support.sshd import SSHD, USER, Sshd, sshds
from support.waiting import until
from wand_proto import errors
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1 import host_pb2
from wand_proto.v1.execution_pb2_grpc import ExecutionStub
from wand_proto.v1.files_pb2 import SearchRequest
from wand_proto.v1.host_pb2_grpc import HostStub

pytestmark = [
    pytest.mark.timeout(200),
    pytest.mark.skipif(SSHD is None, reason="there is no sshd: apt-get install openssh-server"),
]
RULE = """
[[rule]]
name = "there too"
verdict = "allow"
programs = ["*"]
backends = ["ssh:one", "ssh:two"]
"""
HOST = """
[backends.ssh.hosts.{name}]
address = "{address}"
port = {port}
user = "{user}"
keys = ["{folder}/key"]
labels = {{ role = "web", name = "{name}" }}
"""


@contextmanager
def with_hosts() -> Iterator[tuple[Wand, list[Sshd]]]:
    """A host agent that knows two hosts."""
    with (
        short_folder() as folder,
        sshds(folder, ("127.0.0.8", "127.0.0.9")) as hosts,
        prepared(folder) as wand,
    ):
        tables = [
            HOST.format(name=name, address=one.address, port=one.port, user=USER, folder=folder)
            for name, one in zip(("one", "two"), hosts, strict=True)
        ]
        wand.settings.write_text(wand.settings.read_text() + "".join(tables))
        wand.launcher.start()
        wand.agent.start()
        yield wand, hosts


@contextmanager
def prepared(folder: Path) -> Iterator[Wand]:
    with hostagent.prepared(policy=hostagent.POLICY + RULE) as wand:
        known = f'[backends.ssh]\nknown_hosts = "{folder}/known"\nconnect_seconds = 60\n'
        wand.settings.write_text(wand.settings.read_text() + known)
        yield wand


async def ran(wand: Wand, request: wire.RunRequest) -> tuple[str, wire.Exited]:
    """Where it ran, and how it ended."""
    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        events = aiter(execution.Run(request, metadata=asking()))
        started = (await anext(events)).started
        return started.backend, (await followed(events))[1]


async def test_a_job_runs_where_it_is_told_and_is_on_record_before() -> None:
    with with_hosts() as (wand, _):
        assert (await ran(wand, shell("exit 3")))[0] == "native"
        where, exited = await ran(wand, shell("exit 3", backend="name=two"))
        await until(lambda: wand.recorded("dispatch_end"))
        (began,), (ended,) = wand.recorded("dispatch"), wand.recorded("dispatch_end")

    assert (where, exited.reason, exited.exit_code) == ("ssh:two", wire.REASON_EXITED, 3)
    told, outcome = began["fields"], ended["fields"]
    assert (told["backend"], told["argv"], told["rule"]) == ("ssh:two", ["exit 3"], "there too")
    assert (outcome["job"], outcome["reason"], outcome["exit_code"]) == (told["job"], "exited", 3)


async def test_what_a_job_there_wrote_is_searched() -> None:
    with with_hosts() as (wand, _):
        _, exited = await ran(wand, shell("seq 100", backend="ssh:one"))
        wanted = wire.SearchOutputRequest(
            job=exited.job, stream=wire.STREAM_STDOUT, search=SearchRequest(pattern="^7$")
        )
        async with wand.channel() as channel:
            execution: Any = ExecutionStub(channel)
            found = await execution.SearchOutput(wanted, metadata=asking())

    assert [(match.line, match.text) for match in found.matches] == [(7, "7")]


async def test_what_one_host_cannot_take_another_one_does() -> None:
    with with_hosts() as (wand, hosts):
        hosts[0].kill()
        for _ in range(3):
            assert (await ran(wand, shell("true", backend="role=web")))[0] == "ssh:two"
        async with wand.channel() as channel:
            host: Any = HostStub(channel)
            reply = await host.Backends(host_pb2.BackendsRequest(), metadata=asking())
            switching = host_pb2.SetDefaultBackendRequest(name="ssh:two")
            refused = await failure(host.SetDefaultBackend(switching, metadata=asking()))

    assert [(one.name, one.up) for one in reply.backends] == [
        ("native", True), ("ssh:one", False), ("ssh:two", True)
    ]  # fmt: skip
    assert type(refused) is errors.Denied
    assert "administrators" in refused.message


async def test_of_jobs_that_a_killed_host_agent_has_left_elsewhere_the_ledger_says_that_they_are_lost() -> (
    None
):
    with with_hosts() as (wand, _):
        async with wand.channel() as channel:
            execution: Any = ExecutionStub(channel)
            asked = shell("echo go; sleep 30", backend="ssh:one")
            events = aiter(execution.Run(asked, metadata=asking()))
            job = (await anext(events)).started.job
            assert (await anext(events)).output.data == b"go\n"
            wand.agent.kill()
            assert type(await failure(anext(events))) in {errors.Unavailable, errors.Ambiguous}
        wand.agent.start()
        await until(lambda: wand.recorded("dispatch_end"))
        (lost,) = wand.recorded("dispatch_end")

    assert lost["fields"] == {"job": job, "backend": "ssh:one", "reason": "lost"}
