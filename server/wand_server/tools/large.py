"""What is too large for an answer: kept as an artifact of its caller's, which the answer names."""

from datetime import UTC, datetime

from wand_proto.errors import WandError
from wand_server.model import Call, ResourceLink, ToolResult, Whole
from wand_server.ports import Artifact, Artifacts, NewArtifact
from wand_server.tools import render

_SUFFIXES = {"application/json": ".json", "text/plain": ".txt"}


class Large:
    """Keeps the whole of a result."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts

    async def told(self, tool: str, result: ToolResult, call: Call) -> ToolResult:
        """The result, and where all of it is; as it is where it is all there."""
        whole = result.whole
        if whole is None:
            return result
        try:
            kept = await self._artifacts.keep(call.principal.owner, _named(tool, whole, call))
        except WandError as why:
            said = f"[The rest is not kept: {why.message}. Ask for less at once.]"
            return result._replace(text=f"{result.text}\n{said}", whole=None)
        structured = {**result.structured, "artifact": kept.uri}
        return result._replace(
            text=f"{result.text}\n{_where(kept)}",
            structured=structured,
            links=(*result.links, link_to(kept)),
            whole=None,
        )


def _named(tool: str, whole: Whole, call: Call) -> NewArtifact:
    name = f"{tool}-{call.request_id}{_SUFFIXES.get(whole.mime_type, '')}"
    return NewArtifact(data=whole.data, name=name, mime_type=whole.mime_type)


def link_to(kept: Artifact) -> ResourceLink:
    """It as a client sees it in an answer."""
    return ResourceLink(uri=kept.uri, name=kept.name, mime_type=kept.mime_type, total_bytes=kept.total_bytes)


def _where(kept: Artifact) -> str:
    day = datetime.fromtimestamp(kept.expires, UTC).date().isoformat()
    what = f"{render.size(kept.total_bytes)}, {kept.mime_type}"
    return f'[All of it ({what}) is kept until {day}: read_file path="{kept.uri}" offset=0]'
