"""A real gate with real jobs over a launcher that is a fake, or is not."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.fakefiles import FakeFiles
from support.fakelauncher import FakeLauncher, fake_launcher
from support.places import short_folder
from wand_hostagent.approvals import Approvals, Terms
from wand_hostagent.backends.base import ExecutionBackend
from wand_hostagent.backends.native import NativeBackend
from wand_hostagent.choosing import Backends
from wand_hostagent.gate import Gate, Means
from wand_hostagent.jobs import Jobs
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.openacts import OpenActs
from wand_hostagent.policy.model import Policy, Rule, Verdict
from wand_hostagent.positions import Positions
from wand_proto.errors import BrokenPolicy

ANYTHING = (
    Rule(name="anything", verdict=Verdict.ALLOW, programs=("*",), profile="developer"),
    Rule(name="files", verdict=Verdict.ALLOW, paths=("/srv/work",), profile="developer"),
    Rule(name="no rm", verdict=Verdict.DENY, programs=("rm",), say="move it to the trash"),
    Rule(name="secrets", verdict=Verdict.DENY, paths=("/srv/work/secrets",)),
)


@dataclass
class Rules:
    """A policy that a test may change, or break."""

    rules: tuple[Rule, ...] = ANYTHING
    broken: str = ""
    digest: str = "d1"

    @property
    def current(self) -> Policy:
        if self.broken:
            raise BrokenPolicy(self.broken)
        return Policy(rules=self.rules, digest=self.digest)


@dataclass
class House:
    """Every part, for a test to look at."""

    gate: Gate
    jobs: Jobs
    link: LauncherLink
    files: FakeFiles
    rules: Rules
    approvals: Approvals


@contextmanager
def table_in(spool: Path, slots: int) -> Iterator[Positions]:
    """A table of that many slots, in a folder that is made where it is missing."""
    spool.mkdir(exist_ok=True)
    with Positions.open(spool / "positions", slots) as positions:
        yield positions


@asynccontextmanager
async def house(
    socket: Path,
    spool: Path,
    *,
    slots: int = 64,
    terms: Terms | None = None,
    others: Sequence[ExecutionBackend] = (),
    **parts: Any,
) -> AsyncIterator[House]:
    """A gate over the launcher at `socket`; `slots` are for counting, `parts` go to the jobs."""
    async with LauncherLink.open(socket) as link:
        with table_in(spool, slots) as positions:
            native = NativeBackend(link, positions)
            async with Jobs.open(spool, native, **parts) as jobs:
                files, rules = FakeFiles(), Rules()
                approvals = Approvals(link.record, terms, OpenActs(spool / "approvals.json"))
                gate = Gate(
                    rules,
                    link,
                    jobs,
                    Means(Backends((native, *others), running=jobs.running_on), files),
                    approvals,
                )
                yield House(gate, jobs, link, files, rules, approvals)


@asynccontextmanager
async def fake_house(**parts: Any) -> AsyncIterator[tuple[FakeLauncher, House]]:
    """A gate over a fake launcher."""
    with fake_launcher() as launcher, short_folder() as spool:
        async with house(launcher.path, spool, **parts) as every:
            yield launcher, every
