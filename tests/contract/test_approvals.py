"""A rule that asks, with real processes: a person's yes outlives the host agent, and is used once."""

import asyncio
from typing import Any

from support import hostagent
from support.calls import asking, command, failure, followed
from support.hostagent import Wand
from wand_hostagent import cli, control
from wand_proto import errors
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1.execution_pb2_grpc import ExecutionStub

ASKS = hostagent.POLICY + '\n[[rule]]\nname = "a person says"\nverdict = "ask"\nprograms = ["echo"]\n'
AT_ONCE = "asking = {{ wait_seconds = 0 }}\n"


async def runs(wand: Wand) -> wire.Exited:
    """How the call ends."""
    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        return (await followed(execution.Run(command("echo", "hi"), metadata=asking())))[1]


async def test_a_yes_outlives_the_host_agent_and_is_used_once() -> None:
    with hostagent.running(policy=ASKS + 'profile = "developer"\n', settings=AT_ONCE) as wand:
        assert type(await failure(runs(wand))) is errors.NeedsApproval
        wand.agent.kill()
        wand.agent.start()

        desk = wand.folder / "control.sock"
        (waiting,) = (await asyncio.to_thread(control.ask, desk, {"do": "list"}))["approvals"]
        words = ["approve", "yes", waiting["id"], "--settings", str(wand.settings)]
        assert await asyncio.to_thread(cli.run, words) == 0
        wand.agent.kill()
        wand.agent.start()

        assert (await runs(wand)).reason == wire.REASON_EXITED
        assert type(await failure(runs(wand))) is errors.NeedsApproval
        used = [one["fields"]["approval"] for one in wand.recorded("approval_used")]
        assert used == [waiting["id"]]
        assert [one["fields"]["why"]["approval"] for one in wand.recorded("run")] == used
