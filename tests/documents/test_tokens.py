"""What the list of tools costs in every client's context, counted by a real tokenizer."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from support import prism
from support.handing import FakeTasks
from support.host import FakeHost
from support.services import FakeCatalog, FakeLedger
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.instances import Instances
from wand_server.model import ToolDescription
from wand_server.ports import Memory
from wand_server.protocol.methods import wire_tool
from wand_server.tools import direct, memory, named, operations, projects
from wand_server.tools.registry import Registry

HOME = prism.COMMAND.parents[2]
OPERATIONS = {"find_operations", "describe_operation", "call_operation", "call_operation_write"}
CORE = {"postgres_query", "aws_operation", "web_search", "api_request"}
NAMED = {"slack_notify", "git_operation", "jenkins_trigger", *CORE}
SERVICES = ("slack", "git", "jenkins", "postgresql", "aws", "web_search", "api")

pytestmark = [
    pytest.mark.skipif(not prism.COMMAND.exists(), reason="the tokenizer is not installed: ./dev documents"),
    pytest.mark.skipif(shutil.which("node") is None, reason="there is no node"),
]


def costs(most: int = 0) -> dict[str, int]:
    instances = Instances(FakeCatalog() if most else Catalog(), FakeLedger(), lambda: "a1")
    instances.configure({"notes": {}} if most else {one: {} for one in SERVICES})
    entries = (
        *memory.entries(cast("Memory", None)), *operations.entries(instances),
        *named.entries(instances), *projects.entries(FakeTasks()),
    )  # fmt: skip
    tools = Registry(FakeHost(), entries, direct.Operations(instances, most)).describe()
    assert most or {one.name for one in tools} > NAMED
    return counted(tools)


def counted(tools: Sequence[ToolDescription]) -> dict[str, int]:
    """What each of them costs."""
    wired = json.dumps([wire_tool(one, with_view=False) for one in tools])
    script = HOME / f"count-{os.getpid()}.mjs"  # beside what it imports
    script.write_bytes(Path(__file__).with_name("count.mjs").read_bytes())
    try:
        answer = subprocess.run(["node", script], input=wired, capture_output=True, text=True, check=True)
    finally:
        script.unlink()
    return dict(zip((one.name for one in tools), json.loads(answer.stdout), strict=True))


def test_the_tools_that_open_every_service_cost_no_more_than_six_hundred_tokens() -> None:
    each = costs()
    assert sum(each[name] for name in OPERATIONS) <= 600, each


def test_the_tools_that_hand_out_work_cost_no_more_than_480_tokens() -> None:
    each = costs()
    assert sum(each[kind.name] for kind in projects.KINDS) <= 480, each


def test_the_core_tools_for_services_cost_no_more_than_four_hundred_tokens() -> None:
    each = costs()
    assert sum(each[name] for name in CORE) <= 400, each


def test_the_tools_that_remember_cost_no_more_than_170_tokens() -> None:
    each = costs()
    assert sum(each[name] for name in ("remember", "recall", "forget")) <= 170, each


@pytest.mark.parametrize("most", [0, 40])
def test_the_whole_list_costs_less_than_four_thousand_tokens(most: int) -> None:
    each = costs(most)
    assert sum(each.values()) < 4000, each
    assert ("notes-list_notes" in each) == (most > 0)


@pytest.mark.parametrize("service", ["", *Catalog().known])
def test_the_cost_of_a_list_is_not_reckoned_too_low(service: str) -> None:
    instances = Instances(Catalog(), FakeLedger(), lambda: "a1")
    instances.configure({service: {}} if service else {})
    family = direct.Operations(instances, 0)
    found = [family.one(one.name) for one in instances.offered("", 100)]
    tools = [one.description for one in found if one] or list(Registry(FakeHost()).describe())
    assert sum(counted(tools).values()) <= sum(map(direct.tokens, tools))
