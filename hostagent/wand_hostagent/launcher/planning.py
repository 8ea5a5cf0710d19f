"""From a request that was read to a plan that can be recorded and started: every check is made here."""

import fcntl
import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from wand_hostagent.launcher import environment, limits, places, terminal, vfork
from wand_hostagent.launcher.box import Box
from wand_hostagent.launcher.child import Plan
from wand_hostagent.launcher.ledger import Entry
from wand_hostagent.launcher.namespaces import NETWORKS
from wand_hostagent.launcher.profile import Profile
from wand_hostagent.launcher.refusal import Refused
from wand_hostagent.launcher.reports import close
from wand_hostagent.launcher.steps import Body, Command, Table
from wand_hostagent.launcher.walls import Builder, Walls

_BODIES = 64  # of tables, kept for the next job
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


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, its record, and the descriptors that are closed when it has started or never will."""

    plan: Plan
    entry: Entry

    def close_used(self) -> None:
        close(self.plan.uses)

    def close(self) -> None:
        close(self.plan.uses + self.plan.kept)


class Planner:
    """Makes plans for one kind of box; what is `covered` no job sees."""

    def __init__(self, box: Box, covered: Sequence[str], *, fast: bool = False) -> None:
        self._box = box
        self._fast = fast  # inits of vfork.py take the orders
        self._bodies: dict[tuple[int, bytes, tuple[object, ...]], tuple[Walls, Body]] = {}
        self._kernel_limits: dict[tuple[object, ...], dict[int, tuple[int, int]]] = {}
        self._builder = Builder(box, covered)
        self._open_files = limits.raise_open_files()

    def plan(self, asked: Asking, profile: Profile, answer: Callable[[Mapping[str, Any]], None]) -> Planned:
        """Check everything that a job asks for.

        Raises:
            Refused: the profile does not permit it, or it cannot be; all that was opened is closed again.
        """
        if asked.do == "worker":
            return self._worker(asked, profile, answer)
        profile = self._narrowed(profile, asked.fields.get("network", ""))
        size = _size(asked)
        handed_over = 1 if size else 3
        _check_streams(asked.descriptors, with_terminal=size is not None)
        place = places.open_directory(profile, asked.fields["directory"])
        try:
            program = places.find_program(profile, asked.fields["argv"][0], place)
            given = environment.build(profile, asked.fields["environment"], with_terminal=size is not None)
            granted = limits.granted(profile, asked.fields["limits"])
            facts = {**_facts(asked, profile, program, place.path), "limits": granted}
            facts |= {"terminal": list(size)} if size else {}
            facts |= {"network": profile.network} if "network" in asked.fields else {}
            uses = (*asked.descriptors[:handed_over], place.descriptor)
            walls = self._builder.walls(profile)
            command, table, orders = self._table(facts, given, walls, profile, uses)
        except BaseException:
            os.close(place.descriptor)
            raise
        plan = Plan(
            job=asked.fields["job"], command=command, table=table, orders=orders, walls=walls, uses=uses,
            kept=asked.descriptors[handed_over:], limits=granted, facts=facts, answer=answer,
            folders=profile.folders,
        )  # fmt: skip
        return Planned(plan, _entry(plan, profile, tuple(asked.fields["environment"])))

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
        facts = {
            "program": "", "argv": [], "directory": profile.workspace, "limits": limits.granted(profile, {}),
        }  # fmt: skip
        return walls, self._table(facts, given, walls, profile, (0, 1, 2, -1))[1]

    def _worker(
        self, asked: Asking, profile: Profile, answer: Callable[[Mapping[str, Any]], None]
    ) -> Planned:
        if not stat.S_ISSOCK(os.fstat(asked.descriptors[0]).st_mode):
            raise Refused("Invalid", "a worker talks on a socket", field="descriptors")
        walls = self._builder.walls(profile, worker=True)
        place = places.open_directory(profile, "")
        python = os.path.realpath(sys.executable)  # what an environment's link leads to is what a job sees
        argv = [python, "-I", "-S", "-E", _WORKER]
        argv += [word for folder in profile.folders for word in ("--write", folder)]
        argv += [word for folder in profile.read_only for word in ("--read", folder)]
        given = environment.build(profile, {})
        granted = {name: amount for name, amount in profile.limits.items() if name not in _NOT_FOR_WORKERS}
        facts = {**_facts(asked, profile, python, place.path), "argv": argv, "limits": granted}
        uses = (
            asked.descriptors[0],
            os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC),
            os.dup(2),
            place.descriptor,
        )
        command, table, orders = self._table(facts, given, walls, profile, uses)
        plan = Plan(
            job=asked.fields["job"],
            command=command,
            table=table,
            orders=orders,
            walls=walls,
            uses=uses,
            kept=(),
            limits=granted,
            facts=facts,
            answer=answer,
        )
        return Planned(plan, _entry(plan, profile, ()))

    def _table(
        self,
        facts: Mapping[str, Any],
        given: Mapping[str, str],
        walls: Walls,
        profile: Profile,
        uses: tuple[int, ...],
    ) -> tuple[Command, Table, bytes]:
        """What a job is, the table of it, and its orders where an init of vfork.py can take them."""
        user, box = profile.user, self._box
        counted = (box.has_own_users or user.changes) and user.uid != 0
        pairs = (f"{name}={text}" for name, text in given.items())
        command = Command(
            program=places.encoded(facts["program"], "argv"),
            argv=[places.encoded(word, "argv") for word in facts["argv"]],
            environment=[places.encoded(pair, "environment") for pair in pairs],
            streams=uses[:-1],
            terminal=tuple(facts["terminal"]) if "terminal" in facts else None,
            directory=uses[-1],
            directory_path=places.encoded(facts["directory"], "directory"),
            rlimits=self._rlimits(facts["limits"], counted=counted),
            user=user,
            drop_capabilities=user.changes or box.holds_tree,
            umask=profile.umask,
            walls=walls,
        )
        if self._fast:
            table = Table(command, self._body(command))
            orders = table.orders()
            if len(orders) <= vfork.MOST_ORDERS:
                return command, table, orders
        return command, Table(command), b""

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
            _keep(self._kernel_limits, key, kept)
        return kept

    def _body(self, command: Command) -> Body:
        """What jobs with the same walls, directory and limits have in common, made once for them."""
        walls = command.walls  # of one profile, so that user and umask are equal too
        key = (id(walls), command.directory_path, (command.terminal, *command.rlimits.items()))
        kept = self._bodies.get(key)
        if kept is None or kept[0] is not walls:
            streams = vfork.STREAMS[: len(command.streams)]
            kept = walls, Body(replace(command, streams=streams))
            _keep(self._bodies, key, kept)
        return kept[1]


def _keep(among: dict[Any, Any], key: object, kept: object) -> None:
    """Keep this, and not too many others."""
    while len(among) >= _BODIES:
        del among[next(iter(among))]
    among[key] = kept


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


def _entry(plan: Plan, profile: Profile, names: tuple[str, ...]) -> Entry:
    told = {name: plan.facts[name] for name in ("profile", "user", "argv", "program", "directory", "why")}
    told |= {name: plan.facts[name] for name in ("terminal", "network") if name in plan.facts}
    fields = {
        "job": plan.job,
        **told,
        "environment": sorted(names),  # what the caller set, without its values: they may be secrets
        "limits": dict(plan.limits),
        "uid": profile.user.uid,
        "profile_sha256": profile.digest,
        "steps": plan.table.digest,
    }
    return Entry(plan.facts["kind"], fields)


def _size(asked: Asking) -> terminal.Size | None:
    """The size of the terminal that is asked for, if one is."""
    wanted = asked.fields.get("terminal")
    return (wanted["columns"], wanted["rows"]) if wanted else None


def _check_streams(descriptors: tuple[int, ...], *, with_terminal: bool) -> None:
    """Refuse what would give a command more than a stream: a directory, or a mere place (O_PATH)."""
    for descriptor in descriptors:
        mode = os.fstat(descriptor).st_mode
        if with_terminal and not stat.S_ISSOCK(mode):
            raise Refused("Invalid", "a terminal's other end is sent over a socket", field="descriptors")
        if stat.S_ISDIR(mode) or fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_PATH:
            raise Refused("Invalid", "a stream is a pipe, a socket, a device or a file", field="descriptors")
