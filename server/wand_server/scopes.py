"""Which scopes there are, and which of them opens what: a table, and questions to it.

`wand:tool:NAME` opens one tool and nothing beside it.
"""

import re
from collections.abc import Iterable

from wand_proto.errors import Denied, Invalid
from wand_server.model import Principal, ToolDescription

READ, WRITE, EXECUTE, ADMIN = "wand:read", "wand:write", "wand:execute", "wand:admin"
MEANING = {
    READ: "look: tools that change nothing, resources, prompts",
    WRITE: "change files and notes",
    EXECUTE: "run commands, and tools that change something else",
    ADMIN: "change how the server runs",
}
EVERYDAY = frozenset({READ, WRITE, EXECUTE})
ONE_TOOL = "wand:tool:"
_ONE_TOOL = re.compile(ONE_TOOL + r"[A-Za-z0-9_.-]{1,64}")
_OF_TOOLSETS = {
    "files": WRITE,
    "memory": WRITE,
    "commands": EXECUTE,
    "server": ADMIN,
}  # of tools that change something


class InsufficientScope(Denied):
    """Who asks is known, and may not ask for this; `needed` would do."""

    def __init__(self, what: str, needed: str, granted: Iterable[str]) -> None:
        has = " ".join(sorted(granted)) or "none"
        super().__init__(f"{what} needs the scope {needed}", hint=f"the scopes of this sign-in: {has}")
        self.needed = needed


def needed_by(tool: ToolDescription) -> str:
    """The scope that opens a tool, beside the one of its own."""
    if tool.read_only and tool.toolset != "server":
        return READ
    return _OF_TOOLSETS.get(tool.toolset, EXECUTE)


def may_call(granted: frozenset[str], tool: ToolDescription) -> bool:
    """Whether those scopes open a tool."""
    return opens(granted, needed_by(tool), tool.name)


def opens(granted: frozenset[str], scope: str, tool: str) -> bool:
    """Whether those scopes open what a scope does, or else that one tool."""
    return scope in granted or ONE_TOOL + tool in granted


def check_tool(principal: Principal, tool: ToolDescription) -> None:
    """Let a call of a tool pass.

    Raises:
        InsufficientScope: none of the principal's scopes opens it.
    """
    if not may_call(principal.scopes, tool):
        raise InsufficientScope(tool.name, needed_by(tool), principal.scopes)


def check(principal: Principal, what: str, needed: str) -> None:
    """Let pass what one scope opens.

    Raises:
        InsufficientScope: the principal does not have it.
    """
    if needed not in principal.scopes:
        raise InsufficientScope(what, needed, principal.scopes)


def known(untrusted: Iterable[str]) -> frozenset[str]:
    """Those of the words that are scopes of ours; a token may carry others' as well."""
    return frozenset(word for word in untrusted if is_known(word))


def is_known(word: str) -> bool:
    """Whether that is a scope of ours."""
    return word in MEANING or _ONE_TOOL.fullmatch(word) is not None


def read(untrusted: Iterable[str]) -> frozenset[str]:
    """Scopes as a person writes them, each of which has to be one.

    Raises:
        Invalid: one is none; the message names those that there are.
    """
    words = frozenset(untrusted)
    if wrong := sorted(word for word in words if not is_known(word)):
        there_are = f"there are {', '.join(MEANING)} and {ONE_TOOL}NAME"
        raise Invalid(f"{wrong[0]!r:.80} is no scope", hint=there_are, field="scopes")
    return words
