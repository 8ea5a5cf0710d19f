"""The extension io.modelcontextprotocol/skills over a real socket."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.edge import Edge, edge
from support.host import FakeHost
from wand_server.protocol.reading import Library
from wand_server.tools.prompts import BuiltInPrompts
from wand_server.tools.resources import HostResources
from wand_server.tools.skills import BuiltInSkills


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    library = Library(HostResources(FakeHost()), BuiltInPrompts(), BuiltInSkills())
    async with edge(tmp_path, library=library) as running:
        yield running


async def test_every_file_of_a_listed_skill_reads_as_its_digest_says(server: Edge) -> None:
    _, listed = await server.ask(**server.modern("skills/list"))
    files = [file for one in listed["result"]["skills"] for file in one["resources"]]
    assert len(files) == 4

    for file in files:
        uri = file["uri"]
        _, read = await server.ask(**server.modern("resources/read", {"uri": uri}, Mcp_Name=uri))
        content = read["result"]["contents"][0]["text"].encode()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["digest"][7:])


async def test_one_skill_is_given_as_it_is_listed(server: Edge) -> None:
    _, listed = await server.ask(**server.modern("skills/list"))
    first = listed["result"]["skills"][0]

    _, given = await server.ask(**server.modern("skills/get", {"uri": first["uri"]}))

    assert given["result"]["skill"] == first
    assert given["result"]["ttlMs"] > 0


async def test_a_skill_that_is_not_there_is_refused_with_those_that_are(server: Edge) -> None:
    status, body = await server.ask(**server.modern("skills/get", {"uri": "skill://none/SKILL.md"}))

    assert (status, body["error"]["code"]) == (400, -32602)
    assert "skill://run-commands/SKILL.md" in body["error"]["message"]


async def test_the_server_says_that_it_has_skills(server: Edge) -> None:
    _, body = await server.ask(**server.modern("server/discover"))

    assert "io.modelcontextprotocol/skills" in body["result"]["capabilities"]["extensions"]
