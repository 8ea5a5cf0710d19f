"""Artifacts as tools and clients read them: by read_file, and as resources."""

import json
import re
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from wand_proto.errors import Invalid, NotFound
from wand_server import arguments
from wand_server.model import Call, ResourceContent, ResourceDescription, ResourceState, ToolResult
from wand_server.ports import ArtifactPart, Artifacts, Host
from wand_server.tools import render
from wand_server.tools.files import ReadFile
from wand_server.tools.reading import READ_CEILING, ReadAnswer, readable
from wand_server.tools.registry import HostEntry, result_of

LIST = "wand://artifacts"
_RESOURCE_CEILING = 256 * 1024
_ONE = re.compile(r"wand://artifacts/([0-9a-f]{64})")
DESCRIBED = (
    ResourceDescription(
        uri=LIST, name="artifacts", title="Files that are kept for you", mime_type="application/json",
        description="What was too large for an answer: name, kind, size and end of each.",
    ),
    ResourceDescription(
        uri="wand://artifacts/{digest}{?offset}", name="artifact", title="A file that is kept for you",
        mime_type="application/octet-stream", is_template=True,
        description="A file by the digest of its bytes, as an answer has named it.",
    ),
)  # fmt: skip


class ReadFileEntry(HostEntry):
    """read_file, which reads artifacts too."""

    def __init__(self, artifacts: Artifacts) -> None:
        super().__init__(ReadFile)
        self._artifacts = artifacts

    async def call(self, untrusted: dict[str, Any], host: Host, call: Call) -> ToolResult:
        """Read a part of an artifact where one is named, else ask the host."""
        tool = arguments.read(ReadFile, untrusted)
        if not tool.path.startswith(f"{LIST}/"):
            return result_of(await tool.call(host, call))
        digest = _digest(tool.path, "path")
        if tool.first_line or tool.max_lines:
            raise Invalid("an artifact is read by bytes", hint="give offset", field="first_line")
        most = min(tool.max_bytes or READ_CEILING, READ_CEILING)
        owner, offset = call.principal.owner, tool.offset or 0
        if offset < 0:
            offset = max(0, (await self._artifacts.find(owner, digest)).total_bytes + offset)
        part = await self._artifacts.read(owner, digest, (offset, most))
        return result_of(_answer(tool.path, part))


def _answer(path: str, part: ArtifactPart) -> ReadAnswer:
    is_binary = render.is_binary(part.data)
    data = part.data[: render.BINARY_SHOWN] if is_binary else part.data
    total = part.artifact.total_bytes
    if part.offset + len(data) < total and not is_binary:
        data = render.whole_characters(data) or data
    content, notes = readable(data, is_binary=is_binary)
    end = part.offset + len(data)
    return ReadAnswer(
        path=path,
        content=content,
        offset=part.offset,
        total_bytes=total,
        next_offset=end if end < total else None,
        binary=is_binary,
        sha256=part.artifact.digest,
        notes=notes,
    )


class ArtifactResources:
    """Artifacts as resources; offers `resources.Room`."""

    described = DESCRIBED

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts

    async def read(self, uri: str, offset: int, call: Call) -> ResourceContent:
        """The list of the caller's, or a part of one.

        Raises:
            NotFound: they have none of that digest.
        """
        owner = call.principal.owner
        if not urlsplit(uri).path:
            told = [{"uri": one.uri, **asdict(one)} for one in await self._artifacts.listed(owner)]
            return ResourceContent(uri=uri, mime_type="application/json", data=json.dumps(told).encode())
        digest = _digest(urlsplit(uri)._replace(query="").geturl(), "uri")
        part = await self._artifacts.read(owner, digest, (offset, _RESOURCE_CEILING))
        data, end = part.data, part.offset + len(part.data)
        more = end < part.artifact.total_bytes
        if more and part.artifact.mime_type.startswith(("text/", "application/json")):
            data = render.whole_characters(data) or data
            end = part.offset + len(data)
        goes_on = f"{part.artifact.uri}?offset={end}" if more else ""
        return ResourceContent(uri=uri, mime_type=part.artifact.mime_type, data=data, next_uri=goes_on)

    async def state(self, uri: str, call: Call) -> ResourceState:
        """One changes never; it may only be gone.

        Raises:
            NotFound: they have none of that digest.
        """
        found = await self._artifacts.find(call.principal.owner, _digest(uri, "uri"))
        return ResourceState(mark=found.digest, final=True)


def _digest(uri: str, field: str) -> str:
    named = _ONE.fullmatch(uri)
    if named is None:
        hint = (
            f"wand://artifacts/ and the 64 hexadecimal digits of its digest; the resource {LIST} lists them"
        )
        raise NotFound(f"{uri[:200]!r} names no file that is kept", hint=hint, field=field)
    return named[1]
