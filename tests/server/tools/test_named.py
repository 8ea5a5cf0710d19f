"""The tools for what is done at services most: they are there with their service, and do its operation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import pytest

from support.foreign import Says, Service, serving
from support.host import FakeHost, call, outcome
from support.localhost import ANN
from support.services import FakeLedger
from wand_proto.errors import NotFound
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.instances import Around, Instances
from wand_server.integrations.kit.secrets import Sources
from wand_server.offers import Choice
from wand_server.tools import named, operations
from wand_server.tools.offered import Offered
from wand_server.tools.registry import Registry

SECRETS = Sources({"SLACK": "xoxb-of-a-test", "JENKINS": "token-of-a-test"})
TABLES = {
    "slack": {"token": "env:SLACK"},
    "slack:home": {"token": "env:SLACK"},
    "jenkins": {"token": "env:JENKINS", "user": "ann"},
}
OF_SERVICES = {"slack": "slack_notify", "git": "git_operation", "jenkins": "jenkins_trigger"}


def configured(service: Service | None, host: FakeHost, *names: str, **more: Any) -> Instances:
    url = {"base_url": service.url} if service else {}
    tables = {name: {} if name == "git" else {**TABLES[name], **url, **more} for name in names}
    instances = Instances(Catalog(), FakeLedger(), lambda: "a1", SECRETS, Around(host=host))
    instances.configure(tables)
    return instances


@asynccontextmanager
async def registry(service: Service | None, host: FakeHost, *names: str) -> AsyncIterator[Registry]:
    instances = configured(service, host, *names)
    try:
        yield Registry(host, (*operations.entries(instances), *named.entries(instances)))
    finally:
        await instances.close()


@pytest.mark.parametrize(
    ("names", "more", "there"),
    [
        ((), {}, set()),
        (("slack",), {}, {"slack_notify"}),
        (("slack:home",), {}, {"slack_notify"}),
        (("slack",), {"read_only": True}, set()),
        (("slack",), {"deny": ["send_*"]}, set()),
        (("git", "jenkins"), {}, {"git_operation", "jenkins_trigger"}),
    ],
)
def test_they_are_listed_where_they_can_do_something(
    names: tuple[str, ...], more: dict[str, Any], there: set[str]
) -> None:
    tools = Registry(FakeHost(), named.entries(configured(None, FakeHost(), *names, **more)))
    assert {one.name for one in tools.describe()} & set(OF_SERVICES.values()) == there


@pytest.mark.parametrize(
    ("choice", "there"),
    [
        (Choice(disabled=("call_operation_write",)), False),
        (Choice(enabled=("call_operation",)), False),
        (Choice(read_only=True), False),
        (Choice(enabled=("call_operation_write",)), True),
        (Choice(enabled=("slack_notify",)), True),
    ],
)
async def test_who_may_not_call_what_changes_something_may_not_call_it_by_such_a_tool(
    choice: Choice, *, there: bool
) -> None:
    async with (
        serving(Says(body={"ok": True})) as slack,
        registry(slack, FakeHost(), "slack") as tools,
    ):
        offered = Offered(tools, choice)
        assert ("slack_notify" in {one.name for one in offered.describe()}) == there
        with nullcontext() if there else pytest.raises(NotFound):
            await offered.call("slack_notify", {"channel": "C1", "text": "hello"}, call())
    assert bool(slack.asked) == there


async def test_a_message_is_posted_where_it_is_meant() -> None:
    sent = Says(body={"ok": True, "channel": "C1", "ts": "1.2"})
    async with serving(sent) as slack, registry(slack, FakeHost(), "slack", "slack:home") as tools:
        given = {"channel": "C1", "text": "deployed", "instance": "slack:home"}
        result = await tools.call("slack_notify", given, call())
        wrong = await tools.call("slack_notify", {**given, "instance": "jenkins"}, call())
    assert (result.structured["operation"], result.structured["result"]["ts"]) == (
        "slack:home.send_message",
        "1.2",
    )
    assert wrong.text.startswith("Invalid: instance: must be slack or slack:NAME")
    (asked,) = slack.asked
    assert asked.path == "/chat.postMessage"


async def test_a_build_is_started() -> None:
    queued = Says(status=201, headers={"Location": "/queue/item/7/"})
    async with serving(queued) as jenkins, registry(jenkins, FakeHost(), "jenkins") as tools:
        given = {"job": "team/web", "parameters": {"A": "b"}}
        result = await tools.call("jenkins_trigger", given, call())
    assert result.structured["result"] == {"queue_url": "/queue/item/7/"}
    assert jenkins.asked[0].path == "/job/team/job/web/buildWithParameters"


async def test_git_is_run_on_the_host() -> None:
    host = FakeHost(outcome=outcome(b"# branch.head main\0? new\0"))
    async with registry(None, host, "git") as tools:
        asked = {"operation": "get_status", "directory": "a"}
        result = await tools.call("git_operation", asked, ANN)
        wrong = await tools.call("git_operation", {**asked, "arguments": {"x": 1}}, ANN)
    assert (result.structured["result"]["branch"], result.structured["result"]["untracked"]) == (
        "main",
        ["new"],
    )
    assert [one.directory for one in host.asked] == ["a"]  # type: ignore[attr-defined]
    assert wrong.text.startswith("Invalid: ")
