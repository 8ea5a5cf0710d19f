"""How stages ended, told in the order of the plan, and counted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from plan import Stage

_INDENT = " " * 6
_END_LINES = 60  # of a log, where its stage fails
_SUMMARY = re.compile(r"^[=, a-z0-9]* in [0-9.]+s.*", re.MULTILINE)  # pytest's last line
_FAILED = re.compile(r"^(?:FAILED|ERROR) \S.{,200}", re.MULTILINE)  # and its lines before that


@dataclass(slots=True)
class Tally:
    """Tests, where a stage counts them; itself, where it does not."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, log: str, status: int) -> None:
        summary = (_SUMMARY.findall(log) or [""])[-1]
        good, bad = _count(summary, "passed"), _count(summary, "failed") + _count(summary, "errors?")
        self.skipped += _count(summary, "skipped")
        self.passed += good or int(bad == 0 and status == 0)
        self.failed += bad or int(status != 0)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def _count(summary: str, word: str) -> int:
    found = re.search(rf"(\d+) {word}\b", summary)
    return int(found[1]) if found else 0


@dataclass(slots=True)
class Teller:
    """Tells of each stage when all before it have been told."""

    order: Sequence[Stage]
    logs: Path
    tally: Tally = field(default_factory=Tally)
    failures: list[str] = field(default_factory=list)  # a line each: stages, and tests where they name them
    _lines: dict[str, list[str]] = field(default_factory=dict)  # of stages that have ended
    _gone_without: set[str] = field(default_factory=set)
    _told: int = 0

    def ended(self, stage: Stage, status: int, seconds: float) -> None:
        log = self.log(stage).read_text(errors="replace")
        self.tally.add(log, status)
        if status:
            self.failures += [f"{stage.name}: {each}" for each in _FAILED.findall(log) or ["FAILED"]]
        where = f"  ({status}; the end of {self.log(stage)} follows)" if status else ""
        line = f"{'FAIL' if status else 'ok':6}{stage.name:10} {seconds:4.0f} s{where}"
        end = log.splitlines()[-_END_LINES:] if status else []
        shown = re.findall(f"^(?!stage: )(?={stage.show}).+", log, re.MULTILINE) if stage.show else []
        self._lines[stage.name] = [*self._wanted(stage), line, *(_INDENT + each for each in (*end, *shown))]
        self._tell()

    def skipped(self, stage: Stage, why: str) -> None:
        self._lines[stage.name] = [self._skip(stage.name, why)]
        self._tell()

    def log(self, stage: Stage) -> Path:
        return self.logs / f"{stage.name}.log"

    def _wanted(self, stage: Stage) -> list[str]:
        """What the stage went without, said once."""
        lacking = [each for each in stage.wants if not each.is_met and each.program not in self._gone_without]
        self._gone_without |= {each.program for each in lacking}
        return [self._skip(Path(each.program).name, each.without) for each in lacking]

    def _skip(self, name: str, why: str) -> str:
        self.tally.skipped += 1
        return f"{'skip':6}{name:10}         {why}"

    def _tell(self) -> None:
        while self._told < len(self.order) and self.order[self._told].name in self._lines:
            print(*self._lines[self.order[self._told].name], sep="\n", flush=True)
            self._told += 1
