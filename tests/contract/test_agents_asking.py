"""A task whose act waits for a person, who says yes at the host: it goes on by itself, and is on record."""

import asyncio
from typing import Any

from chaos.parts import Parts, running
from support import hostagent
from wand_hostagent import control

ASKS = (
    hostagent.POLICY
    + """
[[rule]]
name = "a person says"
verdict = "ask"
programs = ["echo"]
profile = "developer"
"""
)
TASK = {
    "steps": [
        {"tool": "execute_command", "arguments": {"argv": ["true"]}},
        {"tool": "execute_command", "arguments": {"argv": ["echo", "permitted"]}},
    ]
}


async def at_the_desk(parts: Parts, question: dict[str, Any]) -> dict[str, Any]:
    return await asyncio.to_thread(control.ask, parts.wand.folder / "control.sock", question)


async def until_it_waits(parts: Parts, task: str) -> dict[str, Any]:
    while True:
        shown = (await parts.use("manage_tasks", action="get", task=task))["task"]
        if shown["state"] == "waiting":
            return dict(shown)
        await asyncio.sleep(0.1)


async def test_a_task_goes_on_when_a_person_has_said_yes() -> None:
    with running("", 0, policy=ASKS) as parts:
        (task,) = (await parts.use("distribute_task", tasks=[TASK]))["tasks"]
        async with asyncio.timeout(45):
            shown = await until_it_waits(parts, task["id"])
            (waiting,) = (await at_the_desk(parts, {"do": "list"}))["approvals"]
            assert f"wand-hostagent approve yes {waiting['id']}" in shown["message"]
            agents = (await parts.use("list_agents"))["agents"]
            assert {one["state"] for one in agents} == {"idle"}
            await at_the_desk(parts, {"do": "yes", "id": waiting["id"]})
            done = await parts.use("manage_tasks", action="get", task=task["id"], wait_seconds=30)

        assert (done["task"]["state"], done["task"]["attempt"]) == ("done", 1)
        assert done["task"]["result"]["result"]["stdout"] == "permitted\n"
        used = [one["fields"]["approval"] for one in parts.wand.recorded("approval_used")]
        ran = [one["fields"]["argv"] for one in parts.wand.recorded("run")]
        assert used == [waiting["id"]]
        assert ran == [["true"], ["echo", "permitted"]]
