"""Extensions of the protocol: which there are, and whether a client has declared one."""

from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from wand_server.model import Principal
from wand_server.protocol.failures import METHOD_NOT_FOUND, MISSING_CAPABILITY, ProtocolFailure

TASKS = "io.modelcontextprotocol/tasks"
SKILLS = "io.modelcontextprotocol/skills"
UI = "io.modelcontextprotocol/ui"
UI_KIND = "text/html;profile=mcp-app"

Context = ServerRequestContext[Any, Principal]


def principal_of(context: Context) -> Principal:
    """Who asks."""
    principal = context.request
    if principal is None:
        raise RuntimeError("a transport let a request in without its principal")
    return principal


def declares(context: Context, extension: str) -> bool:
    """Whether the client has said, with this request, that it knows the extension."""
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS and extension in declared(context)


def declared(context: Context) -> dict[str, dict[str, Any]]:
    """The extensions that the client has declared, each with its settings."""
    capabilities = context.session.client_capabilities  # a client that does not say its name has them too
    return (capabilities.extensions or {}) if capabilities else {}


def shows_pages(context: Context) -> bool:
    """Whether the client can show pages of ours (MCP Apps, which is older than the stateless era)."""
    kinds = declared(context).get(UI, {}).get("mimeTypes")
    return isinstance(kinds, list) and UI_KIND in kinds


def require(context: Context, extension: str) -> None:
    """Go on only for a client that has declared the extension.

    Raises:
        ProtocolFailure: it has not, or its era knows no extensions.
    """
    if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        raise ProtocolFailure(METHOD_NOT_FOUND, f"Method not found: {context.method}")
    if extension not in declared(context):
        needed: dict[str, Any] = {"requiredCapabilities": {"extensions": {extension: {}}}}
        message = f"{context.method} needs a client that declares the extension {extension}"
        raise ProtocolFailure(MISSING_CAPABILITY, message, data=needed)
