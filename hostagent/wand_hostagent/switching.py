"""Where jobs run that nobody says a backend for, changed while the host agent runs; and how each fares."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wand_hostagent import insiders
from wand_hostagent.backends.base import ExecutionBackend, Health
from wand_hostagent.choosing import Backends
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.policy.model import PolicySource
from wand_hostagent.reports import who
from wand_proto.context import Caller

log = logging.getLogger(__name__)

HEALTH_SECONDS = 5.0
MOST_TOLD = 300  # characters of an error
LATELY_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendReport:
    """One backend, and whether jobs can be run there now."""

    name: str
    labels: Mapping[str, str]
    up: bool
    detail: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Switch:
    """The default backend, in the hands of an administrator; jobs that run are not disturbed."""

    policy: PolicySource
    link: LauncherLink
    backends: Backends
    seen: list[tuple[float, list[BackendReport]]] = field(default_factory=list)

    async def lately(self) -> list[BackendReport]:
        """The same as it was half a minute ago at most: who asks often must not wait for who is away."""
        if self.seen and time.monotonic() - self.seen[0][0] < LATELY_SECONDS:
            default = {one.name for one in self.backends.meant(self.backends.default)}
            return [replace(one, is_default=one.name in default) for one in self.seen[0][1]]
        return await self.report()

    async def report(self) -> list[BackendReport]:
        """Every backend, all asked at once."""
        default = {one.name for one in self.backends.meant(self.backends.default)}
        every = list(self.backends.all.values())
        healths = await asyncio.gather(*map(_health, every))
        reports = [
            BackendReport(
                name=one.name,
                labels=one.labels,
                up=health.up,
                detail=health.detail,
                is_default=one.name in default,
            )
            for one, health in zip(every, healths, strict=True)
        ]
        self.seen[:] = [(time.monotonic(), reports)]
        return reports

    async def for_caller(self, caller: Caller, name: str) -> None:
        """Have jobs that start from now on run elsewhere; for the group of administrators.

        Raises:
            Denied: the caller is not in it; that is on record.
            Invalid: there is no such backend.
        """
        group = insiders.ADMINISTRATORS
        await insiders.only(self.policy.current, self.link, caller, group, "change the default backend")
        await self.to(name, caller.principal, who(caller))

    async def to(self, name: str, by: str, told: Mapping[str, Any] | None = None) -> None:
        """The same for somebody whom the administrator's socket knows; it is on record first."""
        self.backends.meant(name)
        changed = [f"default_backend: {self.backends.default} -> {name}"]
        fields = {**(told or {}), "of": "hostagent", "by": by, "changed": changed}
        await self.link.record("config", fields)
        self.backends.default = name


async def _health(backend: ExecutionBackend) -> Health:
    """How it fares, as far as it says so in time."""
    try:
        async with asyncio.timeout(HEALTH_SECONDS):
            return await backend.health()
    except TimeoutError:
        return Health(up=False, detail=f"no answer within {HEALTH_SECONDS:g} s")
    except Exception as error:  # somebody else's code: the others are told of all the same
        log.warning("health not told", extra={"backend": backend.name}, exc_info=error)
        return Health(up=False, detail=f"{type(error).__name__}: {error}"[:MOST_TOLD])
