"""Services that are programs on the host: operations are commands that policy judges."""

import asyncio
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from support import samples
from support.host import FakeHost, outcome
from support.localhost import ANN, acting
from support.places import short_folder
from support.rules import allow, said
from support.running import COMMAND, embedded
from support.services import FakeLedger
from support.visits import client_of, recorded, text_of
from wand_hostagent.model import Job
from wand_proto.errors import Broken, Denied, NeedsApproval, NotFound, WandError
from wand_server import ports
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.instances import Around, Instances
from wand_server.integrations.kit import CommandIntegration
from wand_server.model import Call
from wand_server.scopes import InsufficientScope

CATALOG = Catalog()
ON_HOST = [name for name in CATALOG.known if issubclass(CATALOG.load(name), CommandIntegration)]
LOOKING = [allow("look", programs=["*"], effects=["read"])]
ANYTHING = [allow("any", programs=["*"])]


def operations(*, read_only: bool) -> list[tuple[str, str]]:
    return [
        (service, name)
        for service in ON_HOST
        for name, entry in CATALOG.known[service].operations.items()
        if entry.read_only is read_only
    ]


PRINTED = {"log": b"a\0" * 7, "inspect": b'[{"Id": "a"}]', "info": b'{"ServerVersion": "1"}'}


class LooksAlone(FakeHost):
    """Lets nothing run that does more than look; `asked` ends with what it refuses."""

    async def run(
        self, call: Call, command: ports.Command, on_output: ports.OnOutput | None = None
    ) -> ports.CommandOutcome:
        self.asked.append(command.argv)
        if said(LOOKING, Job(id="j1", argv=command.argv)) == "+look":
            return outcome(PRINTED.get(command.argv[1], b""))
        raise Denied("does more than look")


async def refused_of(service: str, name: str) -> list[tuple[str, ...]]:
    """What is refused of an operation, with few arguments and with all; nothing where it only looks."""
    kind, refused = CATALOG.load(service), list[tuple[str, ...]]()
    schema = kind.operations[name].input_schema
    for whole in (False, True):
        host = LooksAlone()
        try:
            await acting(host, kind(kind.Config()), name, samples.arguments(schema, whole=whole))
        except Denied:
            refused += host.asked[-1:]  # type: ignore[arg-type]
        except Broken:
            pass  # what it printed was none of its program's
        assert host.asked, "the arguments do not fit"
    return refused


@pytest.mark.parametrize(("service", "name"), operations(read_only=True))
async def test_what_only_looks_is_seen_to_do_no_more_by_policy(service: str, name: str) -> None:
    assert await refused_of(service, name) == []


@pytest.mark.parametrize(("service", "name"), operations(read_only=False))
async def test_what_changes_something_needs_more_than_a_rule_for_looking(service: str, name: str) -> None:
    refused = await refused_of(service, name)
    assert len(refused) == 2
    assert [said(ANYTHING, Job(id="j1", argv=argv)) for argv in refused] == ["+any", "+any"]


@pytest.mark.parametrize(
    "error",
    [
        Denied("git status is denied", hint="permitted is: ls", field="argv[1]"),
        NeedsApproval(
            "waits for approval 7c31e0a9", hint="call again once: wand-hostagent approve yes 7c31e0a9"
        ),
    ],
)
async def test_a_refusal_of_the_policy_comes_back_whole(error: WandError) -> None:
    said = (error.message, error.hint)
    instances = Instances(CATALOG, FakeLedger(), lambda: "a1", around=Around(host=FakeHost(error=error)))
    instances.configure({"git": {}})
    with pytest.raises(type(error)) as caught:
        await instances.run(ANN, "git.get_status", {}, may_change=False)
    assert (caught.value.message, caught.value.hint, caught.value.field) == (*said, "")


async def test_who_may_only_look_runs_nothing_that_changes() -> None:
    host = FakeHost()
    instances = Instances(CATALOG, FakeLedger(), lambda: "a1", around=Around(host=host))
    instances.configure({"git": {}})
    reader = ANN._replace(
        principal=replace(ANN.principal, scopes=frozenset({"wand:tool:call_operation_write"}))
    )
    for name, may_change in (("git.push_branch", True), ("git.get_status", False)):
        with pytest.raises(InsufficientScope):
            await instances.run(reader, name, {}, may_change=may_change)
    assert host.asked == []


async def test_whether_the_program_is_there_is_told() -> None:
    host = FakeHost(commands=(ports.FoundCommand(name="git", path="/usr/bin/git", permitted=False),))
    instances = Instances(CATALOG, FakeLedger(), lambda: "a1", around=Around(host=host))
    instances.configure({"git": {}})
    await instances.health("git")
    host.commands = (ports.FoundCommand(name="git", path="", permitted=False),)
    with pytest.raises(NotFound, match="no program git on the host"):
        await instances.health("git")


NO_PUSHES = """
[[rule]]
name = "no pushes"
verdict = "deny"
programs = ["git"]
arguments = ["push"]
say = "a person pushes here"
"""


async def test_it_runs_in_the_box_as_whoever_calls_and_both_are_on_record() -> None:
    with short_folder() as folder:
        (folder / "work").mkdir()
        (folder / "state" / "policy.d").mkdir(parents=True, mode=0o700)
        (folder / "state" / "policy.d" / "10-no.toml").write_text(NO_PUSHES)
        (folder / "more.toml").write_text("[integrations.git]\n")
        with embedded(folder / "work", folder / "state", "--settings", folder / "more.toml") as wand:
            async with client_of(wand) as client:
                await client.call_tool("execute_command", {"command": "git init -qb main a && touch 'a/x y'"})
                asked: dict[str, Any] = {"operation": "git.get_status", "arguments": {"directory": "a"}}
                status = await client.call_tool("call_operation", asked)
                pushed = await client.call_tool(
                    "call_operation_write", asked | {"operation": "git.push_branch"}
                )
            words = [str(COMMAND), "integrations", "--settings", str(wand.state / "server.toml")]
            checked = await asyncio.to_thread(subprocess.check_output, [*words, "check", "git"], text=True)
            runs, acts = recorded(wand, "run"), recorded(wand, "operation")
            ends = recorded(wand, "operation_end")
    assert status.structured_content is not None
    assert status.structured_content["result"]["untracked"] == ["x y"]
    assert runs[-1]["argv"][:2] == ["git", "status"]
    assert [one["operation"] for one in acts] == ["git.get_status", "git.push_branch"]
    assert [one.get("failure", "") for one in ends] == ["", "Denied"]
    assert "denied by the rule 'no pushes'" in text_of(pushed)
    assert "a person pushes here" in text_of(pushed)
    assert checked == "yes  git: answers, and lets us in\n"
