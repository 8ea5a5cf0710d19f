"""The extension io.modelcontextprotocol/skills: the skills, each with its files (SEP-2640)."""

import hashlib
from typing import Any

from mcp.server.lowlevel import Server
from mcp_types import PaginatedRequestParams, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field

from wand_server import scopes
from wand_server.model import SkillDescription
from wand_server.offers import Skills
from wand_server.protocol.extensions import SKILLS, Context, principal_of
from wand_server.protocol.failures import INVALID_PARAMS, ProtocolFailure
from wand_server.protocol.reading import check, no_cursor

_FRESHNESS_MS = 3_600_000  # they change with the server's version alone


class SkillParams(RequestParams):
    """Names a skill."""

    uri: str = Field(max_length=1000)


def add_methods(server: Server[Any], skills: Skills | None) -> None:
    """Let the server answer to the methods of the extension, and say that it does, where there are skills."""
    if skills is None:
        return
    entries = {one.uri: _entry(one) for one in skills.describe()}

    async def list_skills(context: Context, params: PaginatedRequestParams) -> dict[str, Any]:
        no_cursor(params.cursor)
        found = list(entries.values()) if scopes.READ in principal_of(context).scopes else []
        return {**_freshness(context), "skills": found}

    async def get_skill(context: Context, params: SkillParams) -> dict[str, Any]:
        check(principal_of(context), "skills/get")
        if params.uri not in entries:
            known = ", ".join(entries)
            message = f"uri: there is no skill {params.uri[:200]!r}; there are: {known}"
            raise ProtocolFailure(INVALID_PARAMS, message, data={"uri": params.uri})
        return {**_freshness(context), "skill": entries[params.uri]}

    server.extensions[SKILLS] = {}
    server.add_request_handler("skills/list", PaginatedRequestParams, list_skills)
    server.add_request_handler("skills/get", SkillParams, get_skill)


def _freshness(context: Context) -> dict[str, Any]:
    is_modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
    return {"ttlMs": _FRESHNESS_MS, "cacheScope": "private"} if is_modern else {}


def _entry(skill: SkillDescription) -> dict[str, Any]:
    files = [
        {"uri": uri, "digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}
        for uri, content in skill.files
    ]
    head = {"name": skill.name, "description": skill.description}
    return {"uri": skill.uri, "frontmatter": head, "resources": files}
