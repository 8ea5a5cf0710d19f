"""The launcher's own reader, service and planner, in this process; its children are none.

Every message goes through a real socket with its descriptors. After each, exactly one answer must be
there that repeats its number, or the link must be closed; no defect may show, and nothing be left open.
"""

import json
import os
import random
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz import descriptors, messages
from wand_hostagent.launcher import box, guarantees, log, profile
from wand_hostagent.launcher.child import Child, Plan
from wand_hostagent.launcher.ends import Ending
from wand_hostagent.launcher.journal import Journal
from wand_hostagent.launcher.ledger import Entry, Ledger
from wand_hostagent.launcher.loop import READ, Loop
from wand_hostagent.launcher.peers import Peers
from wand_hostagent.launcher.planning import Planner
from wand_hostagent.launcher.refusal import Refused
from wand_hostagent.launcher.reports import Reports, close
from wand_hostagent.launcher.service import House, Service
from wand_hostagent.launcher.tenants import Tenants

_MAY: Mapping[str, Callable[[str], bool]] = {
    "p": lambda _: True, "q": lambda who: who == "ann" or who.startswith("ci-"), "r": lambda who: who != "",
}  # fmt: skip
_FLUSH = 500


class Wrong(Exception):
    """What must never be."""


@dataclass
class NoChildren:
    """Keeps the port's shape and starts nothing; a job runs until it is killed, or ends by chance."""

    chance: random.Random
    reports: Reports | None = None
    running: dict[str, Child] = field(default_factory=dict)
    started: int = 0

    def order(self, plan: Plan) -> None:
        """No init waits indoors."""

    def start(self, plan: Plan, ordered: None = None) -> None:
        """Check that this job may be, and let it run, fail at once, or fail later."""
        told = plan.facts
        who = told["why"].get("principal", "")
        if told["profile"] not in _MAY or not _MAY[told["profile"]](who):
            raise Wrong(f"a job under {told['profile']!r} was started for {who!r}")
        for descriptor in (*plan.uses, *plan.kept):
            os.fstat(descriptor)
        self.started += 1
        how = self.chance.random()
        if how < 0.1:
            raise Refused("Exhausted", "no process can be made")
        near, far = socket.socketpair()
        far.close()
        child = Child(plan, 1, -1, near, 0.0, 0.0)
        assert self.reports is not None
        if how < 0.2:
            near.close()
            self.reports.failed(child, Refused("NotFound", "the program is gone"))
            return
        self.running[plan.job] = child
        child.told = True
        self.reports.started(child)

    def signal(self, job: str, number: int, reason: str) -> None:
        if job not in self.running:
            raise Refused("NotFound", f"job {job!r} does not run", field="job")
        bytes([number])
        if number == 9:
            self.end(job, reason)

    def end(self, job: str, reason: str) -> None:
        child = self.running.pop(job)
        child.control.close()
        assert self.reports is not None
        self.reports.ended(child, Ending(job=job, reason=reason))
        if child.plan.facts["kind"] != "run":
            close(child.plan.kept)


class Indoors:
    """Everything of a launcher but its loop and its children."""

    def __init__(self, folder: Path, ledger: Path, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        self.loop = Loop()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(folder / "launcher.sock"))
        listener.listen()
        self.peers = Peers(self.loop, listener, {os.geteuid()})
        self.peers.open()
        self.journal = Journal(Ledger(str(ledger)), self.loop)
        reports = Reports(self.peers, self.journal, most=4)
        self.children = NoChildren(chance, reports)
        self.tenants = Tenants(str(folder / "state"))
        found = box.probe()
        shelf = guarantees.fitting(
            profile.load(str(folder / "profiles"), development=True), found, lenient=True
        )
        house = House(shelf, guarantees.of(found, shelf.profiles.values()), self.tenants)
        self.planner = Planner(found, (str(ledger),), fast=True)
        self.service = Service(house, self.peers, self.children, self.planner, reports)  # type: ignore[arg-type] # its shape
        self.peers.joined, self.peers.received = reports.joined, self.service.receive
        self.reports = reports
        self.link = self._connect()

    def _connect(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        link.connect(str(self.folder / "launcher.sock"))
        link.setblocking(False)
        self.peers._accept()
        return link

    def tell(self, raw: bytes, kinds: list[int]) -> None:
        """Send one message, let it be done, and see that it was answered as it must be."""
        try:
            descriptors.send(self.link, raw, kinds)
        except (BlockingIOError, OSError):
            return self._again()  # larger than a datagram may be
        self.peers._ready(self.peers.now[0], READ)
        self.service.commit()
        self._check(raw, list(self._answers()))
        if self.chance.random() < 0.05 and self.children.running:
            self.children.end(self.chance.choice(list(self.children.running)), "exited")
        return None

    def _answers(self) -> Iterator[Mapping[str, Any] | None]:
        """All that has come; None stands for a link that was closed."""
        while True:
            try:
                told, got, _, _ = socket.recv_fds(self.link, 400_000, 8)
            except BlockingIOError:
                return
            close(tuple(got))
            if not told:
                yield None
                return
            message = json.loads(told)
            if message["say"] != "exited":
                yield message

    def _check(self, raw: bytes, answers: list[Mapping[str, Any] | None]) -> None:
        if answers == [None]:
            if _reads(raw) is not None and len(raw) <= 160 * 1024:
                raise Wrong(f"the link was closed upon a message: {raw[:300]!r}")
            return self._again()
        if not answers and _is_quiet(_reads(raw) or {}):
            return None
        told = answers[0] if len(answers) == 1 else None
        if told is None or told.get("message", "").startswith("the launcher failed"):
            raise Wrong(f"{raw[:300]!r} was answered {answers!r:.600}")
        if f'"re":{told["re"]},'.encode() in raw:
            return None  # the usual case, without reading it all again
        number = (_reads(raw) or {}).get("re")
        if told["re"] != (number if type(number) is int and 0 <= number < 2**63 else 0):
            raise Wrong(f"{raw[:300]!r} was answered {answers!r:.600}")
        return None

    def _again(self) -> None:
        self.link.close()
        for peer in tuple(self.peers.now):
            self.peers.drop(peer, "fuzz")
        self.link = self._connect()
        list(self._answers())

    def close(self) -> None:
        """End and forget every job: nothing may be left open then."""
        for job in tuple(self.children.running):
            self.children.end(job, "exited")
        for job in tuple(self.reports.kept):
            self.reports.forget(job)
        self.journal.flush()

    def let_go(self) -> None:
        for child in self.children.running.values():  # where something was wrong, before the end
            child.control.close()
        self.link.close()
        self.peers.close()
        self.peers.close_door()
        self.tenants.close()
        self.journal.close(Entry("stop", {}))


def _reads(raw: bytes) -> Mapping[str, Any] | None:
    """What those bytes say, if they are an object at all."""
    with suppress(ValueError, RecursionError):
        found = json.loads(raw.decode("utf-8", "surrogatepass"))
        return found if isinstance(found, dict) else None
    return None


@contextmanager
def _watched_log() -> Iterator[None]:
    """No line of a defect; other lines go nowhere."""
    write = log.write

    def look(level: str, event: str, **fields: Any) -> None:
        if event in {"request failed", "record lost", "ledger fails"}:
            raise Wrong(f"{level} {event}: {fields}")

    log.write = look
    try:
        yield
    finally:
        log.write = write


def furnish(folder: Path) -> None:
    """Profiles for everybody, for some, and with something of each principal's own; and a broken one."""
    for name in ("profiles", "work", "work/deep", "state", "own"):
        (folder / name).mkdir(mode=0o755)
    (folder / "work" / "link").symlink_to("/etc")
    each = 'run_as = "each"\nusers = [73000, 73099]\n' if os.geteuid() == 0 else ""
    texts = {
        "p": f'workspace = "{folder}/work"\nenvironment_allowed = ["CI"]\nlimits = {{ wall_seconds = 60 }}\n',
        "q": f'workspace = "{folder}/work"\nprincipals = ["ann", "ci-*"]\n',
        "r": f'workspace = "{folder}/own/{{principal}}"\n{each}',
        "broken": "colour = 1",
    }
    for name, text in texts.items():
        (folder / "profiles" / f"{name}.toml").write_text(f'name = "{name}"\n{text}')
        (folder / "profiles" / f"{name}.toml").chmod(0o644)


def batch(seed: int, count: int) -> int:
    """So many messages from that seed; how many jobs were started.

    Raises:
        Wrong: something was that must never be.
    """
    chance = random.Random(seed)
    in_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with ExitStack() as stack:
        stack.enter_context(_watched_log())
        folder, ledger = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wf", dir=place)))
            for place in (None, in_memory)
        )
        folder.chmod(0o755)
        furnish(folder)
        kinds = stack.enter_context(descriptors.prepared(folder))
        house = Indoors(folder, ledger, chance)
        stack.callback(house.let_go)
        _play(house, kinds, count)
        return house.children.started


def _play(house: Indoors, kinds: list[int], count: int) -> None:
    for name in ("p", "r"):  # what is opened once and stays is opened now
        asked = {
            "do": "run",
            "re": 1,
            "job": name,
            "profile": name,
            "why": {"principal": "ann"},
            "argv": ["true"],
        }
        raw = json.dumps({**asked, "directory": "", "environment": {}, "limits": {}}).encode()
        house.tell(raw, kinds[:3])
    house.close()
    before = descriptors.open_now()
    for number in range(count):
        raw, wanted = messages.packed(house.chance)
        house.tell(raw, descriptors.some(house.chance, kinds, wanted))
        if number % _FLUSH == 0:
            house.journal.flush()
    house.close()
    if left := descriptors.open_now() - before:
        raise Wrong(f"descriptors are left open: {sorted(left)}")


def _is_quiet(message: Mapping[str, Any]) -> bool:
    """Whether no answer is wanted where it is done."""
    return message.get("do") in {"note", "forget"} and message.get("quiet") is True
