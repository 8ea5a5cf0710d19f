"""From a request that was read to a plan that can be recorded and started: every check is made here."""

import fcntl
import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from wand_hostagent.launcher import environment, few, limits, places, terminal, vfork
from wand_hostagent.launcher.box import Box
from wand_hostagent.launcher.child import Plan
from wand_hostagent.launcher.ledger import Entry
from wand_hostagent.launcher.lookout import Lookout
from wand_hostagent.launcher.namespaces import NETWORKS
from wand_hostagent.launcher.places import Place
from wand_hostagent.launcher.profile import Profile
from wand_hostagent.launcher.programs import Programs
from wand_hostagent.launcher.refusal import Refused
from wand_hostagent.launcher.reports import close
from wand_hostagent.launcher.spelling import show
from wand_hostagent.launcher.steps import Body, Command, Table
from wand_hostagent.launcher.walls import Builder, Walls

_BODIES = 64  # of tables, kept for the next job
_MOST_KEPT = 4096  # characters of an environment that is kept with them, and bytes of orders
_KINDS = 0o170000  # S_IFMT: inode(7)
_WORKER = str(Path(__file__).resolve().parents[1] / "filesystem")
_NOT_FOR_WORKERS = frozenset({"wall_seconds", "cpu_seconds", "output_bytes", "disk_bytes"})  # it lives on


class Asking(Protocol):
    """What a plan is made from."""

    @property
    def do(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Any]: ...
    @property
    def descriptors(self) -> tuple[int, ...]: ...


class Planned(NamedTuple):
    """A plan, its record, and the descriptors that are closed when it has started or never will."""

    plan: Plan
    entry: Entry

    def close_used(self) -> None:
        close(self.plan.uses)

    def close(self) -> None:
        close(self.plan.uses + self.plan.kept)


class _Wanted(NamedTuple):
    """What a job asks for beside its program; jobs that ask for the same have most of a plan in common."""

    directory: str  # where it really is
    given: Mapping[str, str]  # its whole environment
    limits: Mapping[str, float]
    size: terminal.Size | None = None
    streams: int = 3


class _Common(NamedTuple):
    """The same, checked and written down; `command` lacks what each job has of its own."""

    profile: Profile
    walls: Walls
    limits: Mapping[str, float]
    body: Body
    command: Command
    orders: vfork.WithEnvironment | None  # where an init of the nursery can take them


class _Words(NamedTuple):
    """A command line, as the kernel gets it; `orders` is empty where no init of the nursery can take it."""

    program: bytes
    argv: Sequence[bytes]
    orders: bytes


class Planner:
    """Makes plans for one kind of box; what is `covered` no job sees."""

    def __init__(self, box: Box, covered: Sequence[str], *, fast: bool = False) -> None:
        self._box = box
        self._fast = fast  # inits of vfork.py take the orders
        self._bodies: dict[tuple[int, bytes, tuple[object, ...]], tuple[Walls, Body]] = {}
        self._kernel_limits: dict[tuple[object, ...], dict[int, tuple[int, int]]] = {}
        self._common: dict[tuple[object, ...], _Common] = {}
        self._words: dict[tuple[object, ...], tuple[_Common, _Words]] = {}
        self._workspaces: dict[int, tuple[Walls, str]] = {}  # where they really are
        lookout = Lookout()
        self._builder = Builder(box, covered, lookout)
        self._programs = Programs(lookout)
        limits.free_from_cores()
        self._open_files = limits.raise_open_files()

    def plan(self, asked: Asking, profile: Profile, answer: Callable[[Mapping[str, Any]], object]) -> Planned:
        """Check everything that a job asks for.

        Raises:
            Refused: the profile does not permit it, or it cannot be; all that was opened is closed again.
        """
        if asked.do == "worker":
            return self._worker(asked, profile, answer)
        fields, descriptors = asked.fields, asked.descriptors
        profile = self._narrowed(profile, fields.get("network", ""))
        size = _size(asked)
        handed_over = 1 if size else 3
        _check_streams(descriptors, with_terminal=size is not None)
        walls = self._builder.walls(profile)
        place = self._place(profile, fields["directory"], walls)
        try:
            program = self._programs.find(profile, fields["argv"][0], place, walls.shows)
            common = self._in_common(asked, profile, walls, place.path, size)
            facts = _facts(asked, profile, program, place.path)
            facts["limits"] = common.limits
            if size:
                facts["terminal"] = list(size)
            if "network" in fields:
                facts["network"] = profile.network
            uses = descriptors[:handed_over]
            plan = self._plan((facts, common, place), uses, asked, answer)
        except BaseException:
            place.close()
            raise
        return Planned(plan, _entry(plan, profile, sorted(fields["environment"])))

    def _place(self, profile: Profile, asked: str, walls: Walls) -> Place:
        """Where the job starts, opened only where its table needs that: one that has a tree takes the path.

        Raises:
            Refused: there is no such place for it.
        """
        kept = None if asked else self._workspaces.get(id(walls))
        if kept is not None and kept[0] is walls:
            return Place(-1, kept[1])  # what its path leads to is watched: else its walls would be others
        place = places.open_directory(profile, asked, walls.shows)
        if walls.tree is None:
            return place
        place.close()
        if not asked:
            few.keep(self._workspaces, id(walls), (walls, place.path), most=_BODIES)
        return Place(-1, place.path)

    def _in_common(
        self, asked: Asking, profile: Profile, walls: Walls, directory: str, size: terminal.Size | None
    ) -> _Common:
        """What this job has in common with others that asked for the same, worked out once for them.

        Raises:
            Refused: the profile does not permit it.
        """
        variables, lower = asked.fields["environment"], asked.fields["limits"]
        key = (id(walls), directory, size, tuple(variables.items()), tuple(lower.items()))
        kept = self._common.get(key)
        if kept is None or kept.profile is not profile or kept.walls is not walls:
            given = environment.build(profile, variables, with_terminal=size is not None)
            wanted = _Wanted(directory, given, limits.granted(profile, lower), size, 1 if size else 3)
            kept = self._made_common(wanted, profile, walls)
            if sum(map(len, given.values())) < _MOST_KEPT:
                few.keep(self._common, key, kept, most=_BODIES)
        return kept

    def _plan(
        self,
        what: tuple[Mapping[str, Any], _Common, Place],
        uses: tuple[int, ...],
        asked: Asking,
        answer: Callable[[Mapping[str, Any]], object],
    ) -> Plan:
        """The plan; it takes the place over."""
        facts, common, place = what
        program, argv, orders = self._written(common, facts["program"], facts["argv"])
        return Plan(
            job=asked.fields["job"],
            command=lambda: replace(
                common.command, program=program, argv=argv, streams=uses, directory=place.descriptor
            ),
            body=common.body,
            orders=orders,
            walls=common.walls,
            streams=uses,
            uses=uses if place.descriptor < 0 else (*uses, place.descriptor),
            kept=asked.descriptors[len(uses) :],
            limits=common.limits,
            facts=facts,
            answer=answer,
            folders=common.profile.folders if asked.do == "run" else (),
        )

    def _written(self, common: _Common, program: str, argv: Sequence[str]) -> "_Words":
        """A command line as bytes, and the orders of an init for it, where one can take them.

        Raises:
            Refused: it cannot be written as bytes.
        """
        key = (id(common), program, *argv)
        kept = self._words.get(key)
        if kept is not None and kept[0] is common:
            return kept[1]
        words = [places.encoded(word, "argv") for word in (program, *argv)]
        orders = common.orders.with_program(words[0], words[1:]) if common.orders is not None else b""
        written = _Words(words[0], words[1:], orders if len(orders) <= vfork.MOST_ORDERS else b"")
        if len(orders) < _MOST_KEPT:
            few.keep(self._words, key, (common, written), most=_BODIES)
        return written

    def _narrowed(self, profile: Profile, network: str) -> Profile:
        """The profile with that network instead of a wider one.

        Raises:
            Refused: this machine has no networks to give.
        """
        if not network or NETWORKS.index(profile.network) <= NETWORKS.index(network):
            return profile
        if not self._box.spaces:
            message = f"this machine cannot give a job the network {network!r}, and no more is permitted"
            raise Refused("Unavailable", message, field="network")
        return replace(profile, network=network, destinations=())

    def steps(self, profile: Profile) -> tuple[Walls, Table]:
        """The walls of a profile, and the table of a job that starts in its workspace and asks for no less.

        Raises:
            Refused: the profile cannot be had as it is.
        """
        walls, given = self._builder.walls(profile), environment.build(profile, {})
        wanted = _Wanted(profile.workspace, given, limits.granted(profile, {}))
        return walls, Table(self._made_common(wanted, profile, walls).command)

    def _worker(
        self, asked: Asking, profile: Profile, answer: Callable[[Mapping[str, Any]], object]
    ) -> Planned:
        if not stat.S_ISSOCK(os.fstat(asked.descriptors[0]).st_mode):
            raise Refused("Invalid", "a worker talks on a socket", field="descriptors")
        walls = self._builder.walls(profile, worker=True)
        place = self._place(profile, "", walls)
        python = os.path.realpath(sys.executable)  # what an environment's link leads to is what a job sees
        argv = [python, "-I", "-S", "-E", _WORKER]
        argv += [word for folder in profile.folders for word in ("--write", folder)]
        argv += [word for folder in profile.read_only for word in ("--read", folder)]
        granted = {name: amount for name, amount in profile.limits.items() if name not in _NOT_FOR_WORKERS}
        wanted = _Wanted(place.path, environment.build(profile, {}), granted)
        common = self._made_common(wanted, profile, walls)
        facts = {**_facts(asked, profile, python, place.path), "argv": argv, "limits": granted}
        uses = (asked.descriptors[0], os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), os.dup(2))
        plan = self._plan((facts, common, place), uses, asked, answer)
        return Planned(plan, _entry(plan, profile, []))

    def _made_common(self, wanted: _Wanted, profile: Profile, walls: Walls) -> _Common:
        user, box = profile.user, self._box
        counted = (box.has_own_users or user.changes) and user.uid != 0
        pairs = (f"{name}={text}" for name, text in wanted.given.items())
        command = Command(
            program=b"",
            argv=[],
            environment=[places.encoded(pair, "environment") for pair in pairs],
            streams=vfork.STREAMS[: wanted.streams],
            terminal=wanted.size,
            directory=-1,
            directory_path=places.encoded(wanted.directory, "directory"),
            rlimits=self._rlimits(wanted.limits, counted=counted),
            user=user,
            drop_capabilities=user.changes or box.holds_tree,
            umask=profile.umask,
            walls=walls,
        )
        body = self._body(command)
        orders = body.orders.with_environment(command.environment) if self._fast else None
        return _Common(profile, walls, wanted.limits, body, command, orders)

    def _rlimits(self, granted: Mapping[str, float], *, counted: bool) -> dict[int, tuple[int, int]]:
        key = (counted, *granted.items())
        kept = self._kernel_limits.get(key)
        if kept is None:
            box = self._box
            kept = limits.for_kernel(
                granted,
                counted=counted,
                beside=int(box.has_own_users),
                open_files=self._open_files,
                sums=box.sums,
            )
            few.keep(self._kernel_limits, key, kept, most=_BODIES)
        return kept

    def _body(self, command: Command) -> Body:
        """What jobs with the same walls, directory and limits have in common, made once for them."""
        walls = command.walls  # of one profile, so that user and umask are equal too
        key = (id(walls), command.directory_path, (command.terminal, *command.rlimits.items()))
        kept = self._bodies.get(key)
        if kept is None or kept[0] is not walls:
            kept = walls, Body(command)
            few.keep(self._bodies, key, kept, most=_BODIES)
        return kept[1]


def _facts(asked: Asking, profile: Profile, program: str, directory: str) -> dict[str, Any]:
    return {
        "kind": asked.do,
        "profile": profile.name,
        "user": profile.user.name,
        "argv": asked.fields.get("argv", []),
        "program": program,
        "directory": directory,
        "why": asked.fields["why"],
    }


def _entry(plan: Plan, profile: Profile, names: list[str]) -> Entry:
    facts = plan.facts
    fields = {
        "job": plan.job,
        "profile": facts["profile"],
        "user": facts["user"],
        "argv": facts["argv"],
        "program": facts["program"],
        "directory": show(facts["directory"]),
        "why": facts["why"],
        "environment": names,  # what the caller set, without its values: they may be secrets
        "limits": plan.limits,
        "uid": profile.user.uid,
        "profile_sha256": profile.digest,
        "steps": plan.body.digest,
    }
    for name in ("terminal", "network"):
        if name in facts:
            fields[name] = facts[name]
    return Entry(facts["kind"], fields)


def _size(asked: Asking) -> terminal.Size | None:
    """The size of the terminal that is asked for, if one is."""
    wanted = asked.fields.get("terminal")
    return (wanted["columns"], wanted["rows"]) if wanted else None


def _check_streams(descriptors: tuple[int, ...], *, with_terminal: bool) -> None:
    """Refuse what would give a command more than a stream: a directory, or a mere place (O_PATH)."""
    for descriptor in descriptors:
        kind = os.fstat(descriptor).st_mode & _KINDS
        if with_terminal and kind != stat.S_IFSOCK:
            raise Refused("Invalid", "a terminal's other end is sent over a socket", field="descriptors")
        if kind == stat.S_IFDIR or fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_PATH:
            raise Refused("Invalid", "a stream is a pipe, a socket, a device or a file", field="descriptors")
