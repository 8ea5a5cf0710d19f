"""The clients that `./dev clients` installed, as programs."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.tree import ROOT

HOME = ROOT / ".dev" / "clients"
MODULES = HOME / "node_modules"
_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The installed clients, each run with a home folder of its own and no telemetry."""

    node: Path
    home: Path

    def run(self, *argv: str | Path, more: Mapping[str, str] | None = None) -> str:
        """What the program prints; it must end well, and in time."""
        environment = {
            "PATH": f"{self.node.parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "CLIENTS": str(HOME),
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            **(more or {}),
        }
        done = subprocess.run(
            argv, env=environment, cwd=self.home, check=False, capture_output=True, text=True,
            timeout=_SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def inspect(self, *words: str) -> str:
        """What the MCP Inspector prints; it waits longer for a server than its own 15 s."""
        patient = ("--connect-timeout", str(int(_SECONDS * 1000)))
        inspector = MODULES / ".bin" / "mcp-inspector"
        return self.run(self.node, inspector, "--cli", *words, *patient, "--format", "json")

    def show(self, chromium: str, page: Path, tool: str, results: Sequence[str]) -> dict[str, Any]:
        """What a person sees of a page beside a conversation, in a real browser."""
        script = Path(__file__).parent.parent / "clients" / "host.mjs"
        printed = self.run(self.node, script, page, tool, *results, more={"CHROMIUM": chromium})
        found: dict[str, Any] = json.loads(printed)
        return found

    def sign_in(self, chromium: str, url: str, name: str, password: str) -> dict[str, Any]:
        """What a person saw who went there with a real browser, signed in and said yes."""
        script = Path(__file__).parent.parent / "clients" / "person.mjs"
        printed = self.run(self.node, script, url, name, password, more={"CHROMIUM": chromium})
        return dict(json.loads(printed))


def find_chromium() -> str | None:
    """A browser of this machine."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def find_node() -> Path | None:
    """The Node that came with the clients; they need a newer one than systems have."""
    found = sorted(MODULES.glob("node-linux-*/bin/node"))
    return found[0] if found and (MODULES / "@modelcontextprotocol" / "client").exists() else None


def find_fastmcp() -> Path | None:
    """The Python that has FastMCP's client."""
    found = ROOT / ".dev" / "fastmcp" / "bin" / "python"
    return found if found.exists() else None


def find_claude() -> Path | None:
    """Claude Code's program."""
    return next(iter(sorted(MODULES.glob("@anthropic-ai/claude-code-linux-*/claude"))), None)
