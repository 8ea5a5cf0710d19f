"""Task stores that are opened for a test, each on a real database, with a clock that the test moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.postgres import Database
from wand_server.model import Principal
from wand_server.ports import Claimed, NewTask, Outcome, TaskError
from wand_server.storage.asking import Engine
from wand_server.storage.buses import InProcessBus
from wand_server.storage.postgres import Address, PostgresEngine
from wand_server.storage.sqlite import SqliteEngine
from wand_server.storage.store import Store

ADA = Principal(
    name="ada",
    means="token",
    scopes=frozenset({"wand:read", "wand:tool:read_file"}),
    groups=("staff", "ops"),
    on_behalf_of="grace",
    credential="k1",
    expires=4e9,
)
BOB = Principal(name="bob", means="api_key")
CAN_ALL = frozenset({"shell", "gpu"})
DONE = Outcome(kind="done", result={"ok": True})


@dataclass
class Clock:
    """A time that stands still until it is moved."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True, kw_only=True)
class Stand:
    """A store on a database, the bus to which it tells, and the clock by which it goes."""

    store: Store
    engine: Engine
    bus: InProcessBus
    clock: Clock
    kind: str

    async def claimed(self, lease_seconds: float = 60, agent: str = "a1") -> Claimed:
        """The next task, which there is."""
        found = await self.store.claim(agent, CAN_ALL, lease_seconds)
        assert found is not None
        return found

    async def claimed_new(self, lease_seconds: float = 60, **fields: Any) -> Claimed:
        """A new task, claimed."""
        await self.submitted(**fields)
        return await self.claimed(lease_seconds)

    async def submitted(self, **fields: Any) -> str:
        """The id of a new task."""
        (told,) = await self.store.submit([task(**fields)])
        return told.id


def task(**fields: Any) -> NewTask:
    """A task of Ada's."""
    return NewTask(**{"principal": ADA, "work": {"steps": [{"tool": "get_system_info"}]}, **fields})


def failed(message: str = "no", *, may_pass: bool = False) -> Outcome:
    """A failure."""
    return Outcome(kind="failed", error=TaskError(kind="Unavailable", message=message), may_pass=may_pass)


def address(database: Database) -> Address:
    """Where that database is."""
    url = f"postgresql://{database.user}@{database.host}:{database.port}/{database.name}"
    return Address(url=url, password=database.password)


@asynccontextmanager
async def opened(kind: str, folder: Path, database: Database | None) -> AsyncIterator[Stand]:
    """A store of that kind: "sqlite" in the folder, or "postgres" in the database."""
    bus, clock = InProcessBus(), Clock()
    engine: SqliteEngine | PostgresEngine
    if kind == "sqlite":
        engine = SqliteEngine(folder / "state" / "tasks.db", bus.publish, clock)
    else:
        assert database is not None
        engine = PostgresEngine(address(database), bus.publish, clock)
    async with engine:
        yield Stand(store=Store(engine), engine=engine, bus=bus, clock=clock, kind=kind)
