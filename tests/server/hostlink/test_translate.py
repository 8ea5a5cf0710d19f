"""Values of the port as messages of the wire."""

import pytest

from wand_proto import context
from wand_server.hostlink import translate
from wand_server.model import Call, Principal

ANN = Principal(name="ann", means="api_key", credential="key 1", groups=("a", "b"), on_behalf_of="bo")


@pytest.mark.parametrize(
    "call",
    [
        Call(principal=Principal(name="ann", means="api_key"), request_id="r1"),
        Call(ANN, "r2", client="c/1", agent="an agent", model="a model", traceparent="00-1-2-01", task="t"),
        Call(ANN, "r3", client="c/1", agent="an agent", model="a model"),
        Call(ANN, "r4", client="c/2"),
    ],
)
def test_the_host_agent_reads_who_asks_as_the_server_knows_it(call: Call) -> None:
    who = call.principal

    assert context.from_metadata(translate.metadata(call), peer="") == context.Caller(
        principal=who.name, credential=who.credential, groups=who.groups, on_behalf_of=who.on_behalf_of,
        request_id=call.request_id, client=call.client, agent=call.agent, model=call.model,
        traceparent=call.traceparent, task=call.task,
    )  # fmt: skip
