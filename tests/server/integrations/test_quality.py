"""Tiers follow from their rules, and what a manifest says of its tests is so."""

from pathlib import Path
from typing import Any

import pytest

from support import tree
from wand_server.integrations import quality
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.index import Entry, Known, Setting
from wand_server.integrations.kit.manifest import Manifest
from wand_server.integrations.kit.personal import OF_PEOPLE

CATALOG = Catalog()
BEST: dict[str, Any] = {
    "id": "todo",
    "name": "Todo",
    "category": "business",
    "summary": "Tasks",
    "docs": "https://todo.example/",
    "api_version": "v1",
    "sign_in": "a token",
    "scopes": ["none"],
    "limits": "none",
    "keywords": ["task"],
    "tests": {"against": "document", "what": "todo.json", "server": "todo-server"},
}
TEN = {f"do_{number}": Entry(summary="Do it.") for number in range(10)}


def tier(settings: dict[str, Setting] | None = None, **changes: Any) -> quality.Quality:
    known = Known(module="m", class_name="C", settings=settings or {}, operations=TEN)
    tests = {**BEST["tests"], **changes.pop("tests", {})}
    return quality.of(Manifest.model_validate({**BEST, **changes, "tests": tests}), known)


@pytest.mark.parametrize(
    ("changes", "reached"),
    [
        ({}, "platinum"),
        ({"tests": {"server": ""}}, "gold"),
        ({"tests": {"excused": {"do_1": "why"}}}, "gold"),
        ({"tests": {"excused": {"do_1": "why", "do_2": "why"}}}, "silver"),
        ({"tests": {"excused": {f"do_{number}": "why" for number in range(6)}}}, "bronze"),
        ({"scopes": []}, "silver"),
        ({"settings": {"tenant": Setting()}}, "silver"),
        ({"settings": {"token": Setting(secret=True), "base_url": Setting()}}, "platinum"),
        ({"tests": {"against": "contract"}}, "bronze"),
        ({"limits": ""}, "bronze"),
        ({"keywords": []}, "none"),
    ],
)
def test_a_tier_follows_from_its_rules(changes: dict[str, Any], reached: str) -> None:
    found = tier(**changes)
    assert found.tier == reached
    assert bool(found.lacks) == (reached != "platinum")


def test_the_rules_are_written_down() -> None:
    page = (tree.ROOT / "docs/reference/integrations.md").read_text()
    rows = [row.strip("| ").replace(" | ", "|") for row in page.splitlines() if row.startswith("| ")][1:]
    assert [row.rpartition("|")[2] for row in rows] == [rule.says for rule in quality.RULES]


@pytest.mark.parametrize("manifest", CATALOG.manifests.values(), ids=lambda one: one.id)
def test_what_a_manifest_says_of_its_tests_is_so(manifest: Manifest) -> None:
    operations = set(CATALOG.known[manifest.id].operations)
    excused = set(manifest.tests.excused)
    elsewhere = set(manifest.tests.elsewhere)
    assert excused | elsewhere <= operations, "it excuses what there is not"
    assert not excused & elsewhere, "it is tried, or is not"
    by_a_server = manifest.tests.against == "server" or manifest.tests.server
    texts = [one.read_text() for one in Path(tree.ROOT, "tests", "services").glob("test_*.py")]
    module = CATALOG.known[manifest.id].module
    tests = "".join(text for text in texts if f"from {module} import " in text)
    told = operations - excused - OF_PEOPLE if by_a_server else elsewhere
    assert not {name for name in told if f'"{name}"' not in tests}, "no test in tests/services names them"
