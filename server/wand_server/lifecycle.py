"""A task's states, the moves between them, and what follows when something goes wrong; all of it pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_MOST_DOUBLINGS = 62
_MOST_WAITING_SECONDS = 86400.0  # for a person's approval
_ASK_AGAIN_SECONDS, _SELDOM_SECONDS, _SELDOMER = 5.0, 60.0, 0.05  # the longer it waits, the less often


class TaskState(StrEnum):
    """Where a task stands."""

    BLOCKED = "blocked"  # waits for tasks that it depends on
    QUEUED = "queued"  # may be claimed, from `run_at` on
    RUNNING = "running"  # an agent holds its lease
    WAITING = "waiting"  # for a person's approval, asked for again at `run_at`; no agent has it
    DONE = "done"
    FAILED = "failed"  # it was tried, or could not be, and the outcome is known
    CANCELLED = "cancelled"
    AMBIGUOUS = "ambiguous"  # a step had begun, and nobody knows whether it took effect
    DEAD = "dead"  # a dead letter: every attempt was used up


_S = TaskState
FOLLOWS: dict[TaskState, frozenset[TaskState]] = {
    _S.BLOCKED: frozenset({_S.QUEUED, _S.FAILED, _S.CANCELLED}),
    _S.QUEUED: frozenset({_S.RUNNING, _S.FAILED, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.QUEUED, _S.WAITING, _S.DONE, _S.FAILED, _S.CANCELLED, _S.AMBIGUOUS, _S.DEAD}),
    _S.WAITING: frozenset({_S.QUEUED, _S.FAILED, _S.CANCELLED}),
    _S.DONE: frozenset(),
    _S.FAILED: frozenset({_S.QUEUED, _S.BLOCKED}),  # a person tries it again; so with the next three
    _S.CANCELLED: frozenset({_S.QUEUED, _S.BLOCKED}),
    _S.AMBIGUOUS: frozenset({_S.QUEUED, _S.BLOCKED, _S.DONE, _S.FAILED}),  # or says how it had ended
    _S.DEAD: frozenset({_S.QUEUED, _S.BLOCKED}),
}
OPEN = frozenset({_S.BLOCKED, _S.QUEUED, _S.RUNNING, _S.WAITING})
ENDED = frozenset(TaskState) - OPEN
RETRIABLE = frozenset(state for state in ENDED if _S.QUEUED in FOLLOWS[state])
HOPELESS = frozenset({_S.FAILED, _S.CANCELLED, _S.DEAD})  # what depends on one of these cannot begin


def leading_to(state: TaskState) -> frozenset[TaskState]:
    """The states from which a task may move to that one."""
    return frozenset(before for before, after in FOLLOWS.items() if state in after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a task is begun at most, and how long it waits before it is begun again."""

    most_attempts: int = 3
    base_seconds: float = 2.0
    factor: float = 2.0
    ceiling_seconds: float = 300.0
    jitter: float = 0.5  # of the wait, this share is left to chance


RETRIES = Retries()


def wait_seconds(retries: Retries, attempt: int, roll: float) -> float:
    """How long to wait after that attempt (the first is 1), given a roll from 0 to below 1."""
    doublings = min(max(attempt - 1, 0), _MOST_DOUBLINGS)
    try:
        whole = min(retries.base_seconds * retries.factor**doublings, retries.ceiling_seconds)
    except OverflowError:
        whole = retries.ceiling_seconds
    return whole * (1 - retries.jitter * roll)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is known of a running task when its agent is gone, or gives it back."""

    attempt: int
    retries: Retries
    may_repeat: bool  # all of it, whatever its steps say
    open_steps_may_repeat: tuple[bool, ...]  # one for each step that has begun and not ended
    cancel_asked: bool
    deadline: float | None

    @property
    def in_doubt(self) -> bool:
        """Whether something had begun that must not be done twice."""
        return not self.may_repeat and not all(self.open_steps_may_repeat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """Where a task goes: its state, when it may run where that is QUEUED, and a reason for those who look."""

    state: TaskState
    run_at: float = 0.0
    kind: str = ""  # of the error, a name of the family in `wand_proto.errors`
    reason: str = ""


def when_lost(held: Held, now: float, roll: float) -> Next:
    """What becomes of a task whose lease ran out: its agent is dead, hangs, or cannot be reached."""
    if held.in_doubt:
        return Next(
            state=_S.AMBIGUOUS,
            kind="Ambiguous",
            reason="the agent was lost while a step ran that must not be done twice",
        )
    if held.cancel_asked:
        return Next(state=_S.CANCELLED, kind="Conflict", reason="it was cancelled")
    return _again_or(
        _S.DEAD, held, now + wait_seconds(held.retries, held.attempt, roll), now, "the agent was lost"
    )


def when_failed(held: Held, now: float, roll: float, *, again: bool) -> Next | None:
    """What becomes of a task whose attempt failed; None where it stays failed.

    `again`: the failure may pass, and trying it again does nothing twice.
    """
    if held.in_doubt:
        return Next(state=_S.AMBIGUOUS, kind="Ambiguous", reason="a step had begun, and its end is unknown")
    if not again or held.cancel_asked:
        return None
    return _again_or(_S.DEAD, held, now + wait_seconds(held.retries, held.attempt, roll), now, "it failed")


def when_given_back(held: Held, run_at: float, now: float) -> Next:
    """What becomes of a task that its agent gives back, to be run at that time or later."""
    return _over(held) or _again_or(_S.DEAD, held, max(run_at, now), now, "it was given back")


def when_waiting(held: Held, since: float, now: float) -> Next:
    """What becomes of a task that has waited for a person's approval since then."""
    waited = now - since
    if waited >= _MOST_WAITING_SECONDS:
        late = Next(state=_S.FAILED, kind="NeedsApproval", reason="nobody has said yes for a day")
        return _over(held) or late
    pause = min(max(waited * _SELDOMER, _ASK_AGAIN_SECONDS), _SELDOM_SECONDS)
    return _over(held) or Next(state=_S.WAITING, run_at=now + pause)


def _over(held: Held) -> Next | None:
    """Where a task goes whose agent ends here and must not be followed by another."""
    if held.in_doubt:
        return Next(state=_S.AMBIGUOUS, kind="Ambiguous", reason="a step had begun, and its end is unknown")
    if held.cancel_asked:
        return Next(state=_S.CANCELLED, kind="Conflict", reason="it was cancelled")
    return None


def _again_or(end: TaskState, held: Held, run_at: float, now: float, why: str) -> Next:
    if held.deadline is not None and max(run_at, now) >= held.deadline:
        return Next(
            state=_S.FAILED, kind="TimedOut", reason=f"{why}, and its deadline leaves no time for more"
        )
    if held.attempt >= held.retries.most_attempts:
        return Next(state=end, kind="Exhausted", reason=f"{why}, at attempt {held.attempt}, the last")
    return Next(state=_S.QUEUED, run_at=run_at, reason=f"{why}, at attempt {held.attempt}")


def in_order(depends_on: dict[str, Iterable[str]]) -> tuple[str, ...] | None:
    """The names, each after those that it depends on; None where they go round in a circle."""
    left = {name: {other for other in others if other in depends_on} for name, others in depends_on.items()}
    order: list[str] = []
    while left:
        free = [name for name, others in left.items() if not others]
        if not free:
            return None
        order += free
        gone = set(free)
        left = {name: others - gone for name, others in left.items() if name not in gone}
    return tuple(order)
