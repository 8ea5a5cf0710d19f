"""Requests: read, checked, recorded together, and only then done.

A turn of the loop collects acts; `commit` makes the records of all of them durable with one write, and
does them in the order in which they came. What needs no record is done in the same order.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from wand_hostagent.launcher import log, protocol, reports
from wand_hostagent.launcher.casting import Infant
from wand_hostagent.launcher.children import Children
from wand_hostagent.launcher.guarantees import Guarantee
from wand_hostagent.launcher.journal import Unrecordable
from wand_hostagent.launcher.keys import EACH
from wand_hostagent.launcher.ledger import Entry
from wand_hostagent.launcher.peers import Letter, Peer, Peers
from wand_hostagent.launcher.planning import Planned, Planner
from wand_hostagent.launcher.profile import Profile, Shelf
from wand_hostagent.launcher.record import EVENT
from wand_hostagent.launcher.refusal import Refused
from wand_hostagent.launcher.tenants import Tenants, principal_of

MOST_RUNNING = 512
_LISTED_BYTES = 1024  # of one job in the answer to `jobs`, before its command line is cut
_CONNECTIONS = ("connect", "connect_end", "connect_refused")
# Events that only the launcher writes: nobody else can make it look as if a job had run, or ended.
_OWN_EVENTS = frozenset(
    {"start", "stop", "run", "worker", "signal", "end", "reload", "ledger", "segment", "checkpoint"}
    | {"ambiguous", "cut", "unrecorded", *_CONNECTIONS}
)


class Asked(NamedTuple):
    """A request that has been read, and how to answer it."""

    do: str
    fields: Mapping[str, Any]
    descriptors: tuple[int, ...]
    peer: Peer
    re: int


def _undo_nothing() -> None:
    """What is left where an act has prepared nothing."""


class Act(NamedTuple):
    """What a request comes to: a record, and what may be done once that is durable."""

    asked: Asked
    entry: Entry | None
    perform: Callable[[], None]
    undo: Callable[[], None] = _undo_nothing  # instead of perform
    must: bool = False  # done even where the ledger is full: it ends something


@dataclass(slots=True)
class House:
    """What the service looks at and may be replaced while it runs."""

    shelf: Shelf
    guarantees: list[Guarantee]
    tenants: Tenants
    reload_error: str = ""
    stopping: bool = False


class Service:
    """Every request of the closed table."""

    def __init__(
        self, house: House, peers: Peers, children: Children, planner: Planner, kept: reports.Reports
    ) -> None:
        self._house = house
        self._peers = peers
        self._children = children
        self._journal = kept.journal
        self._reports = kept
        self._planner = planner
        self._acts: list[Act] = []
        self._starting: set[str] = set()  # the jobs of this turn that will be started
        self._table: dict[str, Callable[[Asked], Act]] = {
            "run": self._run,
            "worker": self._run,
            "kill": self._kill,
            "record": self._record,
            "note": self._note,
            "jobs": lambda asked: self._plain(asked, self._jobs),
            "adopt": lambda asked: self._plain(asked, self._adopt),
            "forget": lambda asked: self._plain(asked, self._forget),
            "profiles": lambda asked: self._plain(asked, self._profiles),
            "ledger": lambda asked: self._plain(asked, self._last),
        }

    def receive(self, letter: Letter) -> None:
        """Read a request and keep what it comes to; a bad one is answered at once."""
        asked: Asked | None = None
        try:
            asked = _read(letter)
            self._acts.append(self._table[asked.do](asked))
        except Refused as refusal:
            self._refuse(letter, asked, refusal)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end every job
            self._refuse(letter, asked, _defect(error))

    def _refuse(self, letter: Letter, asked: Asked | None, refusal: Refused) -> None:
        reports.close(letter.descriptors)
        self._fail(letter.peer, asked.re if asked else _number(letter), refusal)
        if asked is not None and asked.do in {"run", "worker"}:
            self._journal.later(Entry("refused", _refused(asked, refusal)))

    def commit(self) -> None:
        """Make the records durable, then act."""
        self._starting.clear()
        if not self._acts:
            return
        acts, self._acts = self._acts, []
        try:
            trouble = self._recorded(acts)
        except Unrecordable:
            for act in acts:
                self._do(act, self._recorded_alone(act))
            return
        for act in acts:
            self._do(act, trouble)

    def _recorded(self, acts: Sequence[Act]) -> Refused | None:
        """Make their records durable; what keeps us from it comes back.

        Raises:
            Unrecordable: one of them has none that could be written.
        """
        entries = [act.entry for act in acts if act.entry is not None]
        try:
            if entries:
                self._journal.commit(entries)
        except Unrecordable:
            raise
        except Refused as refusal:
            return refusal
        return None

    def _recorded_alone(self, act: Act) -> Refused | None:
        try:
            return self._recorded([act])
        except Unrecordable as refusal:
            return refusal

    def _do(self, act: Act, trouble: Refused | None) -> None:
        """Do it, if its record is durable; a defect of ours is its own end and nobody else's."""
        try:
            if act.entry is None or trouble is None:
                act.perform()
                return
            if act.must:
                self._journal.later(act.entry)
                act.perform()
                return
            act.undo()
            self._fail(act.asked.peer, act.asked.re, trouble)
        except Refused as refusal:
            self._fail(act.asked.peer, act.asked.re, refusal)
        except protocol.Unreadable as error:
            message = f"the answer does not fit into a message: {error.wrong}"
            self._fail(act.asked.peer, act.asked.re, Refused("Broken", message))
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end every job
            self._fail(act.asked.peer, act.asked.re, _defect(error))

    def _fail(self, peer: Peer, number: int, refusal: Refused) -> None:
        self._peers.tell(peer, {"re": number, **reports.failure(refusal)})

    def _tell(self, asked: Asked, message: Mapping[str, Any], descriptors: tuple[int, ...] = ()) -> None:
        self._peers.tell(asked.peer, {"re": asked.re, **message}, descriptors)

    def _answer(self, asked: Asked, message: Mapping[str, Any]) -> Peer:
        self._tell(asked, message)
        return asked.peer

    def _tell_done(self, asked: Asked) -> None:
        """Say so, where it was not to be left out."""
        if "quiet" not in asked.fields:
            self._tell(asked, {"say": "done"})

    # -- run, worker -------------------------------------------------------------------------------------

    def _run(self, asked: Asked) -> Act:
        if self._house.stopping:
            raise Refused("Unavailable", "the launcher stops; nothing was started")
        job = asked.fields["job"]
        self._check_free(job)
        principal = principal_of(asked.fields["why"])
        profile = self._house.shelf.take(asked.fields["profile"], principal)
        profile = self._house.tenants.settle(profile, principal)
        planned = self._planner.plan(asked, profile, lambda message: self._answer(asked, message))
        self._starting.add(job)
        ordered = self._children.order(planned.plan)
        return Act(
            asked, planned.entry, lambda: self._start(planned, ordered), lambda: _let_be(planned, ordered)
        )

    def _check_free(self, job: str) -> None:
        waiting = self._starting
        if not job:
            raise Refused("Invalid", "a job needs a name", field="job")
        if job in self._children.running or job in self._reports.kept or job in waiting:
            raise Refused("Conflict", f"there is a job {job!r} already", field="job")
        if len(self._children.running) + len(waiting) >= MOST_RUNNING:
            raise Refused("Exhausted", f"{MOST_RUNNING} jobs run already", hint="wait until one has ended")

    def _start(self, planned: Planned, ordered: Infant | None) -> None:
        try:
            self._children.start(planned.plan, ordered)
        except Exception as error:  # a defect too: its record has to have an end
            refusal = error if isinstance(error, Refused) else _defect(error)
            self._reports.not_started(planned.plan.job, refusal)
            reports.close(planned.plan.kept)
            raise refusal from error
        finally:
            planned.close_used()

    # -- the others --------------------------------------------------------------------------------------

    def _kill(self, asked: Asked) -> Act:
        number = asked.fields["signal"]
        if not 1 <= number <= 64:
            raise Refused("Invalid", f"{number} is no signal; they are 1 to 64", field="signal")
        fields = {name: asked.fields[name] for name in ("job", "signal", "reason")}
        if fields["job"] not in self._children.running and fields["job"] not in self._starting:
            raise Refused("NotFound", f"job {fields['job']!r} does not run", field="job")
        return Act(asked, Entry("signal", fields), lambda: self._kill_now(asked, fields), must=True)

    def _kill_now(self, asked: Asked, fields: Mapping[str, Any]) -> None:
        self._children.signal(*fields.values())
        self._tell(asked, {"say": "done"})

    def _record(self, asked: Asked) -> Act:
        return Act(asked, _entry(asked), lambda: self._tell(asked, {"say": "done"}))

    def _note(self, asked: Asked) -> Act:
        entry = _entry(asked)
        return self._plain(asked, lambda asked: self._note_now(asked, entry))

    def _note_now(self, asked: Asked, entry: Entry) -> None:
        self._journal.later(entry)
        self._tell_done(asked)

    def _plain(self, asked: Asked, perform: Callable[[Asked], None]) -> Act:
        return Act(asked, None, lambda: perform(asked))

    def _jobs(self, asked: Asked) -> None:
        running = [child for child in self._children.running.values() if child.plan.facts["kind"] == "run"]
        jobs = [_listed(child.plan.job, child.plan.facts, child.since, running=True) for child in running]
        jobs += [
            _listed(job, kept.facts, kept.since, running=False)
            for job, kept in reversed(self._reports.kept.items())
        ]
        self._tell(asked, {"say": "jobs", "jobs": _fitting(jobs)})

    def _adopt(self, asked: Asked) -> None:
        job = asked.fields["job"]
        child, ended = self._children.running.get(job), self._reports.kept.get(job)
        if child is not None:
            facts, kept, since = child.plan.facts, child.plan.kept, child.since
        elif ended is not None:
            facts, kept, since = ended.facts, ended.kept, ended.since
        else:
            raise Refused("NotFound", f"there is no job {job!r}", field="job")
        message = {"say": "adopted", "job": job, "started_unix_seconds": since, **facts}
        try:
            self._tell(asked, message, kept)
        except protocol.Unreadable:  # a command line as long as a message
            self._tell(asked, {**message, "argv": facts["argv"][:1], "why": {}}, kept)

    def _forget(self, asked: Asked) -> None:
        job = asked.fields["job"]
        if job in self._children.running:
            raise Refused("Conflict", f"job {job!r} still runs", hint="kill it first", field="job")
        self._reports.forget(job)
        self._tell_done(asked)

    def _last(self, asked: Asked) -> None:
        self._tell(asked, {"say": "ledger", "lines": self._journal.last(asked.fields.get("before"))})

    def _profiles(self, asked: Asked) -> None:
        shelf = self._house.shelf
        listed = [_described(profile) for profile in shelf.profiles.values()]
        broken = [{"name": name, "why": why[:1000]} for name, why in shelf.broken.items()]
        guarantees = [
            {"name": one.name, "enforced": one.enforced, "detail": one.detail}
            for one in self._house.guarantees
        ]
        message = {
            "say": "profiles",
            "profiles": listed,
            "broken": broken,
            "guarantees": guarantees,
            "default": shelf.default,
        }
        self._tell(asked, {**message, "reload_error": self._house.reload_error})


def _read(letter: Letter) -> Asked:
    try:
        request = protocol.read_request(letter.untrusted, len(letter.descriptors))
    except protocol.Unreadable as error:
        raise Refused("Invalid", error.wrong, field=error.field) from error
    if letter.cut:
        raise Refused("Exhausted", "descriptors were lost: too many came, or the launcher can hold no more")
    return Asked(request.do, request.fields, letter.descriptors, letter.peer, request.re)


def _let_be(planned: Planned, ordered: Infant | None) -> None:
    """It is not done: the init that has its orders ends, which has not begun the command."""
    if ordered is not None:
        ordered.end()
    planned.close()


def _entry(asked: Asked) -> Entry:
    """What the host agent wants to have recorded."""
    event = asked.fields["event"]
    if event in _OWN_EVENTS:
        raise Refused("Invalid", f"{event!r} is an event that the launcher alone records", field="event")
    if not EVENT.fullmatch(event):
        raise Refused("Invalid", f"{event!r} is no name of an event; it has small letters", field="event")
    return Entry(event, asked.fields["fields"])


def _defect(error: Exception) -> Refused:
    """What is told of a defect of ours; the log says where it is."""
    where = "".join(traceback.format_exception(error))
    log.write("error", "request failed", defect=where[-2000:])
    return Refused("Broken", f"the launcher failed: {type(error).__name__}", hint="its log says where")


def _number(letter: Letter) -> int:
    number = letter.untrusted.get("re")
    return number if protocol.is_count(number) else 0


def _refused(asked: Asked, refusal: Refused) -> dict[str, Any]:
    told = {name: asked.fields[name] for name in ("job", "profile", "argv", "why") if name in asked.fields}
    return {**told, "by": "launcher", "kind": refusal.kind, "message": refusal.message}


def _listed(job: str, facts: Mapping[str, Any], since: float, *, running: bool) -> dict[str, Any]:
    told = {name: facts[name] for name in ("profile", "argv", "directory", "limits", "why")}
    return {"job": job, **told, "started_unix_seconds": since, "running": running}


def _fitting(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The jobs as far as one message holds them: long command lines are cut, the oldest ends left out."""
    room, fitting = protocol.MESSAGE_BYTES - 1024, []
    for job in jobs:
        short = job if _size(job) <= _LISTED_BYTES else {**job, "argv": [job["argv"][0][:256], "…"]}
        room -= _size(short)
        if room < 0:
            break
        fitting.append(short)
    return fitting


def _size(job: Mapping[str, Any]) -> int:
    return len(protocol.encode(job)) + 1


def _described(profile: Profile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "workspace": profile.workspace,
        "directories": list(profile.directories),
        "read_only": list(profile.read_only),
        "principals": list(profile.principals),
        "run_as": EACH if profile.users else profile.user.name,
        "path": profile.path,
        "environment_allowed": list(profile.environment_allowed),
        "limits": dict(profile.limits),
    }
