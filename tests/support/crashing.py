"""A launcher that meets its end, or a failing disk, at a chosen system call (strace); what it then left."""

import itertools
import json
import re
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import ledgers
from support.launcher_client import NO_LIMITS, PROGRAM, SECONDS, Client, Launcher, launched, marked, none_left

LEDGER = "ledger/ledger.jsonl"
KEYS = "ledger/ledger.key"
DISK = ("write", "fdatasync", "ftruncate", "pwrite64")
SLOW = "write:delay_enter=20000"  # microseconds: what a launcher does too early has taken effect by then
_CALL = re.compile(rf"^(\w+)\(\d+<[^>]*/{re.escape(LEDGER)}>.*\) += (-?\d+)")


@dataclass
class Life:
    """What a launcher left: the jobs that took effect, the jobs on record, and what it answered."""

    touched: set[str]
    durable: set[str]  # recorded, and the disk had it when the launcher last heard from it
    refused: dict[str, dict[str, Any]]
    damage: str  # of its ledger
    calls: list[str]  # as strace shows them


def injecting(rules: Sequence[str]) -> list[str]:
    """What stands in front of a launcher to make strace do as the rules say: "write:error=EIO:when=3"."""
    named = [rule.partition(":")[0] for rule in rules]
    places = ["-P", "{folder}/" + LEDGER, "-P", "{folder}/" + KEYS]
    narrow = places if set(named) <= set(DISK) else []
    words = ["strace", "-D", "-q", "-y", "-o", "{folder}/calls", *narrow]
    words += ["-e", f"trace={','.join((*DISK, *named))}"]
    return [*words, *(word for rule in rules for word in ("-e", f"inject={rule}"))]


def live(*rules: str, rounds: Sequence[int] = (3, 1, 2), program: Path = PROGRAM) -> Life:
    """Let a launcher run jobs that leave a file, so many at once in each round, until it dies or is done."""
    with launched(before=injecting(rules), program=program) as launcher:
        refused: dict[str, dict[str, Any]] = {}
        with suppress(OSError), launcher.client() as client:
            for number, count in enumerate(rounds):
                refused |= touch(launcher, client, [f"job-{number}-{one}" for one in range(count)])
        launcher.process.terminate()
        launcher.process.wait(SECONDS)
        seen = calls(launcher.folder / "calls")
        written = launcher.ledger.read_bytes()
        damage = ledgers.chain(launcher.ledger.parent).damage
        return Life(touched(launcher), recorded(written[: safe(seen)]), refused, damage, seen)


def touch(launcher: Launcher, client: Client, jobs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Start all jobs with one breath and wait for each to end; the answers of those that were refused."""
    refused: dict[str, dict[str, Any]] = {}
    asked = {ask(launcher, client, job): job for job in jobs}
    while asked.keys() - client.answers.keys() or asked.values() - client.exits.keys() - refused.keys():
        for number in asked.keys() & client.answers.keys():
            if client.answers[number][0]["say"] == "failed":
                refused[asked[number]] = client.answers[number][0]
        if asked.values() - client.exits.keys() - refused.keys():
            client.receive()
    return refused


def ask(launcher: Launcher, client: Client, job: str) -> int:
    """Ask for a command that leaves a file of the job's name, and do not wait; the number of the request."""
    number = next(client.numbers)
    with Path("/dev/null").open("r+b", buffering=0) as null:
        request = {
            "do": "run", "re": number, "job": job, "profile": "p", "directory": "", "environment": {},
            "limits": NO_LIMITS, "why": {}, "argv": ["touch", f"{launcher.workspace}/{job}"],
        }  # fmt: skip
        client.send(request, [null.fileno()] * 3)
    return number


def touched(launcher: Launcher) -> set[str]:
    """The jobs that left their file, once none of them can leave one any more."""
    assert none_left(str(launcher.folder)), marked(str(launcher.folder))
    return {path.name for path in launcher.workspace.iterdir()}


def safe(seen: Sequence[str]) -> int:
    """How many bytes of the ledger the disk had taken, by what strace saw of its descriptor."""
    written = durable = 0
    for line in seen:
        if "INJECTED" in line or not (call := _CALL.match(line)):
            continue
        name, result = call[1], int(call[2])
        if name == "write" and result > 0:
            written += result
        elif name == "ftruncate" and result == 0:
            written = int(line.split(", ")[1].partition(")")[0])
        elif name == "fdatasync" and result == 0:
            durable = written
    return durable


def recorded(ledger: bytes) -> set[str]:
    """The jobs that whole lines say are about to run."""
    lines = [json.loads(line) for line in ledger.splitlines(keepends=True) if line.endswith(b"\n")]
    return {line["fields"]["job"] for line in lines if line["event"] == "run"}


def calls(log: Path) -> list[str]:
    """The lines of strace's log, once it has written the last of them."""
    give_up = time.monotonic() + SECONDS
    while not (lines := log.read_text().splitlines()) or not lines[-1].startswith("+++"):
        assert time.monotonic() < give_up, "strace does not end"
        time.sleep(0.005)
    return lines


# -- launchers that are wrong ----------------------------------------------------------------------------


def mutant(folder: Path, module: str, more: str) -> Path:
    """The program of a copy of our launcher that has `more` at the end of one of its modules."""
    package = folder / PROGRAM.parent.name
    shutil.copytree(PROGRAM.parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "launcher" / module).open("a") as code:
        code.write(more)
    return package / "launcher"


# -- a launcher under load -------------------------------------------------------------------------------


def seconds_of_a_round(launcher: Launcher) -> float:
    """How long this machine takes now, from a connection to the end of eight jobs."""
    began = time.monotonic()
    with launcher.client() as client:
        touch(launcher, client, [f"first-{one}" for one in range(8)])
    return time.monotonic() - began


def load(launcher: Launcher, prefix: str) -> None:
    """Ask for jobs, eight at a time, until the launcher is gone."""
    with suppress(OSError), launcher.client() as client:
        for number in itertools.count():
            touch(launcher, client, [f"{prefix}-{number}-{one}" for one in range(8)])
