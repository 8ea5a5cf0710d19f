"""What the host is, how it fares, and which programs it has."""

import time
from typing import Annotated

from pydantic import BeforeValidator, Field

from wand_server.model import Call
from wand_server.ports import Host
from wand_server.tools import render
from wand_server.tools.base import Answer, Part, Tool


class InfoAnswer(Answer):
    """What the host is."""

    hostname: str
    os_name: str
    kernel: str
    architecture: str
    cpus: int
    memory_bytes: int
    uptime_seconds: float
    timezone: str
    workspace: str
    run_as: str
    shells: list[str]
    version: str

    def text(self) -> str:
        return "\n".join(
            (
                f"{self.hostname}: {self.os_name}, Linux {self.kernel}, {self.architecture}",
                f"{self.cpus} CPUs, {render.size(self.memory_bytes)} of memory",
                f"up {render.seconds(self.uptime_seconds)}, timezone {self.timezone}",
                f"Commands start in {self.workspace} and run as {self.run_as}.",
                f"Shells: {', '.join(self.shells) or 'none'}. Wand host agent {self.version}.",
            )
        )


class GetSystemInfo(Tool):
    """What this host is: operating system, kernel, CPUs, memory, the workspace in which commands start, the
    user they run as, and the shells. It rarely changes: ask once.
    """

    name = "get_system_info"
    title = "What this host is"
    toolset = "host"
    answer = InfoAnswer
    read_only = True
    idempotent = True

    async def call(self, host: Host, call: Call) -> InfoAnswer:
        info = await host.info(call)
        return InfoAnswer(
            hostname=info.hostname,
            os_name=info.os_name,
            kernel=info.kernel,
            architecture=info.architecture,
            cpus=info.cpus,
            memory_bytes=info.memory_bytes,
            uptime_seconds=max(0, round(time.time() - info.boot_unix_seconds)),
            timezone=info.timezone,
            workspace=info.workspace,
            run_as=info.run_as,
            shells=list(info.shells),
            version=info.version,
        )


class DiskPart(Part):
    """One file system."""

    path: str
    total_bytes: int
    free_bytes: int


class GuaranteePart(Part):
    """One thing that bounds commands here, or does not."""

    name: str
    enforced: bool
    detail: str


class StatusAnswer(Answer):
    """How the host fares."""

    load: list[float]
    cpu_percent: float
    memory_total_bytes: int
    memory_available_bytes: int
    swap_total_bytes: int
    swap_free_bytes: int
    disks: list[DiskPart]
    uptime_seconds: float
    jobs_running: int
    jobs_ceiling: int
    launcher_up: bool
    policy_digest: str
    guarantees: list[GuaranteePart]
    backends: list[str]

    def text(self) -> str:
        return "\n".join((*self._use(), *self._jobs(), *self._bounds()))

    def _use(self) -> list[str]:
        load = " ".join(f"{number:.2f}" for number in self.load)
        return [
            f"load {load}, CPU {self.cpu_percent:.0f} %, up {render.seconds(self.uptime_seconds)}",
            _free("memory", self.memory_available_bytes, self.memory_total_bytes),
            _free("swap", self.swap_free_bytes, self.swap_total_bytes),
            *(_free(f"disk {disk.path}", disk.free_bytes, disk.total_bytes) for disk in self.disks),
        ]

    def _jobs(self) -> list[str]:
        running = f"jobs: {self.jobs_running} running, at most {self.jobs_ceiling}"
        down = "The launcher is down: nothing can be run until it is back."
        where = [f"backends: {'; '.join(self.backends)}"] if len(self.backends) > 1 else []
        return [running, *where] if self.launcher_up else [running, *where, down]

    def _bounds(self) -> list[str]:
        lines = [
            f"- {each.name}: {'enforced' if each.enforced else 'NOT enforced'}; {each.detail}"
            for each in self.guarantees
        ]
        return ["What bounds a command here:", *lines] if lines else []


def _free(what: str, free_bytes: int, total_bytes: int) -> str:
    return (
        f"{what}: {render.size(free_bytes)} free of {render.size(total_bytes)}"
        if total_bytes
        else f"{what}: none"
    )


class GetSystemStatus(Tool):
    """How the host fares now: load, CPU, memory, disks, running jobs, backends, what bounds a command. Ask
    when something is slow or fails without a clear reason.
    """

    name = "get_system_status"
    title = "How this host fares"
    toolset = "host"
    answer = StatusAnswer
    read_only = True
    idempotent = True

    async def call(self, host: Host, call: Call) -> StatusAnswer:
        status = await host.status(call)
        return StatusAnswer(
            load=[round(number, 2) for number in status.load],
            cpu_percent=round(status.cpu_percent, 1),
            memory_total_bytes=status.memory_total_bytes,
            memory_available_bytes=status.memory_available_bytes,
            swap_total_bytes=status.swap_total_bytes,
            swap_free_bytes=status.swap_free_bytes,
            disks=[
                DiskPart(path=disk.path, total_bytes=disk.total_bytes, free_bytes=disk.free_bytes)
                for disk in status.disks
            ],
            uptime_seconds=round(status.uptime_seconds),
            jobs_running=status.jobs_running,
            jobs_ceiling=status.jobs_ceiling,
            launcher_up=status.launcher_up,
            policy_digest=status.policy_digest,
            guarantees=[
                GuaranteePart(name=each.name, enforced=each.enforced, detail=each.detail)
                for each in status.guarantees
            ],
            backends=list(status.backends),
        )


class CommandPart(Part):
    """One program."""

    name: str
    exists: bool
    path: str
    permitted: bool


class CheckAnswer(Answer):
    """Which of the programs there are."""

    commands: list[CommandPart]

    def text(self) -> str:
        return "\n".join(
            f"{each.name}: not found"
            if not each.exists
            else f"{each.name}: {each.path}" + ("" if each.permitted else " (policy denies it)")
            for each in self.commands
        )


def _list_of_one(untrusted: object) -> object:
    return [untrusted] if isinstance(untrusted, str) else untrusted


class CheckCommandExists(Tool):
    """Whether programs exist on the host, where, and whether policy permits them."""

    name = "check_command_exists"
    title = "Whether a program exists"
    toolset = "host"
    answer = CheckAnswer
    read_only = True
    idempotent = True

    names: Annotated[tuple[str, ...], Field(min_length=1, max_length=64), BeforeValidator(_list_of_one)] = (
        Field(description='names of programs, e.g. ["git", "pytest"]')
    )

    async def call(self, host: Host, call: Call) -> CheckAnswer:
        found = await host.find_commands(call, self.names)
        return CheckAnswer(
            commands=[
                CommandPart(name=each.name, exists=bool(each.path), path=each.path, permitted=each.permitted)
                for each in found
            ]
        )
