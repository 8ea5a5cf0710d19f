"""Claude Code's own program: it takes the line that Wand prints, and connects."""

import re
import shlex
from pathlib import Path

from support.clients import Clients
from support.running import COMMAND, Running


def test_claude_code_connects_with_the_line_that_wand_prints(
    wand: Running, clients: Clients, claude: Path
) -> None:
    line = re.search(r"claude mcp add .*", wand.printed)
    assert line is not None
    clients.run(claude, *shlex.split(line[0])[1:])
    listed = clients.run(claude, "mcp", "list")
    assert wand.url in listed
    assert "Connected" in listed


def test_claude_code_connects_over_stdio(workspace: Path, clients: Clients, claude: Path) -> None:
    clients.run(claude, "mcp", "add", "wand", "--", COMMAND, "stdio", "--embedded", workspace)
    assert "Connected" in clients.run(claude, "mcp", "list")
