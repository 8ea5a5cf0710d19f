"""The privileged profile: commands on this host, each by a grant that names all of it.

There is no such backend where an administrator has granted nothing. The launcher runs the command, in the
box of the grant's profile and as the profile's user; what the grant says is checked before it is asked.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from fnmatch import fnmatchcase

from wand_hostagent.backends.base import ExecutionBackend, Health, JobInput
from wand_hostagent.model import Event, Job, Started
from wand_hostagent.policy.model import Permit
from wand_hostagent.policy.paths import is_within, resolved
from wand_hostagent.reports import ProfilesReport
from wand_hostagent.settings import Grant
from wand_proto.context import Caller
from wand_proto.errors import Denied

Profiles = Callable[[], Awaitable[ProfilesReport]]


class HostBackend(ExecutionBackend):
    """Jobs that a grant lets run; `launched` is what has the launcher run them."""

    name = "host"

    def __init__(self, launched: ExecutionBackend, grants: Mapping[str, Grant], profiles: Profiles) -> None:
        self._launched = launched
        self._grants = grants
        self._profiles = profiles

    def input_of(self, job: str) -> JobInput | None:
        return self._launched.input_of(job)

    async def signal(self, job: str, signal: int) -> bool:
        return await self._launched.signal(job, signal)

    async def health(self) -> Health:
        return await self._launched.health()

    async def run(self, permit: Permit) -> AsyncGenerator[Event, None]:
        """Run it under the profile of the grant that lets it; see `ExecutionBackend`.

        Raises:
            Denied: no grant lets it; the message has what this caller's grants let.
        """
        job = permit.act
        assert isinstance(job, Job)
        name, directory = granted(self._grants, permit.caller, job)
        grant = self._grants[name]
        await self._check_user(name, grant)
        narrowed = replace(
            permit,
            act=replace(job, directory=directory, profile=grant.profile),
            profile=grant.profile,
            rule=f"{permit.rule}, grant {name}",
        )
        async with aclosing(self._launched.run(narrowed)) as events:
            async for event in events:
                yield replace(event, backend=self.name) if isinstance(event, Started) else event

    async def _check_user(self, name: str, grant: Grant) -> None:
        """See that the launcher would run it as whom the grant says."""
        profile = (await self._profiles()).named(grant.profile)
        if profile is None or profile.run_as != grant.run_as:
            there_is = f"runs as {profile.run_as!r}" if profile else "is not there"
            raise Denied(
                f"grant {name} is for {grant.run_as!r}, and its profile {grant.profile!r} {there_is}",
                hint="an administrator must make the two agree",
            )


def granted(grants: Mapping[str, Grant], caller: Caller, job: Job) -> tuple[str, str]:
    """The name of the first grant that lets a job run, and where it is to start.

    Raises:
        Denied: none does.
    """
    theirs = {name: grant for name, grant in grants.items() if _is_for(grant, caller)}
    for name, grant in theirs.items():
        directory = resolved(job.directory, grant.paths[0])
        if _lets(grant, job) and any(is_within(directory, path) for path in grant.paths):
            return name, directory
    what = "shell text" if job.shell else job.argv[0]
    told = "; ".join(f"{name}: {_told(grant)}" for name, grant in theirs.items()) or "nothing"
    raise Denied(f"no grant lets {caller.principal} run {what} on this host", hint=f"granted is {told}")


def _is_for(grant: Grant, caller: Caller) -> bool:
    return any(fnmatchcase(caller.principal, glob) for glob in grant.principals)


def _lets(grant: Grant, job: Job) -> bool:
    """Whether program, arguments and variables are what is granted, word for word."""
    if job.shell or job.environment or job.argv[0] not in grant.programs:
        return False
    words = job.argv[1:]
    return any(
        len(form) == len(words)
        and all(fnmatchcase(word, glob) for word, glob in zip(words, form, strict=True))
        for form in grant.arguments
    )


def _told(grant: Grant) -> str:
    forms = " or ".join(" ".join(form) or "no arguments" for form in grant.arguments)
    return f"{', '.join(grant.programs)} with {forms} in {', '.join(grant.paths)}"
