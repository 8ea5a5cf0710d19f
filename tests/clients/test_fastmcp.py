"""FastMCP's client, over HTTP."""

import json
import subprocess
from pathlib import Path

from support.running import Running

SCRIPT = Path(__file__).with_name("fastmcp_client.py")


def test_the_client_of_fastmcp_works(wand: Running, fastmcp: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [fastmcp, SCRIPT, wand.url, wand.key],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    seen = json.loads(done.stdout)
    assert {"execute_command", "read_file"} <= set(seen["names"])
    assert seen["ran"]["stdout"] == "one\ntwo\n"
    assert any("one" in message for message in seen["told"])
    assert "quick brown fox" in seen["poem"]
    assert seen["refused"]
