"""Resources, prompts and completions over a real edge, in both eras."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.edge import Edge, edge, legacy
from support.host import FakeHost, refusing
from wand_proto.errors import Denied
from wand_server.protocol.reading import Library
from wand_server.tools.prompts import BuiltInPrompts
from wand_server.tools.resources import HostResources

PROMPT = {"name": "check-host", "arguments": {"focus": "disk"}}
COMPLETE_PROMPT = {
    "ref": {"type": "ref/prompt", "name": "check-host"}, "argument": {"name": "focus", "value": "d"},
}  # fmt: skip
COMPLETE_TEMPLATE = {
    "ref": {"type": "ref/resource", "uri": "wand://jobs/{job}/{stream}{?offset}"},
    "argument": {"name": "stream", "value": ""},
}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Edge]:
    library = Library(HostResources(FakeHost()), BuiltInPrompts())
    async with edge(tmp_path, library=library) as running:
        yield running


async def ask(served: Edge, era: str, method: str, **params: Any) -> dict[str, Any]:
    if era == "modern":
        name = params.get("name") or params.get("uri")
        named = {"Mcp-Name": name} if method in {"prompts/get", "resources/read"} else {}
        answer = (await served.ask(**served.modern(method, params, **named)))[1]
    else:
        session = await served.initialize()
        answer = (await served.ask(json=legacy(method, params), headers=session))[1]
    body: dict[str, Any] = answer.get("result") or answer["error"]
    return body


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_what_can_be_read_is_listed(served: Edge, era: str) -> None:
    resources = (await ask(served, era, "resources/list"))["resources"]
    templates = (await ask(served, era, "resources/templates/list"))["resourceTemplates"]
    prompts = (await ask(served, era, "prompts/list"))["prompts"]

    uris = [one["uri"] for one in resources]
    assert uris[:3] == ["wand://host/info", "wand://host/status", "wand://audit"]
    assert all(uri.startswith("skill://") for uri in uris[3:])
    assert all(one["uriTemplate"].startswith("wand://") for one in templates)
    assert [one["name"] for one in prompts] == ["check-host", "fix-tests", "review-changes"]


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_resource_a_prompt_and_completions_are_answered(served: Edge, era: str) -> None:
    read = await ask(served, era, "resources/read", uri="wand://files/a.txt")
    prompt = await ask(served, era, "prompts/get", **PROMPT)
    choices = [
        await ask(served, era, "completion/complete", **one) for one in (COMPLETE_PROMPT, COMPLETE_TEMPLATE)
    ]

    assert read["contents"][0]["text"] == "one\ntwo\n"
    assert "Look at disk first" in prompt["messages"][0]["content"]["text"]
    streams = ["stdout", "stderr", "screen", "cast"]
    assert [one["completion"]["values"] for one in choices] == [["disk"], streams]


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("resources/read", {"uri": "wand://files/"}),
        ("prompts/get", {"name": "nothing"}),
        ("prompts/get", {"name": "check-host", "arguments": {"depth": "1"}}),
        ("completion/complete", {**COMPLETE_PROMPT, "ref": {"type": "ref/prompt", "name": "nothing"}}),
        ("completion/complete", {**COMPLETE_TEMPLATE, "ref": {"type": "ref/resource", "uri": "wand://x"}}),
        ("resources/list", {"cursor": "x"}),
    ],
)
async def test_what_is_not_there_is_a_wrong_parameter(
    served: Edge, era: str, method: str, params: dict[str, Any]
) -> None:
    error = await ask(served, era, method, **params)
    assert error["code"] == -32602
    if method == "resources/read":
        assert error["data"] == {"uri": "wand://files/"}


async def test_what_the_host_does_not_tell_completes_to_nothing(tmp_path: Path) -> None:
    host = refusing(Denied("/secret is not shown"))
    path = {"ref": {"type": "ref/resource", "uri": "wand://files/{+path}{?offset}"}}
    async with edge(tmp_path, library=Library(HostResources(host), BuiltInPrompts())) as served:
        argument = {"name": "path", "value": "/secret/"}
        found = await ask(served, "modern", "completion/complete", **path, argument=argument)
    assert found["completion"] == {"values": [], "total": 0, "hasMore": False}


async def test_a_refusal_says_what_it_is_and_what_is_permitted(tmp_path: Path) -> None:
    host = refusing(Denied("/etc/shadow is not shown", hint="the workspace is /work"))
    async with edge(tmp_path, library=Library(HostResources(host), BuiltInPrompts())) as served:
        error = await ask(served, "modern", "resources/read", uri="wand://files//etc/shadow")
    assert error["data"] == {"uri": "wand://files//etc/shadow", "kind": "Denied"}
    assert error["message"] == "/etc/shadow is not shown\nHint: the workspace is /work"
