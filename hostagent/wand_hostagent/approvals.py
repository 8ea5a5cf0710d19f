"""What waits for a person's word: each approval is for one act to the letter, for one use, and for a while.

An approval is bound to the digest of all that would be done: who asks, the words, folder, environment,
standard input, profile, this host and the policy. What differs in any of them is another act, and asks anew.
Every step is on record before it counts, and those that are open outlive the host agent in a file.
"""

import asyncio
import hashlib
import json
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from wand_hostagent import records
from wand_hostagent.launcher.spelling import show
from wand_hostagent.model import FileAct, Job
from wand_hostagent.policy import refusing
from wand_hostagent.policy.model import Permit, Question
from wand_hostagent.policy.survey import survey
from wand_hostagent.reports import who
from wand_proto.context import Caller
from wand_proto.errors import Conflict, Denied, Exhausted, NeedsApproval, NotFound, WandError

Record = Callable[[str, Mapping[str, Any]], Awaitable[None]]
MOST_KEPT = 256
MOST_SHOWN = 16 * 1024


class State(StrEnum):
    """Where an approval stands."""

    WAITING = "waiting"
    GIVEN = "given"
    REFUSED = "refused"
    USED = "used"
    EXPIRED = "expired"


FOLLOWS = {
    State.WAITING: frozenset({State.GIVEN, State.REFUSED, State.EXPIRED}),
    State.GIVEN: frozenset({State.USED, State.EXPIRED}),
    State.REFUSED: frozenset({State.EXPIRED}),
    State.USED: frozenset(),
    State.EXPIRED: frozenset(),
}
OPEN = frozenset({State.WAITING, State.GIVEN, State.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long an approval can be given and used, how long a call waits, and for how many one may wait."""

    expire_seconds: float = 600.0
    wait_seconds: float = 10.0
    most_waiting: int = 8
    settings: str = (
        ""  # what the command line of a yes needs at its end: --settings FILE, where it is another
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One act that a person may let happen once."""

    id: str
    digest: str
    principal: str
    client: str
    rule: str
    message: str
    shows: Mapping[str, Any]  # all of what would be done, for the person to read
    asked_unix_seconds: float
    expires_unix_seconds: float
    state: State = State.WAITING


class Keeps(Protocol):
    """Where those that are open outlive us."""

    def load(self) -> list[dict[str, Any]]: ...
    def save(self, acts: Sequence[dict[str, Any]]) -> None: ...


class KeepsNothing:
    """For those who do not want that."""

    def load(self) -> list[dict[str, Any]]:
        """Nothing."""
        return []

    def save(self, acts: Sequence[dict[str, Any]]) -> None:
        """Nothing."""


class Approvals:
    """Those that wait, were given or were refused; each call that waits hears of an answer at once."""

    def __init__(
        self,
        record: Record,
        terms: Terms | None = None,
        keeps: Keeps | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Those that an earlier host agent has left in `keeps` are open again, until they expire."""
        self._record = record
        self._keeps = keeps or KeepsNothing()
        self._terms = terms or Terms()
        self._clock = clock
        self._kept = {one.id: one for told in self._keeps.load() if (one := _taken_up(told))}
        self._answered = asyncio.Condition()
        self._answering = asyncio.Lock()  # one answer at a time: the first holds, and is alone on record

    # -- for the gate ---------------------------------------------------------------------------------------

    async def permit(self, caller: Caller, question: Question, content: Mapping[str, Any]) -> Permit:
        """The permit, once a person has said yes to just this act; that yes is then used up.

        Raises:
            NeedsApproval: nobody has said anything yet; the same act can be asked for again.
            Denied: a person said no.
            Exhausted: the caller, who is no task, waits for as many approvals as one may.
        """
        shows = shown(caller, question, content)
        approval = await self._asked(caller, question, shows)
        if approval.state is State.WAITING and not caller.task:  # a task waits by itself, without a call
            approval = await self._wait(approval)
        if approval.state is State.GIVEN and await self._use(approval):
            return replace(question.permit, approval=approval.id)
        if approval.state is State.REFUSED:
            raise Denied(f"a person said no: {question.message}", hint="do not ask again; do it another way")
        raise waiting(await self._asked(caller, question, shows), self._terms.settings)

    async def _use(self, approval: Approval) -> bool:
        """Whether the yes is this call's to use; of several calls for one act, one gets it."""
        if self._state(approval) is not State.GIVEN:
            return False
        await self._move(approval, State.USED, "approval_used", {})
        return True

    async def _asked(self, caller: Caller, question: Question, shows: Mapping[str, Any]) -> Approval:
        """The approval that is open for this act, else a new one."""
        await self._expire()
        digest = digest_of(shows)
        found = next((one for one in self._kept.values() if one.digest == digest and one.state in OPEN), None)
        if found is not None:
            return found
        theirs = [one for one in self._kept.values() if one.principal == caller.principal]
        if sum(one.state is State.WAITING for one in theirs) >= self._terms.most_waiting:
            raise too_many(caller, self._terms)
        now = self._clock()
        made = Approval(
            id=secrets.token_hex(4),
            digest=digest,
            principal=caller.principal,
            client=caller.client,
            rule=question.rule,
            message=question.message,
            shows=shows,
            asked_unix_seconds=now,
            expires_unix_seconds=now + self._terms.expire_seconds,
        )
        self._kept[made.id] = made  # before anything is awaited: a second call finds this one
        told = {**who(caller), **records.act(question.permit.act), "message": question.message}
        try:
            await self._record("approval_asked", {**_named(made), **told})
            self._save()
        except BaseException:
            self._kept.pop(made.id, None)
            raise
        return made

    def _save(self) -> None:
        self._keeps.save([told(one) for one in self._kept.values() if one.state in OPEN])

    async def _wait(self, approval: Approval) -> Approval:
        """The approval as it stands when somebody has answered, or the call has waited long enough."""
        try:
            async with asyncio.timeout(self._terms.wait_seconds), self._answered:
                await self._answered.wait_for(lambda: self._state(approval) is not State.WAITING)
        except TimeoutError:
            pass
        return self._kept.get(approval.id, replace(approval, state=State.EXPIRED))

    def _state(self, approval: Approval) -> State:
        kept = self._kept.get(approval.id)
        return kept.state if kept else State.EXPIRED

    # -- for a person ---------------------------------------------------------------------------------------

    async def all(self) -> list[Approval]:
        """Those that are open, the oldest first."""
        await self._expire()
        return [one for one in self._kept.values() if one.state in OPEN]

    async def get(self, name: str) -> Approval:
        """The one of that id.

        Raises:
            NotFound: there is none, or it has expired.
        """
        await self._expire()
        if name not in self._kept:
            raise NotFound(f"nothing waits under {name!r}", hint="wand-hostagent approve list", field="id")
        return self._kept[name]

    async def answer(self, name: str, *, yes: bool, by: str) -> Approval:
        """Say yes or no to the one of that id; `by` is who says it.

        Raises:
            NotFound: there is none, or it has expired.
            Conflict: it has been answered already.
        """
        state = State.GIVEN if yes else State.REFUSED
        event = "approval_given" if yes else "approval_refused"
        async with self._answering:
            approval = await self.get(name)
            if approval.state is not State.WAITING:
                raise Conflict(f"{name} is {approval.state.value} already", field="id")
            moved = await self._move(approval, state, event, {"by": by})
        async with self._answered:
            self._answered.notify_all()
        return moved

    # -- moving ---------------------------------------------------------------------------------------------

    async def _move(self, approval: Approval, state: State, event: str, told: Mapping[str, Any]) -> Approval:
        """The approval in its next state, which only one can bring it to."""
        kept = self._kept.get(approval.id, approval)
        if state not in FOLLOWS[kept.state] or self._clock() >= kept.expires_unix_seconds > 0:
            raise Conflict(f"approval {approval.id} is {kept.state.value}, or has expired", field="id")
        moved = replace(kept, state=state)
        if state is State.USED:
            del self._kept[approval.id]  # before anything is awaited: nobody else can use it
            self._save()  # and before anything is done: nor can who comes after us
            await self._record(event, {**_named(moved), **told})
            return moved
        await self._record(event, {**_named(moved), **told})
        if self._kept.get(approval.id) is not kept:
            raise Conflict(f"approval {approval.id} has changed meanwhile", field="id")
        self._kept[approval.id] = moved
        try:
            self._save()
        except WandError:
            self._kept[approval.id] = kept
            raise
        return moved

    async def _expire(self) -> None:
        now = self._clock()
        late = [one for one in self._kept.values() if one.expires_unix_seconds <= now]
        late += list(self._kept.values())[: max(0, len(self._kept) - MOST_KEPT)]
        for one in late:
            if self._kept.pop(one.id, None) is not None and one.state is not State.REFUSED:
                await self._record("approval_expired", _named(one))
        if late:
            self._save()


def shown(caller: Caller, question: Question, content: Mapping[str, Any]) -> dict[str, Any]:
    """All of what a question is about: what a person is shown, and what an approval is bound to."""
    permit = question.permit
    shows: dict[str, Any] = {
        "principal": caller.principal,
        "on_behalf_of": caller.on_behalf_of,
        "host": socket.gethostname(),
        "policy": permit.policy_digest,
        "profile": permit.profile,
        **({"network": permit.network} if permit.network else {}),
        **content,
    }
    if isinstance(permit.act, FileAct):
        return {**shows, "verb": permit.act.verb.value, "path": show(permit.act.path)}
    runs = [refusing.shown(one) for one in survey(permit.act).seen]
    return {**shows, **_job(permit.act), "runs": runs or ["what cannot be read"]}


def _job(job: Job) -> dict[str, Any]:
    return {
        "form": "shell" if job.shell else "argv",
        "argv": list(job.argv),
        "directory": show(job.directory),
        "environment": dict(sorted(job.environment.items())),
        "stdin_bytes": len(job.stdin),
        "stdin_sha256": hashlib.sha256(job.stdin).hexdigest(),
        "backend": job.backend,
        "detached": job.detached,
        "stdin_open": job.stdin_open,
        "terminal": job.terminal is not None,
    }


def digest_of(shows: Mapping[str, Any]) -> str:
    """The digest of all that would be done."""
    return hashlib.sha256(json.dumps(shows, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def waiting(approval: Approval, settings: str = "") -> NeedsApproval:
    """What a call is told whose act nobody has answered yet; `settings` ends the command that answers."""
    until = time.strftime("%H:%M:%SZ", time.gmtime(approval.expires_unix_seconds))
    answer = f"wand-hostagent approve yes {approval.id}{settings}"
    return NeedsApproval(
        f"waits for approval {approval.id}, which expires at {until}: {approval.message}",
        hint=f"call again unchanged, once a person on the host has said: {answer}",
    )


def too_many(caller: Caller, terms: Terms) -> WandError:
    """What a call is told whose caller waits for as many approvals as one may."""
    waiting = f"{terms.most_waiting} acts of {caller.principal} wait for a person already"
    if not caller.task:
        return Exhausted(waiting, hint="wait until they are answered, or do without")
    answer = f"wand-hostagent approve list{terms.settings}"
    return NeedsApproval(
        f"waits for its turn to be asked for: {waiting}", hint=f"say yes or no to some: {answer}"
    )


def _named(approval: Approval) -> dict[str, Any]:
    return {
        "approval": approval.id,
        "digest": approval.digest,
        "principal": approval.principal,
        "rule": approval.rule,
    }


def told(approval: Approval) -> dict[str, Any]:
    """The approval for the administrator's socket."""
    return asdict(approval)


def _taken_up(untrusted: Mapping[str, Any]) -> Approval | None:
    """An approval as `told` told it; None where it is none, or not of what it shows."""
    try:
        found = Approval(**{**untrusted, "state": State(untrusted["state"])})
        is_whole = found.digest == digest_of(found.shows) and found.state in OPEN
        times = found.asked_unix_seconds, found.expires_unix_seconds
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
    return found if is_whole and all(isinstance(moment, float | int) for moment in times) else None
