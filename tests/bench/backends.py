"""What a backend adds: a warm container beside bare calls of Docker's API, SSH beside bare asyncssh."""

import argparse
import asyncio
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh

from support import dockerd as real
from support.people import job, permit
from support.places import short_folder
from support.sshd import SSHD, USER, Sshd, sshds
from wand_hostagent.backends.base import ExecutionBackend, Surroundings, whole
from wand_hostagent.backends.docker.engine import Engine
from wand_hostagent.backends.docker.kind import Docker
from wand_hostagent.backends.docker.places import DockerSettings, Place
from wand_hostagent.backends.ssh.hosts import SshHost, SshSettings
from wand_hostagent.backends.ssh.kind import Ssh

NOTE = """\
ms for one `true`, medians of {rounds} rounds that take turns, and how many times the bare one ours takes.
"bare" asks Docker for an exec in a container that runs (create, start, read to the end, inspect), and an
asyncssh connection that is open for a command.\
"""
GOAL = 1.2
Once = Callable[[], Awaitable[object]]


async def taken(rounds: int, bare: Once, ours: Once) -> tuple[float, float]:
    """How long each took, in ms."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 3):
        for place, once in enumerate((bare, ours)):
            began = time.perf_counter()
            await once()
            times[place].append((time.perf_counter() - began) * 1000)
    return statistics.median(times[0][3:]), statistics.median(times[1][3:])


async def by_docker(rounds: int, dockerd: real.Dockerd) -> tuple[float, float]:
    settings = DockerSettings(socket=dockerd.socket, places={"small": Place(image=dockerd.image, warm=1)})
    async with Docker().open(settings, Surroundings(name="docker", folder=Path("/"))) as (one,):
        engine = Engine(dockerd.socket)
        body = {"Image": dockerd.image, "Cmd": ["tail", "-f", "/dev/null"]}
        container = (await engine.ask("POST", "/containers/create", body))["Id"]
        await engine.ask("POST", f"/containers/{container}/start")
        try:
            return await taken(rounds, lambda: _exec(engine, container), lambda: _run(one))
        finally:
            await engine.ask("DELETE", f"/containers/{container}", query={"force": "1"})
            engine.close()


async def _exec(engine: Engine, container: str) -> None:
    body = {"Cmd": ["true"], "AttachStdout": True, "AttachStderr": True}
    made = (await engine.ask("POST", f"/containers/{container}/exec", body))["Id"]
    wire = await engine.take_over(f"/exec/{made}/start", {"Detach": False, "Tty": False})
    while await wire.reader.read(65536):
        pass
    wire.close()
    await engine.ask("GET", f"/exec/{made}/json")


async def _run(backend: ExecutionBackend) -> None:
    await whole(backend, permit(job("true")))


async def by_ssh(rounds: int, sshd: Sshd) -> tuple[float, float]:
    keys = sshd.folder.parent
    host = SshHost(address=sshd.address, port=sshd.port, user=USER, keys=(keys / "key",))
    settings = SshSettings(known_hosts=keys / "known", connect_seconds=60.0, hosts={"one": host})
    bare = asyncssh.connect(
        sshd.address, sshd.port, username=USER, known_hosts=str(keys / "known"),
        client_keys=[str(keys / "key")], config=None,
    )  # fmt: skip
    async with Ssh().open(settings, Surroundings(name="ssh", folder=keys)) as (one,), bare as connection:
        return await taken(rounds, lambda: connection.run("true"), lambda: _run(one))


def say(name: str, took: tuple[float, float]) -> bool:
    """Print a line; whether it is within the goal."""
    ratio = took[1] / took[0]
    print(f"{name:8} bare {took[0]:8.2f} ms   ours {took[1]:8.2f} ms   {ratio:.2f} times, goal {GOAL}")
    return ratio <= GOAL


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    print(NOTE.format(rounds=rounds))
    kept = True
    if why := real.why_not():
        print(f"docker   not measured: {why}")
    else:
        with short_folder() as folder, real.dockerd(folder) as dockerd:
            kept &= say("docker", asyncio.run(by_docker(rounds, dockerd)))
    if SSHD is None:
        print("ssh      not measured: there is no sshd")
    else:
        with short_folder() as folder, sshds(folder) as (sshd,):
            kept &= say("ssh", asyncio.run(by_ssh(rounds, sshd)))
    print(f"resident, both used, with this program: {_resident_mib():.0f} MiB")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
