"""A real launcher in a process of its own, and a host agent gone mad at the other end of its socket.

Messages are sent many at a time, some links are dropped with answers still in them, and what was asked
well is really started. At the end it still works, nothing is open that was not before, and no defect is in
the log.
"""

import json
import os
import random
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from fuzz import descriptors, messages
from fuzz.indoors import Wrong, furnish
from support.launcher_client import Client, Failed, Launcher, launched

_AT_ONCE = 40
_SECONDS = 30.0
_INITS = messages.JOBS + 12
"""As many as may be kept of what is an init's: networks of all that ran at once, and inits that wait."""
_DEFECTS = ("request failed", "Traceback", "record lost")


def batch(seed: int, count: int) -> int:
    """So many messages from that seed; how many jobs were started.

    Raises:
        Wrong: something was that must never be.
    """
    chance = random.Random(seed)
    with ExitStack() as stack:
        launcher = stack.enter_context(launched())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wf")))
        folder.chmod(0o755)
        furnish(folder)
        for path in (folder / "profiles").iterdir():
            path.replace(launcher.folder / "profiles" / path.name)
        launcher.kill(15)
        launcher.restart()
        kinds = stack.enter_context(descriptors.prepared(folder))
        with launcher.client() as client:  # what is opened once and stays is open now
            for name in ("p", "r"):
                client.result("true", job=name, profile=name, why={"principal": "ann"})
                client.ask("forget", job=name)
        before = _at_rest(launcher)
        _play(launcher, chance, kinds, count)
        _forget_all(launcher)
        _await_closed(launcher.process.pid, before)
        if wrong := [line for line in launcher.log.splitlines() if any(word in line for word in _DEFECTS)]:
            raise Wrong(f"the launcher says: {wrong[0]}")
        _check_starts(launcher.records("run"))
        return len(launcher.records("run"))


def _play(launcher: Launcher, chance: random.Random, kinds: Sequence[int], count: int) -> None:
    for _ in range(0, count, _AT_ONCE):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
            link.settimeout(_SECONDS)
            link.connect(str(launcher.socket))
            sent = [number for number in range(_AT_ONCE) if _send(link, chance, kinds)]
            if sent and chance.random() < 0.8:
                _listen(link)
        if launcher.process.poll() is not None:
            raise Wrong(f"the launcher has ended: {launcher.log[-2000:]}")


def _send(link: socket.socket, chance: random.Random, kinds: Sequence[int]) -> bool:
    raw, wanted = messages.packed(chance)
    with suppress(OSError):  # hung up, or larger than a datagram may be
        descriptors.send(link, raw, descriptors.some(chance, kinds, wanted))
        return True
    return False


def _listen(link: socket.socket) -> None:
    """Read until the launcher has answered the last question, which is a good one, or has hung up."""
    number = 2**50
    with suppress(BrokenPipeError, ConnectionResetError):
        link.send(json.dumps({"do": "record", "re": number, "event": "fuzz", "fields": {}}).encode())
    answered: Counter[int] = Counter()
    while not answered[number] and (raw := _receive(link)):
        message = json.loads(raw)
        if message["say"] != "exited":
            answered[message["re"]] += 1
    twice = [re for re, times in answered.items() if times > 1 and re >= 2**20]
    if twice:
        raise Wrong(f"answered more than once: {twice}")


def _receive(link: socket.socket) -> bytes:
    """What comes next; nothing where the launcher has hung up."""
    try:
        raw, got, _, _ = socket.recv_fds(link, 400_000, 8)
    except ConnectionResetError:
        return b""
    except TimeoutError as error:
        raise Wrong("the launcher does not answer") from error
    for descriptor in got:
        os.close(descriptor)
    return raw


def _forget_all(launcher: Launcher) -> None:
    """Every job is over and forgotten, or time is up, which what is left open then shows."""
    give_up = time.monotonic() + _SECONDS
    with launcher.client() as client:
        while time.monotonic() < give_up:
            for name in [f"job-{number}" for number in range(messages.JOBS)] + _others(client):
                with suppress(Failed):
                    client.ask("kill", job=name, signal=9, reason="cancelled")
                with suppress(Failed):
                    client.ask("forget", job=name)
            if not client.ask("jobs")["jobs"]:
                break
        client.ask("profiles")


def _at_rest(launcher: Launcher) -> Counter[str]:
    """What it has open when no job is left, and no init is being made: a look into that misses the program.

    It answers between the makings of two, so two looks that see the same saw none.
    """
    looks: list[Counter[str]] = []
    while len(looks) < 2 or looks[-1] != looks[-2]:
        _forget_all(launcher)
        looks.append(descriptors.open_now(launcher.process.pid))
    return looks[-1]


def _others(client: Client) -> list[str]:
    return [one["job"] for one in client.ask("jobs")["jobs"]]


def _await_closed(pid: int, before: Counter[str]) -> None:
    """Inits that wait come and go in moments of rest, with what is theirs; nothing else may be left."""
    give_up = time.monotonic() + _SECONDS
    while wrong := _left_open(before, descriptors.open_now(pid)):
        if time.monotonic() > give_up:
            raise Wrong(f"descriptors are left open: {wrong}")
        time.sleep(0.2)


def _left_open(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    return {
        name: count
        for name, count in (after - before).items()
        if count > (_INITS if _is_of_an_init(name) else 0)
    }


def _is_of_an_init(name: str) -> bool:
    return "/net/sockstat" in name or name.startswith(
        ("anon_inode:[pidfd]", "socket:[]", "net:[]", "mnt:[]", "pipe:[]")
    )


def _check_starts(records: Sequence[Mapping[str, Any]]) -> None:
    for record in records:
        told = record["fields"]
        who = told["why"].get("principal", "")
        if told["profile"] not in {"p", "q", "r"} or (told["profile"] == "q" and who not in {"ann", "ci-1"}):
            raise Wrong(f"a job under {told['profile']!r} was started for {who!r}")
