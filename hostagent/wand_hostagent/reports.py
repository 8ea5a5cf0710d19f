"""What is asked of the launcher and what it reports, as values; its messages are read here, whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from wand_hostagent.launcher.protocol import folder_of
from wand_hostagent.model import Exited, Limits, Reason, Size
from wand_proto.context import Caller
from wand_proto.errors import Broken

_WRONG = (KeyError, TypeError, ValueError, AttributeError, OverflowError)  # what a misshapen message raises


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One command for the launcher to check, record and start."""

    job: str
    profile: str
    argv: tuple[str, ...]
    directory: str
    environment: Mapping[str, str]
    limits: Limits
    why: Mapping[str, Any]  # who, under which request, by which rule: for the ledger
    terminal: Size | None = None
    network: str = ""  # instead of a wider one of the profile


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedReport:
    """The job runs: where, within which limits, which file."""

    job: str
    pid: int
    limits: Limits
    directory: str
    program: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundJob:
    """A job that the launcher has, running or ended and not yet forgotten."""

    job: str
    profile: str
    argv: tuple[str, ...]
    directory: str
    limits: Limits
    why: Mapping[str, Any]
    started_unix_seconds: float
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """What bounds a command here, or does not, and by what."""

    name: str
    enforced: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileReport:
    """A profile as the launcher has read it."""

    name: str
    workspace: str
    directories: tuple[str, ...]
    read_only: tuple[str, ...]
    run_as: str
    path: str
    limits: Limits

    def workspace_of(self, principal: str) -> str:
        """Where that principal's commands start."""
        return self.workspace.replace("{principal}", folder_of(principal))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilesReport:
    """Every profile, what this machine guarantees, and which one is meant where none is named."""

    profiles: tuple[ProfileReport, ...]
    guarantees: tuple[Guarantee, ...]
    default: str

    def named(self, name: str) -> ProfileReport | None:
        """The profile of that name, the default one where it is empty."""
        wanted = name or self.default
        return next((profile for profile in self.profiles if profile.name == wanted), None)


def who(caller: Caller) -> dict[str, str]:
    """What the ledger is told of a caller."""
    named = {
        "principal": caller.principal,
        "credential": caller.credential,
        "client": caller.client,
        "agent": caller.agent,
        "model": caller.model,
        "task": caller.task,
        "on_behalf_of": caller.on_behalf_of,
        "request": caller.request_id,
        "trace": caller.traceparent,
        "peer": caller.peer,
    }
    return {name: text for name, text in named.items() if text}


def run_to_message(request: RunRequest) -> dict[str, Any]:
    """The fields of a `run`."""
    fields = {
        "job": request.job,
        "profile": request.profile,
        "argv": request.argv,
        "directory": request.directory,
        "environment": request.environment,
        "why": request.why,
        "limits": _named(request.limits),
    }
    if request.terminal is not None:
        fields["terminal"] = dict(zip(("columns", "rows"), request.terminal, strict=True))
    if request.network:
        fields["network"] = request.network
    return fields


@lru_cache(maxsize=256)  # they are few, and come with every job
def _named(limits: Limits) -> Mapping[str, float]:
    return limits.named()


def _limits(untrusted: Mapping[str, Any]) -> Limits:
    return _read_limits(tuple((untrusted.get("limits") or {}).items()))


@lru_cache(maxsize=256)  # they are few, and come with every job
def _read_limits(untrusted: tuple[tuple[str, Any], ...]) -> Limits:
    found = dict(untrusted)
    seconds = ("wall_seconds", "cpu_seconds")
    return Limits(
        **{
            name: float(found[name]) if name in seconds else int(found[name])
            for name in Limits.__slots__
            if found.get(name) is not None
        }  # type: ignore[arg-type] # each name has its own type, held above
    )


def _words(untrusted: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(map(str, cast("Sequence[Any]", untrusted.get(name) or ())))


def read_started(untrusted: Mapping[str, Any]) -> StartedReport:
    """The answer to run and to worker; raises Broken where it cannot be read."""
    try:
        return StartedReport(
            job=str(untrusted["job"]),
            pid=int(untrusted.get("pid", 0)),
            limits=_limits(untrusted),
            directory=str(untrusted.get("directory", "")),
            program=str(untrusted.get("program", "")),
        )
    except _WRONG as error:
        raise _unreadable("started", error) from error


def read_exited(untrusted: Mapping[str, Any]) -> Exited:
    """How a job ended, its output not yet counted; raises Broken where it cannot be read."""
    try:
        return Exited(
            job=str(untrusted["job"]),
            reason=Reason(untrusted["reason"]),
            exit_code=int(untrusted.get("exit_code") or 0),
            signal=int(untrusted.get("signal") or 0),
            wall_seconds=float(untrusted.get("wall_seconds") or 0),
            cpu_seconds=float(untrusted.get("cpu_seconds") or 0),
            peak_memory_bytes=int(untrusted.get("peak_memory_bytes") or 0),
            also=tuple(map(Reason, untrusted.get("also") or ())),
        )
    except _WRONG as error:
        raise _unreadable("exited", error) from error


def read_lines(untrusted: Mapping[str, Any]) -> tuple[str, ...]:
    """The answer to ledger; raises Broken where it cannot be read."""
    lines = untrusted.get("lines")
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Broken("the launcher's answer to ledger cannot be read")
    return tuple(lines)


def read_jobs(untrusted: Mapping[str, Any]) -> tuple[FoundJob, ...]:
    """The answer to jobs; raises Broken where it cannot be read."""
    try:
        return tuple(
            FoundJob(
                job=str(one["job"]),
                profile=str(one.get("profile", "")),
                argv=_words(one, "argv"),
                directory=str(one.get("directory", "")),
                limits=_limits(one),
                why=dict(one.get("why") or {}),
                started_unix_seconds=float(one.get("started_unix_seconds") or 0),
                running=bool(one.get("running", True)),
            )
            for one in untrusted["jobs"]
        )
    except _WRONG as error:
        raise _unreadable("jobs", error) from error


def read_profiles(untrusted: Mapping[str, Any]) -> ProfilesReport:
    """The answer to profiles; raises Broken where it cannot be read."""
    try:
        return ProfilesReport(
            profiles=tuple(map(_profile, untrusted["profiles"])),
            guarantees=tuple(map(_guarantee, untrusted.get("guarantees") or ())),
            default=str(untrusted.get("default") or ""),
        )
    except _WRONG as error:
        raise _unreadable("profiles", error) from error


def _profile(untrusted: Mapping[str, Any]) -> ProfileReport:
    return ProfileReport(
        name=str(untrusted["name"]),
        workspace=str(untrusted["workspace"]),
        directories=_words(untrusted, "directories"),
        read_only=_words(untrusted, "read_only"),
        run_as=str(untrusted.get("run_as", "")),
        path=str(untrusted.get("path", "")),
        limits=_limits(untrusted),
    )


def _guarantee(untrusted: Mapping[str, Any]) -> Guarantee:
    return Guarantee(
        name=str(untrusted["name"]),
        enforced=untrusted.get("enforced") is True,
        detail=str(untrusted.get("detail", "")),
    )


def _unreadable(what: str, error: Exception) -> Broken:
    return Broken(f"the launcher's answer {what!r} cannot be read: {type(error).__name__} {error}")
