"""Tasks by themselves: their states, their ends, and whose they are."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.waiting import until
from wand_server.model import Principal
from wand_server.protocol import tasks as module
from wand_server.protocol.failures import INTERNAL_ERROR, INVALID_PARAMS, ProtocolFailure
from wand_server.protocol.tasks import FOLLOWS, OF_ONE_CEILING, Task, Tasks

ME, OTHER = Principal(name="me", means="api_key"), Principal(name="other", means="api_key")


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    kept = Tasks(patience_seconds=0)
    yield kept
    await kept.close()


async def for_ever(_: Task) -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def begun(tasks: Tasks, work: Any = for_ever) -> Task:
    task = await tasks.call(ME, "slow", work)
    assert isinstance(task, Task)
    return task


async def over(task: Task) -> None:
    await until(lambda: task.is_over)


def test_what_is_over_stays_as_it_is() -> None:
    assert {status for status in FOLLOWS if not FOLLOWS[status]} == {"completed", "failed", "cancelled"}


async def test_what_ends_soon_is_answered_at_once() -> None:
    async def quick(_: Task) -> dict[str, Any]:
        return {"content": []}

    assert await Tasks().call(ME, "slow", quick) == {"content": []}


async def test_a_task_goes_on_after_its_call_and_has_its_result(tasks: Tasks) -> None:
    may_end = asyncio.Event()

    async def work(task: Task) -> dict[str, Any]:
        task.tell("half of it")
        await may_end.wait()
        return {"content": [1]}

    task = await begun(tasks, work)
    assert (task.status, task.message) == ("working", "half of it")
    may_end.set()
    await over(task)

    assert (task.status, task.result) == ("completed", {"content": [1]})


async def test_another_party_has_no_such_task(tasks: Tasks) -> None:
    task = await begun(tasks)

    assert tasks.find(ME, task.id) is task
    with pytest.raises(ProtocolFailure, match="there is no such task") as other:
        tasks.find(OTHER, task.id)
    with pytest.raises(ProtocolFailure, match="there is no such task") as unknown:
        tasks.find(ME, "never")
    assert (other.value.code, str(other.value)) == (unknown.value.code, str(unknown.value))


async def test_a_cancelled_task_ends_its_work_and_a_second_cancel_changes_nothing(tasks: Tasks) -> None:
    task = await begun(tasks)

    tasks.cancel(task)
    await over(task)
    tasks.cancel(task)

    assert task.status == "cancelled"


async def test_a_sign_in_that_is_taken_back_ends_its_tasks(tasks: Tasks) -> None:
    task = await begun(tasks)

    async def is_others(principal: Principal) -> bool:
        return principal is not ME

    async def is_mine(principal: Principal) -> bool:
        return principal is ME

    await tasks.end_over(is_others)
    await asyncio.sleep(0)
    assert not task.is_over
    await tasks.end_over(is_mine)
    await over(task)

    assert task.status == "cancelled"


async def test_a_caller_who_leaves_before_there_is_a_task_ends_the_work() -> None:
    ended, began = asyncio.Event(), asyncio.Event()

    async def work(_: Task) -> dict[str, Any]:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            ended.set()
        return {}

    call = asyncio.create_task(Tasks(patience_seconds=60).call(ME, "slow", work))
    await began.wait()
    call.cancel()
    await asyncio.wait([call])

    assert ended.is_set()


@pytest.mark.parametrize(
    ("broken", "code"),
    [(ProtocolFailure(INVALID_PARAMS, "no"), INVALID_PARAMS), (RuntimeError("secret"), INTERNAL_ERROR)],
)
async def test_a_task_that_breaks_has_failed_and_tells_no_insides(
    tasks: Tasks, broken: Exception, code: int
) -> None:
    async def work(_: Task) -> dict[str, Any]:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        raise broken

    task = await begun(tasks, work)
    await over(task)

    assert task.status == "failed"
    assert task.failure is not None
    assert task.failure.code == code
    assert "secret" not in task.failure.message


async def test_a_question_is_open_until_all_of_it_is_answered_and_its_keys_are_never_used_again(
    tasks: Tasks,
) -> None:
    async def work(task: Task) -> dict[str, Any]:
        first = await task.ask({"a": {"method": "m"}, "b": {"method": "m"}})
        return {"first": first, "second": await task.ask({"a": {"method": "m"}})}

    task = await begun(tasks, work)
    one, two = task.wanted
    task.give({one: 1, "unasked": 0})
    assert (task.status, list(task.wanted)) == ("input_required", [two])
    task.give({one: 9, two: 2})
    await until(lambda: task.wanted)
    (three,) = task.wanted
    assert three not in {one, two}
    task.give({three: 3})
    await over(task)

    assert task.result == {"first": {"a": 1, "b": 2}, "second": {"a": 3}}


async def test_where_there_is_no_room_a_call_is_answered_when_it_ends(tasks: Tasks) -> None:
    for _ in range(OF_ONE_CEILING):
        await begun(tasks)

    async def work(_: Task) -> dict[str, Any]:
        for _step in range(5):
            await asyncio.sleep(0)
        return {"content": []}

    assert await tasks.call(ME, "slow", work) == {"content": []}
    assert isinstance(await tasks.call(OTHER, "slow", for_ever), Task)


async def test_a_task_is_forgotten_when_its_time_is_over(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_SECONDS", 0.0)
    task = await begun(tasks)
    promised = task.ttl_ms
    tasks.cancel(task)
    await over(task)
    assert task.ttl_ms >= promised

    await until(lambda: not tasks.has(ME, task.id))
    with pytest.raises(ProtocolFailure, match="its time is over"):
        tasks.find(ME, task.id)


async def test_a_sign_in_that_is_over_cancels_once_and_lets_the_work_end_in_order(tasks: Tasks) -> None:
    may_end, ended = asyncio.Event(), list[str]()

    async def work(_: Task) -> dict[str, Any]:
        try:
            return await for_ever(_)
        finally:
            await may_end.wait()
            ended.append("in order")

    async def over_now(_: Principal) -> bool:
        return True

    task = await begun(tasks, work)
    for _ in range(3):  # it is looked every second
        await tasks.end_over(over_now)
        await asyncio.sleep(0)
    may_end.set()
    await over(task)

    assert ended == ["in order"]
