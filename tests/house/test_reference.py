"""The reference tells what there is: every tool, argument, result, error, event and setting."""

import dataclasses
import importlib.util
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest

from support.tree import ROOT, modules_of
from wand_hostagent import cli as hostagent_cli
from wand_hostagent import settings as hostagent_settings
from wand_hostagent.launcher.keys import KEYS
from wand_hostagent.launcher.options import Options
from wand_hostagent.launcher.protocol import LIMIT_NAMES
from wand_hostagent.launcher.service import _OWN_EVENTS
from wand_hostagent.policy.model import Rule
from wand_proto.errors import FAMILY
from wand_server import cli as server_cli
from wand_server import settings as server_settings
from wand_server.model import ToolDescription
from wand_server.ports import Host
from wand_server.tools.registry import BUILT_IN, Registry

REFERENCE = ROOT / "docs" / "reference"
TOOLS = {tool.name: tool for tool in Registry(cast("Host", None)).describe()}


def section(page: str, heading: str) -> str:
    """What stands under a heading of a page, up to the next of the same rank."""
    text = (REFERENCE / page).read_text()
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no heading {heading!r}"
    return found[1]


def missing(names: Iterator[str], text: str) -> list[str]:
    return [name for name in names if f"`{name}`" not in text]  # as the page writes every name


def properties(schema: dict[str, Any]) -> Iterator[str]:
    """The names in an object of a schema, and in the objects of its lists."""
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from properties(inner.get("items", {}))


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: str(tool.name))
def test_every_argument_and_result_of_a_tool_is_told(tool: ToolDescription) -> None:
    text = section("tools.md", tool.name)
    assert not missing(properties(tool.input_schema), text)
    (kind,) = (kind for kind in BUILT_IN if kind.name == tool.name)  # the list says not of each what it gives
    assert not missing(iter(kind.answer.model_fields), text)


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: str(tool.name))
def test_the_table_of_tools_says_what_their_annotations_say(tool: ToolDescription) -> None:
    rows = (REFERENCE / "tools.md").read_text().splitlines()
    row = next(line for line in rows if line.startswith(f"| `{tool.name}` |"))
    cells = [cell.strip(" `") for cell in row.split("|")]
    marks = [cell == "yes" for cell in cells[2:6]]
    assert marks == [tool.read_only, tool.destructive, tool.idempotent, tool.open_world]
    assert cells[6] == tool.toolset


def test_every_kind_of_error_is_told_with_its_code() -> None:
    text = (REFERENCE / "errors.md").read_text()
    assert not [
        name
        for name, kind in FAMILY.items()
        if not re.search(rf"^\| `{name}` \|.*\| `{kind.code}` \|", text, re.MULTILINE)
    ]


def keys(model: Any, prefix: str = "") -> Iterator[str]:
    """The keys of a settings file, those in its tables with the table's name before them."""
    for field in dataclasses.fields(model):
        inner = field.default_factory() if callable(field.default_factory) else field.default
        if dataclasses.is_dataclass(inner):
            yield from keys(inner, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}"


def test_every_setting_of_the_host_agent_is_told() -> None:
    assert not missing(keys(hostagent_settings.Settings), section("settings.md", "The host agent"))


def test_every_setting_of_the_server_is_told() -> None:
    tables = server_settings.Settings.model_fields
    names = (f"{table}.{key}" for table, about in tables.items() for key in model_keys(about.annotation))
    assert not missing(names, section("settings.md", "The server"))


def model_keys(model: Any) -> list[str]:
    return list(model.model_fields)


def test_every_key_of_a_profile_is_told() -> None:
    text = section("settings.md", "A profile")
    assert not [key for key in KEYS if not re.search(rf"^\[?{key}\b", text, re.MULTILINE)]
    assert not missing(iter(LIMIT_NAMES), text)


def test_every_key_of_a_rule_is_told() -> None:
    text = section("settings.md", "The policy")
    assert not missing((key.name for key in dataclasses.fields(Rule) if key.name != "source"), text)


@pytest.mark.parametrize("commands", [hostagent_cli.COMMANDS, server_cli.COMMANDS])
def test_every_subcommand_is_told_and_there(commands: dict[str, tuple[str, ...]]) -> None:
    text = (REFERENCE / "cli.md").read_text()
    for name, (module, *_) in commands.items():
        assert importlib.util.find_spec(module) is not None, module
        assert re.search(rf"`wand-(server|hostagent) {name}`", text), name


def test_every_option_of_the_launcher_is_told() -> None:
    names = (field.name for field in dataclasses.fields(Options))
    assert not [
        name for name in names if f"`--{name.replace('_', '-')}" not in section("cli.md", "The launcher")
    ]


def test_every_event_that_the_ledger_is_told_of_is_told() -> None:
    told = re.compile(r"""(?:Entry\(|\.record\(|\.note\()"(\w+)\"""")
    sources = [path.read_text() for path in modules_of("hostagent/wand_hostagent")]
    events = {event for source in sources for event in told.findall(source)} | _OWN_EVENTS
    assert not missing(iter(sorted(events)), section("ledger.md", "Events"))
