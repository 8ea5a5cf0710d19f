"""Docker under a profile of its own: its socket is seen by the docker program there, and by nothing else."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from support import docker
from support.places import short_folder
from support.running import embedded
from support.visits import client_of, text_of

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not docker.is_there(), reason="no docker.io and busybox-static, or not root"),
]
POLICY = """
[[rule]]
name = "docker looks and works"
verdict = "allow"
programs = ["docker"]
effects = ["read", "run", "write"]
profile = "docker"

[[rule]]
name = "no container that is none"
verdict = "deny"
programs = ["docker"]
effects = ["escape"]
say = "a container without the host's folders, powers and namespaces"
"""


def profile(folder: Path, socket: Path) -> str:
    (folder / "compose").mkdir()
    return f"""
name = "docker"
workspace = "{folder / "compose"}"
visible = ["{socket}"]
environment = {{ DOCKER_HOST = "unix://{socket}", LANG = "C.UTF-8" }}
network = "none"
programs = ["{shutil.which("docker")}"]
execute_in_workspace = false
"""


@asynccontextmanager
async def wand_with_docker() -> AsyncIterator[tuple[Client, Path]]:
    with docker.running() as socket, short_folder() as folder:
        (folder / "work").mkdir()
        for name, text in (("profiles.d/docker", profile(folder, socket)), ("policy.d/10-docker", POLICY)):
            file = folder / "state" / f"{name}.toml"
            file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
            file.write_text(text)
        (folder / "more.toml").write_text("[integrations.docker]\n")
        with embedded(folder / "work", folder / "state", "--settings", folder / "more.toml") as wand:
            async with client_of(wand) as client:
                yield client, socket


async def test_containers_are_made_there_and_no_other_command_sees_the_socket() -> None:
    async with wand_with_docker() as (client, socket):

        async def do(tool: str, operation: str, **given: Any) -> Any:
            return await client.call_tool(tool, {"operation": f"docker.{operation}", "arguments": given})

        given = {"image": docker.IMAGE, "name": "boxed", "command": ["echo", "hi"], "network": "none"}
        await do("call_operation_write", "create_container", **given)
        await do("call_operation_write", "start_container", container="boxed")
        listed = await do("call_operation", "list_containers")
        worse = {**given, "name": "worse", "volumes": ["/:/host"]}
        refused = await do("call_operation_write", "create_container", **worse)
        command = f"ls -d {socket.parent} {socket} && echo SEEN"
        elsewhere = await client.call_tool("execute_command", {"command": command})
    assert listed.structured_content is not None, text_of(listed)
    assert [one["name"] for one in listed.structured_content["result"]] == ["boxed"]
    assert "a container without the host's folders" in text_of(refused)
    assert "SEEN" not in text_of(elsewhere)
    assert "cannot access" in text_of(elsewhere)
