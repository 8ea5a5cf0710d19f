"""The HTTP surface as docs/reference/openapi.json describes it, tried by schemathesis on a real Wand.

`./dev schemathesis [SECONDS] [--seed N]`. It fails where an answer is not as described or breaks, where
somebody is let in without a key, and where it saw too little: all of `MUST_REACH` has to be answered.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.running import Running, embedded
from support.tree import ROOT

PROGRAM = ROOT / ".dev" / "schemathesis" / "bin" / "schemathesis"
DESCRIBED = ROOT / "docs" / "reference" / "openapi.json"
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_headers_conformance", "response_schema_conformance", "unsupported_method",
    "allow_header_conformance", "ignored_auth", "events_are_messages",
)  # fmt: skip
_REFUSED = {f"{method} /mcp 401 application/json": 1 for method in ("POST", "GET", "DELETE")}
MUST_REACH: dict[str, int] = {
    **dict.fromkeys(("POST /mcp 200 application/json", "POST /mcp 400 application/json"), 50),
    **dict.fromkeys(("GET /mcp 200 text/event-stream", "DELETE /mcp 200 -", "POST /mcp 202 -"), 10),
    **dict.fromkeys(("result of tools/call", "result of tools/list"), 10),
    **dict.fromkeys(("POST /mcp 200 text/event-stream", "result of server/discover", "result of ping"), 1),
    **_REFUSED,
}
"""What has to be answered, and how often at least; without a key, schemathesis asks once."""
MOST_ROUNDS = 4  # on a machine that is busy, one may see too little
DEFAULT_SEED = 20261126


def main(words: Sequence[str]) -> int:
    asked = argparse.ArgumentParser(prog="./dev schemathesis")
    asked.add_argument("seconds", nargs="?", type=int, default=40)
    asked.add_argument("--seed", type=int, default=DEFAULT_SEED)
    options = asked.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "work"
        workspace.mkdir()
        (workspace / "poem.txt").write_text("the quick brown fox\n")
        with embedded(workspace, Path(folder) / "state") as wand:
            code, reached = rounds(wand, Path(folder), options.seconds, options.seed)
    missing = unreached(reached)
    report(reached, missing)
    if code or missing:
        print(f"to see it again: ./dev schemathesis {options.seconds} --seed {options.seed}")
    return 1 if code or missing else 0


def rounds(wand: Running, folder: Path, seconds: int, seed: int) -> tuple[int, Counter[str]]:
    """How the last of some runs ended, each with a seed of its own, and what was answered in all of them."""
    reached: Counter[str] = Counter()
    for number in range(MOST_ROUNDS):
        code, answered = run(wand, folder, seconds, seed + number)
        reached.update(answered)
        if code or not unreached(reached):
            break
    return code, reached


def run(wand: Running, folder: Path, seconds: int, seed: int) -> tuple[int, dict[str, int]]:
    """How schemathesis ended, and how often it was answered what."""
    tally = folder / "tally.json"
    told = {"url": wand.url, "headers": wand.headers, "tally": str(tally)}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT / "tests"),
        "SCHEMATHESIS_HOOKS": "surface.hooks",
        "SURFACE": json.dumps(told),
    }
    argv = [str(PROGRAM), "run", str(DESCRIBED), "--url", wand.url.removesuffix("/mcp")]
    argv += asked_for(wand, seconds, seed)
    done = subprocess.run(argv, env=environment, cwd=folder, check=False, timeout=seconds + 120)
    return done.returncode, json.loads(tally.read_text()) if tally.exists() else {}


def asked_for(wand: Running, seconds: int, seed: int) -> list[str]:
    headers = [word for name, value in wand.headers.items() for word in ("--header", f"{name}: {value}")]
    return [
        *headers, "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--mode", "all",
        "--max-time", str(seconds), "--seed", str(seed), "--request-timeout", "20", "--no-color",
        "--generation-database", "none", "--warnings", "off", "--suppress-health-check", "all",
    ]  # fmt: skip


def unreached(reached: Mapping[str, int]) -> list[str]:
    """What of `MUST_REACH` was answered so seldom that nothing is known of it."""
    return [name for name, times in MUST_REACH.items() if reached.get(name, 0) < times]


def report(reached: Mapping[str, int], missing: Sequence[str]) -> None:
    for name, times in sorted(reached.items()):
        print(f"{times:7} {name}")
    for name in missing:
        print(f"NOT REACHED {name}: {reached.get(name, 0)} times, needs {MUST_REACH[name]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
