"""A defect of the launcher's own, or a want of descriptors, ends one request and never the launcher."""

import errno
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support import crashing
from support.launcher_client import Launcher, launched
from support.ledgers import records
from support.waiting import open_files, until
from wand_hostagent.launcher import cgroup, tenants, users
from wand_hostagent.launcher.cgroup import Groups, Leaf
from wand_hostagent.launcher.child import Plan
from wand_hostagent.launcher.ends import Usage
from wand_hostagent.launcher.journal import Journal
from wand_hostagent.launcher.ledger import Entry, Ledger
from wand_hostagent.launcher.loop import READ, Loop
from wand_hostagent.launcher.peers import Letter, Peer
from wand_hostagent.launcher.planning import Planned
from wand_hostagent.launcher.refusal import Refused
from wand_hostagent.launcher.reports import Reports
from wand_hostagent.launcher.service import House, Service
from wand_hostagent.launcher.watching import Limited, Watch


def fail() -> None:
    raise ZeroDivisionError


# -- the loop --------------------------------------------------------------------------------------------


def test_a_call_that_fails_ends_nothing_but_itself() -> None:
    loop, done = Loop(), []
    loop.later(0, fail)
    loop.at_rest(fail)
    loop.later(0, lambda: done.append("later"))
    loop.turn()
    assert done == ["later"]


def test_a_descriptor_whose_call_fails_rests_and_is_called_again() -> None:
    loop = Loop()
    calls: list[int] = []
    reader, writer = os.pipe()
    os.write(writer, b"x")

    def ready(_: int) -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise ValueError
        loop.ignore(reader)

    loop.watch(reader, READ, ready)
    loop.turn()
    assert calls == [0]
    loop.turn()  # until it has rested
    loop.turn()
    assert calls == [0, 1]
    os.close(reader)
    os.close(writer)


def test_a_descriptor_that_rests_can_be_let_go_and_its_number_be_watched_again() -> None:
    loop = Loop()
    calls: list[int] = []
    reader, writer = os.pipe()
    os.write(writer, b"x")
    loop.watch(reader, READ, lambda _: fail())
    loop.turn()
    loop.change(reader, READ)
    loop.ignore(reader)
    loop.watch(reader, READ, calls.append)
    loop.turn()
    assert calls == [READ]
    os.close(reader)
    os.close(writer)


def test_a_moment_that_is_far_away_is_waited_for() -> None:
    loop = Loop()
    reader, writer = os.pipe()
    os.write(writer, b"x")
    calls: list[int] = []
    loop.watch(reader, READ, calls.append)
    loop.later(2.0**40, fail)
    loop.turn()
    assert calls == [READ]
    os.close(reader)
    os.close(writer)


# -- a request -------------------------------------------------------------------------------------------


@dataclass
class HeardPeers:
    """What a peer is told."""

    heard: list[Mapping[str, Any]] = field(default_factory=list)

    def tell(self, _: object, message: Mapping[str, Any], descriptors: tuple[int, ...] = ()) -> None:
        assert descriptors == ()
        self.heard.append(message)

    def tell_all(self, message: Mapping[str, Any]) -> None:
        self.heard.append(message)


class BrokenChildren:
    """Starts nothing, by a defect."""

    def __init__(self) -> None:
        self.running: dict[str, Any] = {}
        self.signals: list[tuple[str, int, str]] = []

    def order(self, plan: Plan) -> None:
        """None waits for an order here."""

    def start(self, plan: Plan, ordered: None = None) -> None:
        raise ZeroDivisionError(plan.job, ordered)

    def signal(self, job: str, number: int, reason: str) -> None:
        self.signals.append((job, number, reason))


@dataclass
class Room:
    """A service with a real ledger, and the ends of its requests."""

    service: Service
    peers: HeardPeers
    children: BrokenChildren
    ledger: Path
    journal: Journal

    def ask(self, number: int, **request: Any) -> None:
        with socket.socket() as nobody:
            self.service.receive(Letter(Peer(nobody, 1, 0), {"re": number, **request}, (), cut=False))

    def events(self) -> list[tuple[str, Any]]:
        self.journal.flush()
        return [(one.event, one.fields.get("job")) for one in records(self.ledger)][1:]


class OnePlan:
    """Plans whatever is asked, without looking."""

    def plan(self, asked: Any, _: object, answer: Any) -> Planned:
        facts = {"kind": "run", "profile": "p", "argv": ["x"], "directory": "/", "why": {}}
        made: Any = SimpleNamespace(
            job=asked.fields["job"], facts=facts, answer=answer, uses=(), kept=(), limits={}
        )
        return Planned(made, Entry("run", {"job": asked.fields["job"]}))


@contextmanager
def room(folder: Path) -> Iterator[Room]:
    journal, peers, children = Journal(Ledger(str(folder)), Loop()), HeardPeers(), BrokenChildren()
    shelf = SimpleNamespace(take=lambda *_: SimpleNamespace(is_personal=False))
    house = House(shelf, [], tenants.Tenants(""))  # type: ignore[arg-type] # as far as it is looked at
    parts: Any = peers, children, OnePlan(), Reports(peers, journal)  # type: ignore[arg-type] # its shape
    yield Room(Service(house, *parts), peers, children, folder, journal)
    journal.close(Entry("stop", {}))


ODD = Entry("odd", {"argv": [1]})  # no message can say that: only a defect could
RUN = {"do": "run", "profile": "p", "argv": ["x"], "why": {}, "job": "j"}


def test_a_start_that_fails_by_a_defect_is_answered_and_its_record_has_an_end(tmp_path: Path) -> None:
    with room(tmp_path) as one:
        asked = SimpleNamespace(do="run", fields=RUN, descriptors=(), peer=None, re=7)
        one.service._acts.append(one.service._run(asked))  # type: ignore[arg-type] # its shape
        one.service.commit()
        assert [(told["re"], told["kind"]) for told in one.peers.heard] == [(7, "Broken")]
        assert one.events() == [("run", "j"), ("end", "j")]


def test_what_cannot_be_recorded_is_refused_and_what_came_with_it_is_not(tmp_path: Path) -> None:
    with room(tmp_path) as one:
        one.ask(1, do="record", event="good", fields={"job": "a"})
        one.ask(2, do="record", event="odd", fields={"job": "b"})
        one.service._acts[-1] = one.service._acts[-1]._replace(entry=ODD)
        one.ask(3, do="record", event="good", fields={"job": "c"})
        one.service.commit()
        told = [(heard["re"], heard["say"], heard.get("kind")) for heard in one.peers.heard]
        assert told == [(1, "done", None), (2, "failed", "Broken"), (3, "done", None)]
        assert one.events() == [("good", "a"), ("good", "c")]


def test_what_waits_and_can_never_be_recorded_stops_nothing_and_is_told(tmp_path: Path) -> None:
    with room(tmp_path) as one:
        one.journal.later(ODD)
        one.ask(1, do="record", event="good", fields={"job": "a"})
        one.service.commit()
        assert [event for event, _ in one.events()] == ["unrecorded", "good"]


def test_a_signal_is_recorded_before_it_is_sent_and_sent_even_where_the_ledger_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with room(tmp_path) as one:
        one.children.running["j"] = object()
        one.ask(1, do="kill", job="j", signal=15, reason="signal")
        assert one.children.signals == []
        one.service.commit()
        assert (one.events(), one.children.signals) == ([("signal", "j")], [("j", 15, "signal")])
        with monkeypatch.context() as full:
            full.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
            one.ask(2, do="kill", job="j", signal=9, reason="cancelled")
            one.service.commit()
        assert one.children.signals[1:] == [("j", 9, "cancelled")]
        assert one.events() == [("signal", "j")] * 2


def test_nobody_records_a_signal_for_a_job_that_does_not_run(tmp_path: Path) -> None:
    with room(tmp_path) as one:
        one.ask(1, do="kill", job="j", signal=9, reason="signal")
        one.service.commit()
        assert (one.peers.heard[0]["kind"], one.events()) == ("NotFound", [])


# -- groups ----------------------------------------------------------------------------------------------


@pytest.fixture
def leaf(tmp_path: Path) -> Iterator[Leaf]:
    """A leaf in a folder that is no group: its files are what a test makes them."""
    groups = Groups(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY), frozenset({"io"}))
    one = groups.leaf()
    yield one
    os.close(one.descriptor)
    os.close(groups.descriptor)


def no_descriptors(*_: object, **__: object) -> int:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_without_descriptors_a_group_is_unknown_and_not_empty(
    leaf: Leaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", no_descriptors)
    with pytest.raises(OSError, match="open files"):
        leaf.cpu_seconds()
    assert leaf.has_written(1, frozenset())
    known = Usage(cpu_seconds=1, peak_memory_bytes=2)
    assert leaf.usage(known) is known
    assert not leaf.kill()


def test_a_group_that_says_nothing_of_processors_is_unknown(leaf: Leaf) -> None:
    with pytest.raises(OSError, match="No data"):
        leaf.cpu_seconds()


def test_a_job_of_which_nobody_knows_what_it_uses_is_ended_by_its_limit() -> None:
    class Unknown:
        def cpu_seconds(self) -> float:
            raise OSError(errno.EMFILE, "")

        def has_written(self, amount: int, devices: frozenset[int]) -> bool:
            raise NotImplementedError

    told: list[str] = []
    loop = Loop()
    limited = Limited(disk_bytes=0, cpu_seconds=0.001, folders=(), counts=Unknown())
    watch = Watch(loop, limited, told.append)
    for _ in range(25):
        assert not told
        watch._look_at_cpu()
    assert told == ["cpu_limit"]


def test_a_leaf_that_cannot_be_made_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = Groups(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY), frozenset({"memory"}))
    before = open_files()
    monkeypatch.setattr(cgroup, "_write", no_descriptors)
    with pytest.raises(OSError, match="open files"):
        groups.leaf()
    assert (open_files() - before, list(tmp_path.iterdir())) == (set(), [])
    os.close(groups.descriptor)


# -- folders ---------------------------------------------------------------------------------------------


def test_a_folder_has_its_name_only_once_it_is_its_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, path = users.own(), tmp_path / "ann"
    tmp_path.chmod(0o755)
    with monkeypatch.context() as crash:
        crash.setattr(os, "chown", no_descriptors)
        with pytest.raises(Refused, match="EMFILE"):
            tenants._make_folder(str(path), user)
        assert not path.exists()
    tenants._make_folder(str(path), user)
    assert [(one.name, one.stat().st_uid) for one in tmp_path.iterdir()] == [("ann", user.uid)]


# -- the proxy -------------------------------------------------------------------------------------------


def proxies(launcher: Launcher) -> list[Path]:
    """The proxies below a launcher, as folders of /proc."""
    pid = launcher.process.pid
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path("/proc", one) for one in found if "egress" in Path("/proc", one, "cmdline").read_text()]


def ends(process: Path) -> list[str]:
    """What a process has open."""
    return [str(one.readlink()) for one in sorted((process / "fd").iterdir(), key=lambda one: int(one.name))]


async def test_the_proxy_has_nothing_open_that_its_launcher_was_given_but_the_log() -> None:
    with launched('network = "proxy"\ndestinations = ["example.org:443"]') as launcher:
        with launcher.client() as client:
            told = client.ask("profiles")["guarantees"]
        if not any(one["name"] == "network" and one["enforced"] for one in told):
            pytest.skip("this machine gives no network namespaces")
        await until(lambda: proxies(launcher))
        (proxy,) = proxies(launcher)
        found = ends(proxy)
        assert found[:3] == [os.devnull, os.devnull, str(launcher.folder / "launcher.log")]
        assert not [one for one in found if one.startswith("pipe:")]


# -- boxes -----------------------------------------------------------------------------------------------


NEVER_READY = """

def _prepare(box, walls, writer):
    syscalls.close_all_but(writer)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pause()
    os._exit(1)
"""


def test_a_box_that_takes_long_to_prepare_keeps_no_job_waiting(tmp_path: Path) -> None:
    with launched(program=crashing.mutant(tmp_path, "casting.py", NEVER_READY)) as launcher:
        with launcher.client() as client:
            assert [client.result("echo", "there")[0] for _ in range(2)] == [b"there\n"] * 2
            if "no init in advance" not in launcher.log:
                pytest.skip("no init is made in advance on this machine")
            assert launcher.log.count("still being prepared") == 2
        assert launcher.kill(signal.SIGTERM) == 0
