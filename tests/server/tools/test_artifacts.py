"""A result that is too large: its head and a link, all of it by read_file and as a resource."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.host import FakeHost, call
from wand_proto.errors import Invalid, NotFound
from wand_server.memory.artifacts import ArtifactFolder, Quotas
from wand_server.model import Call, ToolDescription, ToolResult
from wand_server.ports import Host
from wand_server.protocol.methods import wire_result
from wand_server.tools import operations
from wand_server.tools.artifacts import ArtifactResources, ReadFileEntry
from wand_server.tools.large import Large
from wand_server.tools.registry import Around, Registry, result_of
from wand_server.tools.resources import HostResources

QUOTAS = Quotas(in_all=10**7, of_one=10**7, each=10**6, seconds=3600)
DATA = [{"n": number, "text": "zażółć " * 10} for number in range(1000)]
BOB = call()._replace(principal=replace(call().principal, name="bob"))


class Tells:
    """A tool that gives much."""

    description = ToolDescription(
        name="tell", title="", description="", input_schema={}, output_schema={},
        read_only=True, destructive=False, idempotent=True, open_world=False,
    )  # fmt: skip

    def has_subject(self) -> bool:
        return True

    async def call(self, untrusted: dict[str, Any], host: Host, call: Call) -> ToolResult:
        return result_of(operations.told("notes.list", untrusted["give"]))


@pytest.fixture
def folder(tmp_path: Path) -> ArtifactFolder:
    return ArtifactFolder(tmp_path, QUOTAS)


def registry(folder: ArtifactFolder) -> Registry:
    return Registry(FakeHost(), [Tells(), ReadFileEntry(folder)], around=Around(large=Large(folder)))


async def kept(folder: ArtifactFolder) -> ToolResult:
    return await registry(folder).call("tell", {"give": DATA}, call())


async def test_a_large_result_keeps_its_head_and_names_the_rest(folder: ArtifactFolder) -> None:
    result = await kept(folder)
    (link,) = result.links
    assert len(result.text) < 20_000
    assert result.text.splitlines()[1].startswith('[{"n": 0, "text":')
    assert f'read_file path="{link.uri}" offset=0' in result.text.splitlines()[-1]
    assert result.structured["artifact"] == link.uri
    (block,) = wire_result(result, "2025-11-25")["content"][1:]
    whole = json.dumps(DATA, ensure_ascii=False).encode()
    assert block == {
        "type": "resource_link",
        "uri": link.uri,
        "name": "tell-r1.json",
        "mimeType": "application/json",
        "size": len(whole),
    }


async def test_all_of_it_is_read_by_read_file_part_after_part(folder: ArtifactFolder) -> None:
    tools, (link,) = registry(folder), (await kept(folder)).links
    whole = ""
    offset: int | None = 0
    while offset is not None:
        read = await tools.call("read_file", {"path": link.uri, "offset": offset}, call())
        whole += read.structured["content"]
        offset = read.structured["next_offset"]
    assert json.loads(whole) == DATA


async def test_all_of_it_is_read_as_a_resource_part_after_part(folder: ArtifactFolder) -> None:
    (link,) = (await kept(folder)).links
    resources = HostResources(FakeHost(), {"artifacts": ArtifactResources(folder)})
    whole, uri = b"", link.uri
    while uri:
        read = await resources.read(uri, call())
        whole, uri = whole + read.data, read.next_uri
    assert json.loads(whole) == DATA
    assert read.mime_type == "application/json"
    assert (await resources.state(link.uri, call())).final
    listed = json.loads((await resources.read("wand://artifacts", call())).data)
    assert [one["uri"] for one in listed] == [link.uri]
    assert {"wand://artifacts", "wand://artifacts/{digest}{?offset}"} < {
        one.uri for one in resources.describe()
    }


async def test_nobody_else_reads_it(folder: ArtifactFolder) -> None:
    (link,) = (await kept(folder)).links
    read = await registry(folder).call("read_file", {"path": link.uri}, BOB)
    assert read.is_error
    assert "NotFound" in read.text
    resources = HostResources(FakeHost(), {"artifacts": ArtifactResources(folder)})
    with pytest.raises(NotFound):
        await resources.read(link.uri, BOB)
    with pytest.raises(NotFound):
        await resources.state(link.uri, BOB)
    assert json.loads((await resources.read("wand://artifacts", BOB)).data) == []


@pytest.mark.parametrize(
    ("path", "more", "why"),
    [
        ("wand://artifacts/../secrets", {}, "names no file"),
        ("wand://artifacts/" + "A" * 64, {}, "names no file"),
        ("wand://artifacts/" + "0" * 64, {}, "no such file"),
        ("wand://artifacts/" + "0" * 64, {"first_line": 2}, "by bytes"),
    ],
)
async def test_what_names_no_artifact_is_refused(
    folder: ArtifactFolder, path: str, more: dict[str, Any], why: str
) -> None:
    read = await registry(folder).call("read_file", {"path": path, **more}, call())
    assert read.is_error
    assert why in read.text


async def test_other_paths_are_read_as_before(folder: ArtifactFolder) -> None:
    read = await registry(folder).call("read_file", {"path": "a.txt"}, call())
    assert read.structured["content"] == "one\ntwo\n"
    with pytest.raises(Invalid):
        await HostResources(FakeHost(), {"artifacts": ArtifactResources(folder)}).read(
            "wand://artifacts?offset=x", call()
        )


async def test_a_result_that_cannot_be_kept_says_so(tmp_path: Path) -> None:
    folder = ArtifactFolder(tmp_path, replace(QUOTAS, in_all=0))
    result = await kept(folder)
    assert not result.links
    assert re.search(r"\[The rest is not kept: .* too many to keep\. Ask for less at once\.\]$", result.text)
    assert not result.is_error


async def test_a_result_that_is_all_there_leaves_nothing(folder: ArtifactFolder) -> None:
    result = await registry(folder).call("tell", {"give": [1]}, call())
    assert (result.text, result.links) == ("[1]", ())
    assert await folder.listed(call().principal.owner) == ()
