"""Jobs elsewhere when the host agent is killed in mid-job: found again where they can be, ended where not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from support import dockerd as real
from support import hostagent
from support.calls import CALL_SECONDS, asking, followed, processes, shell
from support.dockerd import Dockerd
from support.hostagent import Wand
from support.places import short_folder
from support.sshd import SSHD, USER, sshds
from support.waiting import until
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1.execution_pb2_grpc import ExecutionStub

pytestmark = pytest.mark.timeout(200)
RULE = """
[[rule]]
name = "elsewhere too"
verdict = "allow"
programs = ["*"]
backends = ["*"]
"""
DOCKER = """
[backends.docker]
socket = "{socket}"
[backends.docker.places.small]
image = "{image}"
warm = {warm}
"""
REMOTE = """
[backends.remote.hosts.far]
address = "{unix}"
ca = "{pki}/ca.crt"
certificate = "{pki}/server.crt"
key = "{pki}/server.key"
"""
SSH = """
[backends.ssh]
known_hosts = "{folder}/known"
connect_seconds = 60
[backends.ssh.hosts.one]
address = "{address}"
port = {port}
user = "{user}"
keys = ["{folder}/key"]
"""
WAITS = "trap 'echo heard; exit 7' TERM; echo go; echo no >&2; while :; do sleep 0.1; done"


@contextmanager
def with_table(table: str) -> Iterator[Wand]:
    """A host agent with that table of backends, started."""
    with hostagent.prepared(policy=hostagent.POLICY + RULE) as wand:
        wand.settings.write_text(wand.settings.read_text() + table)
        wand.launcher.start()
        wand.agent.start()
        yield wand


@pytest.fixture(scope="module")
def dockerd() -> Iterator[Dockerd]:
    if why := real.why_not():
        pytest.skip(why)
    with short_folder() as folder, real.dockerd(folder) as one:
        yield one


@pytest.fixture(params=["docker", "warm docker", "remote"])
def wand(request: pytest.FixtureRequest) -> Iterator[Wand]:
    if request.param == "remote":
        with hostagent.running() as there, with_table(REMOTE.format(unix=there.unix, pki=there.pki)) as one:
            yield one
        return
    dockerd = request.getfixturevalue("dockerd")
    warm = int(request.param.startswith("warm"))
    with with_table(DOCKER.format(socket=dockerd.socket, image=dockerd.image, warm=warm)) as one:
        yield one
    assert dockerd.containers() == [], "nothing is left behind"


async def begun(wand: Wand, text: str) -> str:
    """The name of a detached job elsewhere that has begun to write."""
    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        where = "remote" if "remote" in wand.settings.read_text() else "docker"
        events = aiter(execution.Run(shell(text, backend=where, detached=True), metadata=asking()))
        job = (await anext(events)).started.job
        assert (await anext(events)).output.data
        return str(job)


async def told(wand: Wand, job: str, signum: int = 0) -> tuple[dict[int, bytes], wire.Exited]:
    """All that a job has written since its begin, and how it ended, which a signal may have it do."""
    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        listed = await execution.ListJobs(wire.ListJobsRequest(), metadata=asking(), timeout=CALL_SECONDS)
        assert [one.job for one in listed.jobs] == [job]
        events = execution.Attach(wire.AttachRequest(job=job), metadata=asking())
        if signum:
            sent = wire.SignalRequest(job=job, signal=signum)
            await execution.Signal(sent, metadata=asking(), timeout=CALL_SECONDS)
        return await followed(events)


@pytest.mark.parametrize("ends", ["kill", "end"])
async def test_a_detached_job_outlives_the_host_agent_and_is_followed_again(wand: Wand, ends: str) -> None:
    job = await begun(wand, WAITS)
    getattr(wand.agent, ends)()
    wand.agent.start()
    written, exited = await told(wand, job, signum=15)

    assert written[wire.STREAM_STDOUT].splitlines()[:2] == [b"go", b"heard"]
    assert written[wire.STREAM_STDERR].startswith(b"no\n")
    assert (exited.job, exited.reason, exited.exit_code) == (job, wire.REASON_EXITED, 7)
    await until(lambda: wand.recorded("dispatch_end"))
    (end,) = wand.recorded("dispatch_end")
    assert (end["fields"]["job"], end["fields"]["reason"], end["fields"]["exit_code"]) == (job, "exited", 7)


async def test_how_a_job_ended_while_no_host_agent_was_there_is_told_by_the_next(wand: Wand) -> None:
    job = await begun(wand, "echo go; sleep 1; echo done; exit 5")
    wand.agent.kill()
    wand.agent.start()
    written, exited = await told(wand, job)

    assert written[wire.STREAM_STDOUT] == b"go\ndone\n"
    assert (exited.reason, exited.exit_code, exited.stdout_bytes) == (wire.REASON_EXITED, 5, 8)


@pytest.mark.parametrize("warm", [0, 1])
async def test_a_job_in_a_container_that_is_followed_ends_with_the_host_agent(
    dockerd: Dockerd, warm: int
) -> None:
    with with_table(DOCKER.format(socket=dockerd.socket, image=dockerd.image, warm=warm)) as wand:
        async with wand.channel() as channel:
            execution: Any = ExecutionStub(channel)
            asked = shell(f"echo go; sleep {wand.mark}", backend="docker:small")
            events = aiter(execution.Run(asked, metadata=asking()))
            job = (await anext(events)).started.job
            assert (await anext(events)).output.data == b"go\n"
            wand.agent.kill()
        assert processes(wand.mark)
        wand.agent.start()
        await until(lambda: not processes(wand.mark))
        await until(lambda: wand.recorded("dispatch_end"))
        (end,) = wand.recorded("dispatch_end")
    assert end["fields"] == {"job": job, "backend": "docker:small", "reason": "lost"}


async def test_what_a_host_runs_that_is_away_is_ended_by_a_later_host_agent() -> None:
    if SSHD is None:
        pytest.skip("there is no sshd: apt-get install openssh-server")
    with short_folder() as folder, sshds(folder, ("127.0.0.12",)) as (one,):
        table = SSH.format(folder=folder, address=one.address, port=one.port, user=USER)
        with with_table(table) as wand:
            async with wand.channel() as channel:
                execution: Any = ExecutionStub(channel)
                asked = shell(f"echo go; sleep {wand.mark} & wait", backend="ssh:one")
                events = aiter(execution.Run(asked, metadata=asking()))
                job = (await anext(events)).started.job
                assert (await anext(events)).output.data == b"go\n"
                one.kill()
                assert [event async for event in events][-1].exited.reason == wire.REASON_LOST
            for _ in range(2):  # these could not
                wand.agent.end()
                wand.agent.start()
            assert processes(wand.mark)
            one.start()
            await until(lambda: not processes(wand.mark), 60)
            await until(lambda: not list((wand.folder / "spool" / "begun").iterdir()))
            (end,) = wand.recorded("dispatch_end")
    assert (end["fields"]["job"], end["fields"]["reason"]) == (job, "lost")


async def test_a_job_by_ssh_is_told_as_lost_and_ended_by_the_next_host_agent() -> None:
    if SSHD is None:
        pytest.skip("there is no sshd: apt-get install openssh-server")
    with short_folder() as folder, sshds(folder, ("127.0.0.11",)) as (one,):
        table = SSH.format(folder=folder, address=one.address, port=one.port, user=USER)
        with with_table(table) as wand:
            async with wand.channel() as channel:
                execution: Any = ExecutionStub(channel)
                text = f"echo go; sleep {wand.mark} & wait"
                asked = shell(text, backend="ssh:one", detached=True)
                events = aiter(execution.Run(asked, metadata=asking()))
                job = (await anext(events)).started.job
                assert (await anext(events)).output.data == b"go\n"
                wand.agent.kill()
            assert processes(wand.mark)
            one.kill()  # and the host is away when the next one begins
            wand.agent.start()
            one.start()
            written, exited = await told(wand, job)  # its output too is not lost
            wand.agent.end()
            wand.agent.start()
            assert await told(wand, job) == (written, exited)
            await until(lambda: not processes(wand.mark), 60)
            (end,) = wand.recorded("dispatch_end")
    assert end["fields"] == {"job": job, "backend": "ssh:one", "reason": "lost"}
    assert (written[wire.STREAM_STDOUT], exited.reason, exited.stdout_bytes) == (b"go\n", wire.REASON_LOST, 3)
