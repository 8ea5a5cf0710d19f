"""Who takes part, and what each is asked."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import _servers
from bench._load import Era

ACTS = {"echo": "echo: a tool that says it again", "true": "true: run /bin/true on the host"}
FLOOR = "bare aiohttp handler"
BOTH_ERAS: tuple[Era, ...] = ("modern", "legacy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A tools/call, and what every right answer to it holds."""

    tool: str
    proof: bytes
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A server: how it is started, where it answers, what it can be asked."""

    name: str
    argv: Sequence[str | Path]
    port: int
    acts: Mapping[str, Ask]
    eras: tuple[Era, ...] = BOTH_ERAS
    headers: Mapping[str, str] = field(default_factory=dict)


ECHO = Ask(tool="echo", proof=b"hello world", arguments={"text": "hello world"})
PEERS_ACTS = {"echo": ECHO, "true": Ask(tool="true", proof=b"exit 0")}


def peer(name: str, environment: str, *words: str) -> Contender:
    port = _servers.free_port()
    argv: list[str | Path] = [
        _servers.python_of(environment),
        _servers.PEERS / f"{environment}.py",
        str(port),
        *words,
    ]
    eras: tuple[Era, ...] = ("modern",) if name == FLOOR else BOTH_ERAS  # the floor knows no era
    return Contender(name=name, argv=argv, port=port, acts=PEERS_ACTS, eras=eras)


def every(stack: contextlib.ExitStack) -> list[Contender]:
    """All contenders; what they need on disk lasts as long as `stack`."""
    return [
        peer(FLOOR, "bare"),
        peer("mcp SDK, low level, uvicorn", "sdk", "low"),
        peer("mcp SDK, MCPServer, uvicorn", "sdk", "high"),
        peer("FastMCP, uvicorn", "fast"),
    ]
