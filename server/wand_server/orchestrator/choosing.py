"""Which agent goes next, and how many there are to be: functions of values."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class AgentState(StrEnum):
    """How an agent is."""

    IDLE = "idle"
    BUSY = "busy"
    SICK = "sick"  # has had its time and does not end: nothing new for it, and another stands in
    STOPPING = "stopping"  # ends its task and takes no other
    GONE = "gone"  # has given no sign of life for too long


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """What an agent can do, beside what every agent can."""

    capabilities: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()

    @property
    def words(self) -> frozenset[str]:
        """All that a task may need of it."""
        return self.capabilities | self.labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An agent as the choice sees it."""

    name: str
    state: AgentState
    ability: Ability


def in_turn(candidates: Sequence[Candidate], last: str) -> tuple[Candidate, ...]:
    """Those that are free, the one after `last` first: round robin, the busy and the sick skipped."""
    names = [one.name for one in candidates]
    first = names.index(last) + 1 if last in names else 0
    ring = (*candidates[first:], *candidates[:first])
    return tuple(one for one in ring if one.state is AgentState.IDLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many agents there are to be: so many always, up to `most` while many tasks wait; 0 is none."""

    count: int = 3
    most: int = 8
    queued_each: int = 8  # so many tasks that wait bring one more agent

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the most; of none there never are more."""
        return self.count, max(self.count, self.most) if self.count else 0


def wanted(size: Size, queued: int, busy: int) -> int:
    """How many agents there are to be, with so many tasks that could run and so many agents at work.

    While tasks wait, none is let go: the queue would bring it back at once.
    """
    least, most = size.bounds
    more = queued // size.queued_each if size.queued_each else 0
    return max(least, min(most, max(busy if queued else 0, least + more)))
