"""An operation of a service is decided and on record before the server asks for it."""

import pytest

from support.gates import fake_house
from support.people import ANN
from wand_hostagent.policy.model import Rule, Verdict
from wand_proto.errors import BrokenPolicy, Denied

ASKED = {"act": "a1", "operation": "slack.send_message", "arguments_sha256": "ab" * 32, "read_only": False}


async def test_an_operation_is_on_record_before_it_is_done_or_refused() -> None:
    async with fake_house() as (launcher, house):
        await house.gate.operation_begins(ANN, ASKED)
        deny = Rule(name="no slack", verdict=Verdict.DENY, operations=("slack.*",), say="write a letter")
        house.rules.rules = (deny,)
        with pytest.raises(Denied, match=r"slack\.send_message is denied by the rule 'no slack'") as caught:
            await house.gate.operation_begins(ANN, ASKED)
        house.rules.broken = "base.toml:3 is wrong"
        with pytest.raises(BrokenPolicy):
            await house.gate.operation_begins(ANN, ASKED)

    assert caught.value.hint == "write a letter"
    assert [event for event, _ in launcher.records] == ["operation", "refused", "refused"]
    assert [told.get("rule") for _, told in launcher.records] == [None, "no slack", ""]
    assert all(told["operation"] == "slack.send_message" for _, told in launcher.records)
