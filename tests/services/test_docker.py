"""Docker's operations against a real dockerd, by the real command line."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support import docker
from support.localhost import LocalHost, acting
from wand_proto.errors import Conflict, Invalid, NotFound, Unavailable, WandError
from wand_server.integrations.devops.docker import Docker

SECRET = "a-password-of-a-test"

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not docker.is_there(), reason="no docker.io and busybox-static, or not root"),
]


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    with docker.running() as socket:
        yield socket


@pytest.fixture
def host(socket: Path, tmp_path: Path) -> LocalHost:
    return LocalHost(workspace=tmp_path, environment={"DOCKER_HOST": f"unix://{socket}"})


async def do(host: LocalHost, operation: str, **given: Any) -> Any:
    return await acting(host, Docker(Docker.Config()), operation, given)


async def made(host: LocalHost, name: str, *command: str, **more: Any) -> None:
    given = {"image": docker.IMAGE, "name": name, "command": command, "network": "none", **more}
    assert len((await do(host, "create_container", **given))["id"]) == 64


async def test_a_container_lives_and_is_looked_at(host: LocalHost) -> None:
    environment = {"PASSWORD": SECRET}
    script = "echo out; echo err >&2; exec sleep 600"
    await made(
        host, "life", "sh", "-c", script, environment=environment, labels={"app": "x"}, memory="64m", cpus=0.5
    )
    assert (await do(host, "inspect_container", container="life"))["state"] == "created"
    await do(host, "start_container", container="life")
    (listed,) = await do(host, "list_containers", filters=["label=app=x"])
    assert (listed["name"], listed["image"], listed["state"]) == ("life", docker.IMAGE, "running")
    about = await do(host, "inspect_container", container="life")
    assert (about["variables"], about["command"][0], about["networks"]) == (["PASSWORD"], "sh", {"none": ""})
    assert SECRET not in str(about)
    (stats,) = await do(host, "get_container_stats", containers=["life"])
    assert stats["name"] == "life"
    assert await do(host, "get_container_logs", container="life") == {"stdout": "out\n", "stderr": "err\n"}
    await do(host, "stop_container", container="life", seconds=0)
    assert await do(host, "list_containers", all_states=False, filters=["name=life"]) == []
    await do(host, "remove_container", container="life")
    with pytest.raises(NotFound):
        await do(host, "inspect_container", container="life")


async def test_a_command_runs_inside(host: LocalHost) -> None:
    await made(host, "inside", "sleep", "600")
    with pytest.raises(Conflict, match="not running"):
        await do(host, "exec_in_container", container="inside", command=["echo", "hi"])
    await do(host, "start_container", container="inside")
    given = {"container": "inside", "command": ["sh", "-c", 'echo "$A $0" >&2; exit 3', "-x"]}
    ran = await do(host, "exec_in_container", environment={"A": "b c"}, **given)
    assert ran == {"exit_code": 3, "stdout": "", "stderr": "b c -x\n"}
    with pytest.raises(Conflict, match="running"):
        await do(host, "remove_container", container="inside")
    await do(host, "remove_container", container="inside", force=True)


async def test_an_image_is_built_listed_and_removed(host: LocalHost) -> None:
    (host.workspace / "web").mkdir()
    (host.workspace / "web" / "Dockerfile").write_text(f"FROM {docker.IMAGE}\nARG V\nLABEL v=$V\n")
    built = await do(
        host, "build_image", context="web", tags=["web:2"], build_args={"V": "7"}, network="none"
    )
    (image,) = await do(host, "list_images", repository="web")
    assert (image["id"], image["tag"]) == (built["id"], "2")
    assert "web:2" in (await do(host, "remove_image", image="web:2"))["untagged"]
    assert await do(host, "list_images", repository="web") == []


async def test_what_docker_has_is_told(host: LocalHost) -> None:
    assert {one["name"] for one in await do(host, "list_networks")} >= {"host", "none"}
    assert await do(host, "list_volumes") == []
    info = await do(host, "get_system_info")
    assert (info["storage"], info["images"] >= 1) == ("vfs", True)


@pytest.mark.parametrize(
    ("name", "given", "kind"),
    [
        ("start_container", {"container": "--privileged"}, Invalid),
        ("create_container", {"image": "--privileged"}, Invalid),
        ("create_container", {"image": "UPPER:1"}, Invalid),
        ("create_container", {"image": docker.IMAGE, "environment": {"A=B": "c"}}, Invalid),
        ("build_image", {"context": "https://example.org/x.git"}, Invalid),
        ("build_image", {"context": "-"}, Invalid),
        ("exec_in_container", {"container": "nothing", "command": ["id"]}, NotFound),
        ("start_container", {"container": "nothing"}, NotFound),
        ("remove_image", {"image": "nothing:1"}, NotFound),
        ("pull_image", {"image": "127.0.0.1:9/nothing:1"}, Unavailable),
    ],
)
async def test_what_is_refused_is_told(
    host: LocalHost, name: str, given: Mapping[str, Any], kind: type[WandError]
) -> None:
    with pytest.raises(kind):
        await do(host, name, **given)


async def test_a_host_without_docker_is_told(host: LocalHost) -> None:
    host.environment = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    for name in ("list_containers", "get_system_info"):
        with pytest.raises(Unavailable, match="daemon"):
            await do(host, name)
