"""Of many calls at once for one act that was approved once, one runs, whatever order they come in."""

import asyncio
import random

import pytest

from support.gates import fake_house
from support.people import ANN, job
from wand_hostagent.approvals import Terms
from wand_hostagent.policy.model import Rule, Verdict
from wand_proto.errors import NeedsApproval, WandError

RULES = (
    Rule(name="anything", verdict=Verdict.ALLOW, programs=("*",), profile="developer"),
    Rule(name="a person says", verdict=Verdict.ASK, programs=("echo",), profile="developer"),
)


@pytest.mark.parametrize("seed", range(8))
async def test_one_yes_is_one_run_however_many_ask(seed: int) -> None:
    chance = random.Random(seed)
    async with fake_house(terms=Terms(wait_seconds=0.01, most_waiting=64)) as (launcher, house):
        house.rules.rules = RULES

        async def ask() -> bool:
            await asyncio.sleep(0) if chance.random() < 0.5 else None
            try:
                return bool([event async for event in house.gate.run(ANN, job("echo", "hi"))])
            except NeedsApproval:
                return False

        async def say(yes: bool) -> None:  # noqa: FBT001 - a table of two
            try:
                (waiting,) = await house.approvals.all()
                await house.approvals.answer(waiting.id, yes=yes, by="root")
            except (WandError, ValueError):
                pass

        assert not await ask()
        answers = [say(True), say(True)]
        done = await asyncio.gather(*answers, *(ask() for _ in range(20)))
        assert done[2:].count(True) == len(launcher.runs) <= 1
        given = [event for event, _ in launcher.records if event == "approval_given"]
        used = [event for event, _ in launcher.records if event == "approval_used"]
        assert len(given) == 1 >= len(used) == len(launcher.runs)
