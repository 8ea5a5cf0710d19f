"""What the list of tools costs in every client's context, counted by a real tokenizer."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from support import prism
from support.host import FakeHost
from support.services import FakeLedger
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.instances import Instances
from wand_server.protocol.methods import wire_tool
from wand_server.tools import named, operations
from wand_server.tools.registry import Registry

HOME = prism.COMMAND.parents[2]
OPERATIONS = {"find_operations", "describe_operation", "call_operation", "call_operation_write"}

pytestmark = [
    pytest.mark.skipif(not prism.COMMAND.exists(), reason="the tokenizer is not installed: ./dev documents"),
    pytest.mark.skipif(shutil.which("node") is None, reason="there is no node"),
]


def costs() -> dict[str, int]:
    instances = Instances(Catalog(), FakeLedger(), lambda: "a1")
    instances.configure({"slack": {}, "git": {}, "jenkins": {}})
    tools = Registry(FakeHost(), (*operations.entries(instances), *named.entries(instances))).describe()
    assert {"slack_notify", "git_operation", "jenkins_trigger"} < {one.name for one in tools}
    wired = json.dumps([wire_tool(one, with_view=False) for one in tools])
    script = HOME / "count.mjs"
    script.write_bytes(Path(__file__).with_name("count.mjs").read_bytes())
    counted = subprocess.run(["node", script], input=wired, capture_output=True, text=True, check=True)
    return dict(zip((one.name for one in tools), json.loads(counted.stdout), strict=True))


def test_the_tools_that_open_every_service_cost_no_more_than_six_hundred_tokens() -> None:
    counted = costs()
    assert sum(counted[name] for name in OPERATIONS) <= 600, counted


def test_the_whole_list_costs_less_than_four_thousand_tokens() -> None:
    counted = costs()
    assert sum(counted.values()) < 4000, counted
