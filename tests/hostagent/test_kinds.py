"""Backends by their tables: ours, those of other packages, and what is wrong with either."""

import importlib.metadata
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from support.elsewhere import Elsewhere
from wand_hostagent import kinds, settings
from wand_hostagent.backends.base import BackendKind, ExecutionBackend, Surroundings
from wand_proto.errors import Conflict, Invalid, NotFound, WandError


@dataclass(frozen=True, slots=True, kw_only=True)
class MoonSettings:
    """As a package would have them."""

    places: tuple[str, ...] = ()


class Moon(BackendKind[MoonSettings]):
    """A kind as a package would have it."""

    settings = MoonSettings

    @asynccontextmanager
    async def open(
        self, settings: MoonSettings, around: Surroundings
    ) -> AsyncIterator[Sequence[ExecutionBackend]]:
        yield [Elsewhere(f"{around.name}:{place}") for place in settings.places]


BROKEN = 3
POINTS = {
    "moon": ["test_kinds:Moon"],
    "twice": ["test_kinds:Moon", "test_kinds:Moon"],
    "broken": ["test_kinds:BROKEN"],
    "gone": ["test_kinds:GONE"],
    "nowhere": ["no_such_module:Moon"],
}


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages that add backends; each entry point loads what stands in this file."""

    def entry_points(*, group: str) -> EntryPoints:
        assert group == "wand_hostagent.backends"
        return EntryPoints(
            EntryPoint(one, value.replace("test_kinds", __name__), group)
            for one, values in POINTS.items()
            for value in values
        )

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


async def names(described: dict[str, Any]) -> list[str]:
    async with kinds.opened(described, Path("/etc/wand/hostagent.toml")) as backends:
        return [one.name for one in backends]


async def test_a_package_adds_backends_where_the_settings_have_a_table_for_it() -> None:
    assert await names({}) == []
    assert await names({"moon": {"places": ["base", "far"]}}) == ["moon:base", "moon:far"]


@pytest.mark.parametrize(
    ("described", "error", "words"),
    [
        ({"mars": {}}, NotFound, "backends.mars: no package here has a backend"),
        ({"twice": {}}, Conflict, "backends.twice: 2 packages"),
        ({"broken": {}}, Invalid, "backends.broken: is a int, and must be a"),
        ({"gone": {}}, Invalid, "backends.gone: .* does not load: AttributeError"),
        ({"nowhere": {}}, Invalid, "backends.nowhere: .* does not load: ModuleNotFoundError"),
        ({"native": {}}, Invalid, "backends.native: needs no table"),
        ({"moon": 3}, Invalid, "backends.moon: must be a table"),
        ({"moon": {"place": ["x"]}}, Invalid, "backends.moon.place: is not a setting.*did you mean places"),
        ({"moon": {"places": "x"}}, Invalid, "backends.moon.places: must be a list"),
        ({"moon": {"places": ["x", "x"]}}, Invalid, "backends.moon: has a backend 'moon:x'"),
    ],
)
async def test_what_is_wrong_is_named(described: dict[str, Any], error: type[WandError], words: str) -> None:
    with pytest.raises(error) as wrong:
        await names(described)
    assert re.match(words, str(wrong.value))


async def test_what_is_wrong_is_named_in_the_file_in_which_it_stands(tmp_path: Path) -> None:
    (tmp_path / "h.d").mkdir()
    for file, text in (("h.toml", ""), ("h.d/20-moon.toml", '[backends.moon]\nplaces = "x"\n')):
        (tmp_path / file).write_text(text)
    found = settings.load(tmp_path / "h.toml")
    with pytest.raises(Invalid, match=r"must be a list, .*h\.d/20-moon\.toml, line 2"):
        async with kinds.opened(found.backends, tmp_path / "h.toml", settings.where(tmp_path / "h.toml")):
            pass
