"""The official conformance suite, its stable and its next version, against our transports.

    ./dev conformance             every specification version that the suites know, in a table
    ./dev conformance NAME        one scenario, with all that it says

Every scenario counts, also those that the suite itself does not score, because they belong to an extension
or are not agreed upon yet. The exit code is 1 where one fails.
"""

import contextlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance import authorization
from support.tree import ROOT

HOME = ROOT / ".dev" / "conformance"
SECONDS = 120
_ALONE = re.compile(r"^Passed: (\d+)/\d+, (\d+) failed", re.MULTILINE)
_LINE = re.compile(r"^([✓✗]) (\S+): (\d+) passed, (\d+) failed", re.MULTILINE)
NEXT, STABLE = "conformance-next", "conformance-stable"
RUNS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("2026-07-28, required", NEXT, ("--requirements", "2026-07-28")),
    ("skills, listed and given", NEXT, ("--scenario", "sep-2640-skills-enumeration")),
    ("skills, as resources", NEXT, ("--scenario", "sep-2640-skills-manifest")),
    ("2025-11-25, required", NEXT, ("--requirements", "2025-11-25")),
    ("2025-06-18, all", NEXT, ("--suite", "all", "--spec-version", "2025-06-18")),
    ("2025-03-26, all", NEXT, ("--suite", "all", "--spec-version", "2025-03-26")),
    ("stable suite, all", STABLE, ("--suite", "all")),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of a suite's summary."""

    name: str
    passed: int
    failed: int


def main(words: Sequence[str]) -> int:
    node = next(iter(sorted(HOME.glob("node_modules/node-linux-*/bin/node"))), None)
    if node is None:
        sys.exit("conformance: the suite is not installed: ./dev conformance installs it, and needs npm")
    with serving() as address, tempfile.TemporaryDirectory() as folder:
        if words:
            argv = suite(node, NEXT, address, folder, ("--scenario", *words, "--verbose"))
            return subprocess.run(argv, check=False, timeout=SECONDS).returncode
        print(f"{'':24}{'scenarios':>10}{'checks':>8}{'failed':>8}")
        failing = [report(name, run(suite(node, which, address, folder, more))) for name, which, more in RUNS]
    failing.append(report("authorization server", read(authorization.run(node, script(NEXT)))))
    print(f"\n{len(failing) - sum(failing)} passed, {sum(failing)} failed")
    return 1 if any(failing) else 0


def suite(node: Path, which: str, address: str, folder: str, more: Sequence[str]) -> list[str]:
    return [str(node), str(script(which)), "server", "--url", address, "-o", folder, *more]


def script(which: str) -> Path:
    return HOME / "node_modules" / which / "dist" / "index.js"


def run(argv: list[str]) -> list[Scenario]:
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=SECONDS)
    return read(done.stdout + done.stderr)


def read(printed: str) -> list[Scenario]:
    """The rows of a summary."""
    found = _LINE.findall(printed)
    if not found and (alone := _ALONE.search(printed)):
        return [Scenario("it", int(alone[1]), int(alone[2]))]
    return [Scenario(name, int(passed), int(failed)) for _, name, passed, failed in found]


def report(name: str, scenarios: list[Scenario]) -> bool:
    """Print the row of one run; whether something has failed, or nothing ran."""
    failed = [one for one in scenarios if one.failed]
    checks = sum(one.passed for one in scenarios)
    print(f"{name:24}{len(scenarios):10}{checks:8}{sum(one.failed for one in failed):8}")
    for one in failed:
        print(f"  FAILED {one.name}: {one.failed} of {one.passed + one.failed} checks")
    return bool(failed) or not scenarios


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The fixture's server on a free port, while the block runs."""
    with (HOME / "server.log").open("wb") as log:
        argv = [sys.executable, "-m", "conformance.server", "0"]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert child.stdout is not None
        port = child.stdout.readline().strip()
        if not port:
            sys.exit((HOME / "server.log").read_text())
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        child.terminate()
        child.wait(20)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
