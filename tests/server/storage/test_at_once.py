"""What many ask at the same time is answered to each as if it had asked alone, in the order of asking."""

import asyncio
from collections import Counter

from support.stores import ADA, BOB, CAN_ALL, DONE, Stand, task
from wand_proto.errors import Conflict
from wand_server.lifecycle import TaskState
from wand_server.ports import Claimed, Lease, NewTask, Outcome, Submitted

MANY = 20


async def handed_in(stand: Stand, *new: NewTask) -> list[Submitted]:
    """All of them, each by a call of its own, at the same time."""
    told = await asyncio.gather(*(stand.store.submit([one]) for one in new))
    return [one for (one,) in told]


async def claimed(stand: Stand, agents: int) -> list[Claimed]:
    """What that many agents have claimed at the same time."""
    calls = (stand.store.claim(f"a{number}", CAN_ALL, 60) for number in range(agents))
    return [one for one in await asyncio.gather(*calls) if one]


async def test_tasks_handed_in_at_once_go_in_turns_and_each_ones_in_their_order(stand: Stand) -> None:
    await handed_in(stand, task(title="0"), task(title="1"))
    new = [task(title=str(number)) for number in range(2, 6)]
    new[2:2] = [task(principal=BOB, title=str(number)) for number in range(3)]
    new[4:4] = [task(title="first", priority=1), task(title="late", not_before=stand.clock.now + 9)]
    await handed_in(stand, *new)
    found = [(await stand.claimed()).task for _ in range(10)]
    assert [(one.principal.name, one.title) for one in found] == [
        ("ada", "first"), ("ada", "0"), ("bob", "0"), ("ada", "1"), ("bob", "1"), ("ada", "2"), ("bob", "2"),
        ("ada", "3"), ("ada", "4"), ("ada", "5"),
    ]  # fmt: skip
    assert await claimed(stand, 2) == []
    stand.clock.forward(9)
    await stand.store.sweep()
    assert [one.task.title for one in await claimed(stand, 2)] == ["late"]


async def test_one_of_two_with_the_same_id_is_kept_and_the_other_is_told(stand: Stand) -> None:
    one = task(title="one")
    told = await handed_in(stand, one, task(), one, task())
    assert told[0] == told[2]
    other = NewTask(id=one.id, principal=BOB, work={})
    answers = await asyncio.gather(
        *(stand.store.submit([each]) for each in (task(), other, task())), return_exceptions=True
    )
    assert [isinstance(answer, Conflict) for answer in answers] == [False, True, False]
    assert (await stand.store.counts())[TaskState.QUEUED] == 5
    assert (await stand.store.get(one.id)).principal == ADA


async def test_who_claim_at_once_get_one_each_in_the_order_in_which_they_asked(stand: Stand) -> None:
    await handed_in(stand, *(task(title=str(number)) for number in range(3)))
    found = await claimed(stand, MANY)
    assert [(one.task.title, one.task.agent, one.lease.token) for one in found] == [
        ("0", "a0", 1), ("1", "a1", 1), ("2", "a2", 1),
    ]  # fmt: skip
    assert all(one.task.lease_until == stand.clock.now + 60 for one in found)


async def test_who_claim_at_once_and_can_do_different_things_get_what_they_can_do(stand: Stand) -> None:
    await handed_in(stand, *(task(needs=frozenset({name})) for name in ("gpu", "shell", "gpu")))
    able = [frozenset({"shell"}), frozenset({"gpu"}), frozenset[str](), frozenset({"shell"})]
    found = await asyncio.gather(*(stand.store.claim("a1", one, 60) for one in able))
    assert [sorted(one.task.needs) if one else None for one in found] == [["shell"], ["gpu"], None, None]


async def test_of_those_who_finish_at_once_only_who_hold_their_task_are_recorded(stand: Stand) -> None:
    await handed_in(stand, *(task(title=str(number)) for number in range(MANY)))
    leases = [one.lease for one in await claimed(stand, MANY)]
    waits = await stand.submitted(depends_on=(leases[3].task,))
    late = [Lease(one.task, one.token + 1) if number % 5 == 0 else one for number, one in enumerate(leases)]
    outcomes = [Outcome(kind="done", result=number) for number in range(MANY)]
    went = await asyncio.gather(*map(stand.store.finish, late, outcomes))
    assert went == [None if number % 5 == 0 else TaskState.DONE for number in range(MANY)]
    kept = [await stand.store.get(one.task) for one in leases]
    assert [one.result for one in kept] == [None if number % 5 == 0 else number for number in range(MANY)]
    assert (await stand.store.get(waits)).state is TaskState.QUEUED


async def test_many_who_do_all_of_it_at_once_each_do_every_task_once(stand: Stand) -> None:
    done: Counter[str] = Counter()

    async def work(agent: str) -> None:
        for _ in range(5):
            await stand.submitted()
            mine = await stand.claimed(agent=agent)
            assert mine.task.agent == agent
            assert await stand.store.finish(mine.lease, DONE) is TaskState.DONE
            done[mine.task.id] += 1

    await asyncio.gather(*(work(f"a{number}") for number in range(MANY)))
    assert set(done.values()) == {1}
    assert (await stand.store.counts())[TaskState.DONE] == len(done) == 5 * MANY
