"""The loop: receive, check, record, start, reap, report. Everything is built here, once."""

import gc
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from wand_hostagent.launcher import (
    box,
    confinement,
    delegation,
    explain,
    guarantees,
    listener,
    log,
    namespaces,
    options,
    profile,
    syscalls,
    turns,
    vfork,
)
from wand_hostagent.launcher.anchors import Anchors
from wand_hostagent.launcher.children import Children
from wand_hostagent.launcher.folder import Folder
from wand_hostagent.launcher.gateway import Gateway
from wand_hostagent.launcher.journal import Journal
from wand_hostagent.launcher.keeper import Keeper
from wand_hostagent.launcher.ledger import Entry, Ledger
from wand_hostagent.launcher.loop import READ, Loop
from wand_hostagent.launcher.networks import Networks
from wand_hostagent.launcher.nursery import Nursery
from wand_hostagent.launcher.peers import Letter, Peers
from wand_hostagent.launcher.planning import Planner
from wand_hostagent.launcher.refusal import Refused
from wand_hostagent.launcher.reports import Reports
from wand_hostagent.launcher.service import House, Service
from wand_hostagent.launcher.tenants import Tenants

_HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SIGNAL_INFO_BYTES = 128  # struct signalfd_siginfo; its first four bytes are the number
_STOP_SECONDS = 5.0
_GARBAGE = 10_000  # objects more than before, until circles are looked for: jobs leave hardly any


class Launcher:
    """All parts, and how they start and stop."""

    def __init__(self, told: options.Options) -> None:
        listener.make_way(told)
        self._told = told
        self._loop = Loop()
        found = delegation.find(told.cgroup)
        self._groups = found.groups
        counted = found.groups.counted if found.groups is not None else frozenset[str]()
        self._box = replace(
            _with_proxy(box.probe(), told),
            sums=counted,
            no_sums=found.why,
            connected=namespaces.is_connected(),
        )
        if self._box.holds_tree:  # elsewhere a job of root's keeps what root has
            confinement.bound()
        self._folder = Folder(self._loop, told.profiles, self._reload)
        shelf = self._read()
        self._house = House(shelf, guarantees.of(self._box, shelf.profiles.values()), Tenants(told.state))
        self._refuse_unconfined()
        self._journal = Journal(Ledger(told.ledger, told.habits), self._loop, Anchors(told.anchor))
        allowed = {0, os.geteuid()} | ({told.peer_uid} if told.peer_uid is not None else set())
        self._peers = Peers(self._loop, listener.open_socket(told), allowed)
        reports = Reports(self._peers, self._journal)
        self._keeper, self._gateway = self._way_out()
        nursery = self._nursery()
        self._children = Children(self._loop, self._box, reports, nursery, self._groups, self._gateway)
        planner = Planner(self._box, _covered(told), fast=nursery is not None)
        self._service = Service(self._house, self._peers, self._children, planner, reports)
        self._peers.joined = reports.joined
        self._peers.received = self._receive

    def _nursery(self) -> Nursery | None:
        """Where inits are made in advance, if this processor and this box have them."""
        whole = not self._told.fork and self._box.own_tree and self._box.fresh_proc and self._box.spaces
        machine = vfork.find() if whole and not self._box.has_own_users else None
        return (
            Nursery(self._loop, self._box, machine, Networks(self._gateway), self._groups)
            if machine
            else None
        )

    def _way_out(self) -> tuple[Keeper | None, Gateway | None]:
        """The proxy and its records, where jobs can have a network that it is the only way out of."""
        if not self._box.proxy:
            return None, None
        keeper = Keeper(self._loop, self._told.egress)
        gateway = Gateway(keeper, self._journal)
        keeper.heard, keeper.joined, keeper.lost = gateway.hear, gateway.joined, gateway.lost
        keeper.changed = self._proxy_changed
        return keeper, gateway

    def _proxy_changed(self, is_up: bool) -> None:  # noqa: FBT001 - it is all that it says
        self._box = replace(self._box, proxy_is_up=is_up)
        self._house.guarantees = guarantees.of(self._box, self._house.shelf.profiles.values())

    def _want_proxy(self) -> None:
        """See to it that there is a proxy, where a profile has one."""
        if self._keeper is not None and any(
            one.network == "proxy" for one in self._house.shelf.profiles.values()
        ):
            self._keeper.start()

    def _read(self) -> profile.Shelf:
        """The profiles as they are now, all of one moment, and of those that cannot be used, why."""
        told, found = self._told, []
        self._folder.read(lambda: found.append(profile.load(told.profiles, development=told.development)))
        lenient = told.development or told.allow_unconfined
        return guarantees.fitting(found[-1], self._box, lenient=lenient)

    def run(self) -> None:
        """Serve until a signal says stop."""
        heard = syscalls.signal_descriptor(*_HEARD)
        self._loop.watch(heard, READ, lambda _: self._hear(heard))
        self._journal.commit([self._start_entry()])
        self._say_swept()
        self._say_broken()
        self._want_proxy()
        self._folder.watch()
        self._peers.open()
        gc.collect()
        gc.set_threshold(_GARBAGE)
        gc.enable()
        gc.freeze()  # what lives as long as we do is not touched again, so that children can share it
        syscalls.forget_code()
        listener.tell_ready(self._told)
        self._show_life()
        log.write("info", "launcher ready", socket=self._told.socket, pid=os.getpid())
        while not self._house.stopping:
            self._loop.turn()
            self._commit()
        self._stop()

    @property
    def _has_open_connections(self) -> bool:
        there = self._keeper is not None and self._keeper.is_up
        return there and self._gateway is not None and self._gateway.is_waiting

    def _commit(self) -> None:
        self._service.commit()
        if self._gateway is not None:
            self._gateway.commit()

    def _receive(self, letter: Letter) -> None:
        self._folder.look()
        self._service.receive(letter)

    def _show_life(self) -> None:
        """Tell systemd that the loop still turns, as often as it wants to hear it."""
        seconds = listener.watchdog_seconds()
        if seconds:
            listener.notify(b"WATCHDOG=1")
            self._loop.later(seconds / 2, self._show_life)

    def _refuse_unconfined(self) -> None:
        if self._box.holds_tree or self._told.development or self._told.allow_unconfined:
            return
        tree = next(one for one in self._house.guarantees if one.name == "process tree")
        raise Refused(
            "Denied",
            f"this machine cannot hold a job's processes together: {tree.detail}",
            hint="start with --allow-unconfined to accept that",
        )

    def _start_entry(self) -> Entry:
        shelf = self._house.shelf
        kept = [one.name for one in self._house.guarantees if one.enforced]
        return Entry(
            "start",
            {
                "pid": os.getpid(),
                "uid": os.geteuid(),
                "python": sys.version.split()[0],
                "kernel": os.uname().release,
                "development": self._told.development,
                "enforced": kept,
                **_digests(shelf),
            },
        )

    def _say_swept(self) -> None:
        """Those jobs are lost, as the ledger says; that they had outlived their launcher is said here."""
        if self._groups is not None and self._groups.swept:
            log.write("warning", "survivors ended", jobs=self._groups.swept)

    def _say_broken(self) -> None:
        for name, why in self._house.shelf.broken.items():
            log.write("error", "profile broken", profile=name, why=why)
        if not self._house.shelf.profiles:
            log.write("warning", "no profile", folder=self._told.profiles)

    # -- signals -----------------------------------------------------------------------------------------

    def _hear(self, heard: int) -> None:
        with suppress(BlockingIOError):
            while told := os.read(heard, _SIGNAL_INFO_BYTES):
                number = int.from_bytes(told[:4], sys.byteorder)
                if number == signal.SIGHUP:
                    self._reload()
                elif number in {signal.SIGTERM, signal.SIGINT}:
                    self._house.stopping = True

    def _reload(self) -> None:
        """Read the profiles again: all of them, or none. Jobs that run keep theirs."""
        try:
            shelf = self._read()
            broken = "; ".join(shelf.broken.values())
        except Refused as refusal:
            shelf, broken = self._house.shelf, refusal.message
        if broken:
            shelf = self._house.shelf
            log.write("error", "profiles not reloaded", why=broken)
        else:
            log.write("info", "profiles reloaded", profiles=sorted(shelf.profiles))
        before, self._house.shelf, self._house.reload_error = self._house.shelf, shelf, broken[:1000]
        self._house.guarantees = guarantees.of(self._box, shelf.profiles.values())
        self._want_proxy()
        self._journal.later(
            Entry("reload", {**_digests(shelf), **({"error": broken[:1000]} if broken else {})})
        )
        self._children.retire({name for name, one in before.profiles.items() if not shelf.has(one)})

    def _stop(self) -> None:
        """End every job, report and record its end, and go."""
        listener.notify(b"STOPPING=1")
        self._peers.close_door()
        self._children.end_all()
        give_up = time.monotonic() + _STOP_SECONDS
        while (self._children.running or self._has_open_connections) and time.monotonic() < give_up:
            self._loop.later(0.1, lambda: None)
            self._loop.turn()
            self._commit()
        if self._keeper is not None and self._gateway is not None:
            self._keeper.stop()
            self._gateway.lost()
        self._journal.close(Entry("stop", {"left_running": sorted(self._children.running)}))
        self._peers.close()
        self._house.tenants.close()
        listener.take_away(self._told)


def _digests(shelf: profile.Shelf) -> dict[str, list[str]]:
    return {"profiles": [f"{one.name} {one.digest}" for one in shelf.profiles.values()]}


def _with_proxy(found: box.Box, told: options.Options) -> box.Box:
    """The box, with what leads out of it."""
    return replace(found, proxy=found.spaces and (told.development or bool(told.egress)))


def main(argv: Sequence[str]) -> int:
    """The launcher, from start to stop; its exit code."""
    told = options.read(argv)
    _forget("argparse", "gettext")
    _settle()
    try:
        if told.explain:
            _explain(told)
        else:
            Launcher(told).run()
    except Refused as refusal:
        hint = f" ({refusal.hint})" if refusal.hint else ""
        log.write("error", "launcher cannot run", why=f"{refusal.message}{hint}")
        return 1
    return 0


def _forget(*served: str) -> None:
    """Let modules go that have served: a launcher lives long, and what comes can have their memory."""
    for name in served:
        module = sys.modules.pop(name, None)
        if module is not None:
            vars(module).clear()  # who has imported it still has its name
    gc.collect()


def _explain(told: options.Options) -> None:
    """Print what is done for a job; nothing is recorded, nobody listens, and no control group is taken."""
    shelf = profile.load(told.profiles, development=told.development)
    planner = Planner(_with_proxy(box.probe(), told), _covered(told))
    os.write(1, explain.explained(shelf, told.explain, planner).encode(errors="surrogateescape") + b"\n")


def _covered(told: options.Options) -> tuple[str, ...]:
    """What no job sees, wherever it lies."""
    return told.ledger, told.profiles, told.socket, told.state


def _settle() -> None:
    """Take the process as a parent of jobs needs it, whatever it was started with."""
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # 0, 1 and 2 are there now, and no descriptor that comes can be one of them
    os.close(spare)
    syscalls.call(
        "close_range", 3, 2**32 - 1, syscalls.CLOSE_RANGE_CLOEXEC
    )  # what we were given is for us alone
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, _HEARD)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    syscalls.set_name(b"wand-launcher")
    turns.shorten()
    os.umask(0o077)
