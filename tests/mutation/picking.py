"""Which tests may notice a mutant, and in which order they are asked."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutation.mutants import Mutant


@dataclass(frozen=True, slots=True)
class Seen:
    """A file of tests as it was watched: its tests with their seconds, and the statements that each ran."""

    file: str
    digest: str
    sources: Mapping[str, str]  # a digest of each module as it was then
    tests: Mapping[str, tuple[float, frozenset[tuple[str, str, int]]]]
    loaded: frozenset[str]  # modules


class Picker:
    """Knows what was seen, by statement where a module is as it was, else by function."""

    def __init__(self, seen: Iterable[Seen], sources: Mapping[str, str]) -> None:
        self._seconds: dict[str, float] = {}
        self._by_place: dict[tuple[str, str, int], set[str]] = defaultdict(set)
        self._by_module: dict[str, set[str]] = defaultdict(set)
        for each in seen:
            for name, (seconds, places) in each.tests.items():
                self._seconds[name] = seconds
                for path, function, line in places:
                    self._by_place[path, function, 0].add(name)
                    if each.sources.get(path) == sources.get(path):
                        self._by_place[path, function, line].add(name)
                    else:
                        self._by_place[path, function, -1].add(name)  # may run any of its statements
            for path in each.loaded:
                self._by_module[path].update(each.tests)

    def pick(self, mutant: Mutant, seconds: float) -> dict[str, float]:
        """Tests with their usual seconds, for so long in all: the module's own first, then the quick."""
        near = self._running(mutant)
        names = near if mutant.function else near | self._by_module.get(mutant.path, set())
        by_file: dict[str, list[str]] = defaultdict(list)
        for name in sorted(names, key=lambda name: (name not in near, self._seconds[name], name)):
            by_file[name.partition("::")[0]].append(name)
        beside = _beside(mutant.path)

        def order(file: str) -> tuple[bool, bool, bool, float, str]:
            is_own = Path(file).stem == f"test_{Path(mutant.path).stem}"
            is_beside = beside.startswith(f"{Path(file).parent.as_posix()}/")
            is_far = (
                bool(mutant.function) and by_file[file][0] not in near
            )  # else whoever loads it is as near
            return not is_own, not is_beside, is_far, self._typical(by_file[file]), file

        picked: dict[str, float] = {}
        spent = 0.0
        for name in (name for file in sorted(by_file, key=order) for name in by_file[file]):
            spent += self._seconds[name]
            if spent > seconds and picked:
                break
            picked[name] = self._seconds[name]
        return picked

    def _running(self, mutant: Mutant) -> set[str]:
        """The tests that run the statement; any function of the module, where it runs as that is loaded."""
        if not mutant.function:
            places = [names for (path, _, _), names in self._by_place.items() if path == mutant.path]
            return set().union(*places)
        place = (mutant.path, mutant.function)
        none: frozenset[str] = frozenset()  # what is asked for is not kept: rooms share us
        there = self._by_place.get((*place, mutant.line), none)
        return {*there, *self._by_place.get((*place, -1), none)}

    def _typical(self, names: list[str]) -> float:
        return sorted(self._seconds[name] for name in names)[len(names) // 2]


def _beside(path: str) -> str:
    """Where tests of a module lie: tests/hostagent/policy/x.py of hostagent/wand_hostagent/policy/x.py."""
    return "/".join(["tests", *(part for part in path.split("/") if not part.startswith("wand_"))])


def digest(path: Path) -> str:
    """What a file is known by, for as long as it says the same."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def read(file: Path, probes: Path) -> Iterator[Seen]:
    """What was written by `write`; the last word about each file."""
    tables: dict[str, Any] = {}
    lines = file.read_text().splitlines() if file.exists() else []
    for told in {each["file"]: each for each in map(json.loads, lines)}.values():
        key = told["probes"]
        if key not in tables:
            tables[key] = json.loads((probes / f"probes-{key}.json").read_text())
        table, sources = tables[key]["probes"], tables[key]["sources"]
        yield Seen(
            told["file"],
            told["digest"],
            sources,
            {
                name: (
                    seconds,
                    frozenset(
                        (path, function, line)
                        for path, function, line in map(table.__getitem__, numbers)
                        if line
                    ),
                )
                for name, (seconds, numbers) in told["tests"].items()
            },
            frozenset(table[number][0] for number in told["loaded"]),
        )
