"""Containers on a real dockerd: what they may do, what is refused, and what is left when something dies."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.dockerd import Dockerd
from support.people import permit, shell
from support.waiting import until
from wand_hostagent.backends.base import ExecutionBackend, ExecutionResult, Surroundings, whole
from wand_hostagent.backends.docker.engine import Engine
from wand_hostagent.backends.docker.kind import Docker
from wand_hostagent.backends.docker.once import Once
from wand_hostagent.backends.docker.ours import Ours
from wand_hostagent.backends.docker.places import DockerSettings, Mount, Place
from wand_hostagent.backends.docker.warm import Warm
from wand_hostagent.model import Exited, Job, Limits, Reason, Started
from wand_proto.errors import Ambiguous, Denied, Invalid, NotFound, Unavailable, WandError

pytestmark = pytest.mark.timeout(200)
IMAGE = "sha256:" + "0" * 64


@asynccontextmanager
async def places(dockerd: Dockerd, **parts: Mapping[str, Any]) -> AsyncIterator[list[ExecutionBackend]]:
    """A backend for each place; what is said of one stands beside the image."""
    described = {name: Place(**{"image": dockerd.image, **dict(each)}) for name, each in parts.items()}
    settings = DockerSettings(socket=dockerd.socket, places=described)
    async with Docker().open(settings, Surroundings(name="docker", folder=dockerd.folder)) as backends:
        yield list(backends)


async def ran(backend: ExecutionBackend, job: Job) -> ExecutionResult:
    return await whole(backend, permit(job, limits=Limits(wall_seconds=120)))


@pytest.mark.parametrize("warm", [0, 1])
async def test_a_container_may_do_nothing_that_its_place_does_not_say(dockerd: Dockerd, warm: int) -> None:
    looks = (
        "id -u; grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/self/status; ls /sys/class/net; "
        "touch /x /bin/x 2>&1; touch /tmp/x && echo written; cat /proc/1/comm; "
        "wget -q -T 1 http://192.0.2.1/ 2>/dev/null || echo alone"
    )
    async with places(dockerd, small={"warm": warm}) as (one,):
        told = (await ran(one, shell(looks))).stdout.decode().split("\n")

    assert told[:6] == [
        "65534",
        "CapEff:\t" + "0" * 16,
        "CapBnd:\t" + "0" * 16,
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "lo",
    ]
    assert told[6:8] == ["touch: /x: Read-only file system", "touch: /bin/x: Read-only file system"]
    assert told[8:10] == ["written", "docker-init"]
    assert told[10] == "alone"


async def test_memory_and_processes_have_a_ceiling(dockerd: Dockerd) -> None:
    eats = "a=x; while :; do a=$a$a$a$a; done"
    forks = "i=0; while [ $i -lt 40 ]; do sleep 20 & i=$((i+1)); done; echo all"
    async with places(dockerd, small={"memory_bytes": 16 * 2**20, "processes": 16}) as (one,):
        eaten, forked = await ran(one, shell(eats)), await ran(one, shell(forks))

    assert eaten.exited.reason in {Reason.OUT_OF_MEMORY, Reason.SIGNALED}
    assert eaten.exited.signal == 9
    assert b"all" not in forked.stdout or b"can't fork" in forked.stderr


async def test_a_mounted_folder_is_seen_and_written_as_its_place_says(
    dockerd: Dockerd, tmp_path: Path
) -> None:
    _folders(tmp_path)
    mounts = (
        Mount(source=tmp_path / "seen", target=Path("/seen")),
        Mount(source=tmp_path / "written", target=Path("/written"), writable=True),
    )
    async with places(dockerd, small={"mounts": mounts}) as (one,):
        done = await ran(one, shell("cat /seen/a; echo x > /written/b; echo x > /seen/b"))

    assert (done.stdout, (tmp_path / "written" / "b").read_text()) == (b"content", "x\n")
    assert b"Read-only" in done.stderr


def _folders(tmp_path: Path) -> None:
    for name in ("seen", "written"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    (tmp_path / "seen" / "a").write_text("content")


async def test_a_warm_container_runs_one_job_after_the_other_and_more_at_once_wait(dockerd: Dockerd) -> None:
    async with places(dockerd, small={"warm": 2}) as (one,):
        every = [ran(one, shell(f"sleep 0.2; hostname; echo {n}")) for n in range(5)]
        told = [done.stdout.split() for done in await asyncio.gather(*every)]

    assert [words[1] for words in told] == [b"0", b"1", b"2", b"3", b"4"]
    assert len({words[0] for words in told}) == 2


async def test_a_caller_sets_no_variable_that_is_not_allowed(dockerd: Dockerd) -> None:
    async with places(dockerd, small={"environment_allowed": ("CI",)}) as (one,):
        with pytest.raises(Denied, match="LD_PRELOAD") as refused:
            await ran(one, shell("true", environment={"LD_PRELOAD": "x"}))
    assert (refused.value.field, refused.value.hint) == ("environment", "allowed: CI")


@pytest.mark.parametrize("warm", [0, 1])
async def test_a_folder_that_docker_cannot_be_told_of_is_refused(dockerd: Dockerd, warm: int) -> None:
    async with places(dockerd, small={"warm": warm}) as (one,):
        with pytest.raises(Invalid, match="is not UTF-8") as refused:
            await ran(one, shell("pwd", directory="/tmp/caf\udce9"))

    assert refused.value.field == "directory"


@pytest.mark.parametrize("warm", [0, 1])
async def test_an_image_that_is_not_there_is_not_found(dockerd: Dockerd, warm: int) -> None:
    async with places(dockerd, gone={"image": IMAGE, "warm": warm}) as (one,):
        assert not (await one.health()).up
        with pytest.raises(NotFound, match="No such image"):
            await ran(one, shell("true"))


async def test_where_dockerd_is_away_nothing_was_started(tmp_path: Path) -> None:
    settings = DockerSettings(socket=tmp_path / "none.sock", places={"small": Place(image=IMAGE)})
    async with Docker().open(settings, Surroundings(name="docker", folder=tmp_path)) as (one,):
        health = await one.health()
        with pytest.raises(Unavailable, match="cannot be reached") as refused:
            await ran(one, shell("true"))
    assert (health.up, "none.sock" in health.detail) == (False, True)
    assert "is dockerd running" in refused.value.hint


@pytest.mark.parametrize("warm", [0, 1])
async def test_a_job_is_lost_when_dockerd_dies_and_what_is_left_is_swept(dockerd: Dockerd, warm: int) -> None:
    async with places(dockerd, small={"warm": warm}) as (one,):
        events = one.run(permit(shell("echo go; sleep 1000"), limits=Limits(wall_seconds=100)))
        async with aclosing(events):
            assert isinstance(await anext(events), Started)
            await anext(events)
            dockerd.kill(hold=True)
            ended = await anext(events)
        assert isinstance(ended, Exited)
        assert (ended.reason, ended.stdout_bytes) == (Reason.LOST, 3)
        with pytest.raises((Unavailable, WandError)):
            await ran(one, shell("true"))
        await asyncio.to_thread(dockerd.release)
        # a dockerd that was killed may hang at the first that is asked of it
        await until(lambda: not [one for one in dockerd.containers() if one["State"] != "running"], 150)
        assert len(dockerd.containers()) <= warm, "what was left is gone, though the host agent lives"
    async with places(dockerd, small={"warm": warm}) as (one,):
        assert (await ran(one, shell("echo again"))).stdout == b"again\n"
    assert dockerd.containers() == []


async def test_a_signal_that_could_not_be_sent_is_ambiguous(dockerd: Dockerd) -> None:
    async with places(dockerd, small={"warm": 1}) as (one,):
        asked = shell("echo go; sleep 1000")
        async with aclosing(one.run(permit(asked, limits=Limits(wall_seconds=100)))) as events:
            await anext(events)
            await anext(events)
            for container in dockerd.containers():
                dockerd.ask("DELETE", f"/containers/{container['Id']}?force=1")
            with pytest.raises(Ambiguous, match="is not known"):
                await one.signal(asked.id, signal.SIGTERM)


async def test_a_container_that_cannot_be_removed_is_not_said_to_be_gone(tmp_path: Path) -> None:
    ours = Ours(Engine(tmp_path / "none.sock"), "somebody")
    with pytest.raises(Unavailable):
        await ours.removed("c1")


async def test_a_later_host_agent_sweeps_what_a_killed_one_has_left_and_nothing_of_others(
    dockerd: Dockerd,
) -> None:
    async with places(dockerd, small={}) as (first,):
        events = first.run(permit(shell("echo go; sleep 1000"), limits=Limits(wall_seconds=100)))
        async with aclosing(events):
            await anext(events)
            await until(lambda: len(dockerd.containers()) == 1)
            settings = DockerSettings(socket=dockerd.socket)
            async with Docker().open(settings, Surroundings(name="other", folder=dockerd.folder)):
                assert len(dockerd.containers()) == 1
            async with places(dockerd, small={}):
                assert dockerd.containers() == []
    assert dockerd.containers() == []


@pytest.mark.parametrize(("network", "held"), [("none", {"none", "loopback"}), ("bridge", set())])
def test_a_place_without_a_network_holds_what_may_have_none(network: str, held: set[str]) -> None:
    ours = Ours(Engine(Path("none.sock")), "o")
    for kind in (Once, Warm):
        assert kind("docker:small", Place(image=IMAGE, network=network, warm=1), ours).networks == held


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"image": "alpine"}, "digest"),
        ({"image": "alpine:3@sha256:12"}, "digest"),
        ({"network": "host"}, "network must be none"),
        ({"network": "container:x"}, "network must be none"),
        ({"user": "root"}, "two numbers"),
        ({"warm": -1}, "from 0 to 64"),
        ({"memory_bytes": 1}, "6 MiB"),
        ({"cpus": 0.0}, "cpus must be above 0"),
        ({"directory": "work"}, "begin with /"),
    ],
)
def test_a_place_that_cannot_be_meant_is_refused(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Place(**{"image": IMAGE, **parts})


@pytest.mark.parametrize(
    "source",
    [
        "/",
        "/etc",
        "/etc/wand",
        "/run",
        "/var/run/docker.sock",
        "/var",
        "/var/lib/docker",
        "/proc/1",
        "/srv/..",
        "srv",
    ],
)
def test_what_would_give_the_host_away_is_not_mounted(source: str) -> None:
    with pytest.raises(ValueError, match="source"):
        Mount(source=Path(source), target=Path("/x"))
