"""What is tried in the emulated machine, by a person's calls; the standard library alone."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "inside", "version": "1"},
}
_GROUP = Path("/sys/fs/cgroup/wand.slice/wand-jobs.slice/wand-launcher.service")
_MANY = (
    "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26; do sleep 9 & done; wait"
)


def run(*argv: str) -> dict[str, Any]:
    """What execute_command answers to ann."""
    asked: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": _HELLO},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "execute_command", "arguments": {"argv": argv}}},
    ]
    with subprocess.Popen(
        ["runuser", "-u", "ann", "--", "wand-server", "stdio"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as pipe:  # fmt: skip
        assert pipe.stdin is not None
        assert pipe.stdout is not None
        for one in asked:
            pipe.stdin.write(json.dumps({"jsonrpc": "2.0", **one}) + "\n")
        pipe.stdin.flush()
        for line in pipe.stdout:
            said: dict[str, Any] = json.loads(line)
            if said.get("id") == 2:
                pipe.stdin.close()
                result: dict[str, Any] = said["result"]
                return {"text": json.dumps(result), **(result.get("structuredContent") or {})}
    return {"text": "the server said nothing"}


def groups() -> tuple[bool, str]:
    """The launcher's group has been divided, and what counts is counted in it."""
    counted = (_GROUP / "jobs" / "cgroup.subtree_control").read_text().split()
    mounted = Path("/proc/self/cgroup").read_text().split()
    return {"memory", "pids", "cpu"} <= set(counted) and len(
        mounted
    ) == 1, f"{' '.join(counted)}, one hierarchy"


def ceilings() -> tuple[bool, str]:
    said = subprocess.run(["wand-hostagent", "doctor"], check=False, capture_output=True, text=True).stdout
    line = next((line for line in said.splitlines() if "resource ceilings" in line), said)
    return "not for the whole job" not in line and line.startswith("ok"), line[:60]


def call() -> tuple[bool, str]:
    for _ in range(60):  # the server may still be looking for its host agent
        found = run("id", "-un")
        if found.get("stdout") == "wand-job\n":
            return True, "runs as wand-job"
        time.sleep(5)
    return False, found["text"][:300]


def memory() -> tuple[bool, str]:
    found = run("tail", "/dev/zero")
    return found.get("reason") == "out_of_memory", f"{found.get('reason')}, {found['text'][:120]}"


def processes() -> tuple[bool, str]:
    found = run("sh", "-c", _MANY)
    held = "process_limit" in found["text"] or "fork" in found["text"].lower()
    return held, f"more than 24 are refused: {found.get('stderr', '')[:60].strip()}"


def share() -> tuple[bool, str]:
    found = run("timeout", "10", "sh", "-c", "while :; do :; done")
    used = found.get("cpu_seconds", 99.0) / found.get("wall_seconds", 1.0)
    return used < 0.35, f"{used:.0%} of a processor at 20 %"


CHECKS: dict[str, Callable[[], tuple[bool, str]]] = {
    "call": call, "groups": groups, "ceilings": ceilings, "memory": memory, "processes": processes,
    "share": share,
}  # fmt: skip


def main() -> None:
    with open("/dev/ttyS1", "w") as results:  # noqa: PTH123 - a device
        for name, check in CHECKS.items():
            try:
                good, seen = check()
            except (OSError, ValueError, KeyError) as error:
                good, seen = False, repr(error)
            print(json.dumps({"check": name, "good": good, "seen": seen}), file=results, flush=True)
        kernel = Path("/proc/sys/kernel/osrelease").read_text().strip()
        print(
            json.dumps({"check": "done", "good": True, "seen": f"kernel {kernel}"}), file=results, flush=True
        )


if __name__ == "__main__":
    main()
