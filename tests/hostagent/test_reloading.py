"""A policy that is read again because of a signal."""

import asyncio
import gc
from pathlib import Path
from typing import Any

from support.gates import fake_house
from support.waiting import until
from wand_hostagent.daemon import _Parts
from wand_hostagent.policy.load import PolicyFolder
from wand_hostagent.switching import Switch


async def test_a_broken_policy_is_told_of_in_the_ledger_and_not_by_the_event_loop(tmp_path: Path) -> None:
    told, reloading = list[dict[str, Any]](), set[asyncio.Task[str]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    policy = PolicyFolder(tmp_path, development=True)
    (tmp_path / "10-broken.toml").write_text("rules = 1")

    async with fake_house() as (launcher, house):
        switch = Switch(policy, house.link, house.gate._backends)
        _Parts(policy, house.link, house.jobs, house.gate, house.approvals, switch).reload_soon(reloading)
        await until(lambda: not reloading)
    gc.collect()

    assert launcher.records[0][1]["error"]
    assert told == []
