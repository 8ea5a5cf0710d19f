"""Which agent goes next, and how many there are to be, as tables."""

import pytest

from wand_server.orchestrator.choosing import Ability, AgentState, Candidate, Size, in_turn, wanted

I, B, S = AgentState.IDLE, AgentState.BUSY, AgentState.SICK  # noqa: E741 - a table


@pytest.mark.parametrize(
    ("states", "last", "goes"),
    [
        ([I, I, I], "", "abc"),
        ([I, I, I], "a", "bca"),
        ([I, I, I], "c", "abc"),
        ([I, B, I], "a", "ca"),
        ([B, S, I], "c", "c"),
        ([B, B, S], "a", ""),
        ([I, I, I], "gone", "abc"),
    ],
)
def test_the_next_in_turn_is_the_free_one_behind_the_last(
    states: list[AgentState], last: str, goes: str
) -> None:
    all_of_them = [
        Candidate(name=name, state=state, ability=Ability())
        for name, state in zip("abc", states, strict=True)
    ]
    assert "".join(one.name for one in in_turn(all_of_them, last)) == goes


@pytest.mark.parametrize(
    ("size", "queued", "busy", "many"),
    [
        (Size(count=3, most=8, queued_each=8), 0, 0, 3),
        (Size(count=3, most=8, queued_each=8), 7, 3, 3),
        (Size(count=3, most=8, queued_each=8), 16, 3, 5),
        (Size(count=3, most=8, queued_each=8), 900, 3, 8),
        (Size(count=3, most=8, queued_each=8), 1, 6, 6),  # while tasks wait, none is let go
        (Size(count=3, most=8, queued_each=8), 0, 6, 3),
        (Size(count=0, most=8, queued_each=8), 900, 0, 0),  # they are processes of their own
        (Size(count=5, most=2, queued_each=8), 900, 0, 5),
    ],
)
def test_the_queue_says_how_many_there_are_to_be_within_bounds(
    size: Size, queued: int, busy: int, many: int
) -> None:
    assert wanted(size, queued, busy) == many
