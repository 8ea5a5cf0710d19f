"""The counter for questions about the host: wand.hostagent.v1.Host."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from wand_hostagent import hostinfo
from wand_hostagent.gate import Gate
from wand_hostagent.model import Job
from wand_hostagent.policy.model import Permit
from wand_hostagent.reports import ProfileReport, ProfilesReport
from wand_hostagent.service import fields
from wand_hostagent.service import translate_host as translate
from wand_hostagent.service.execution import new_id
from wand_hostagent.service.intercept import Context, caller
from wand_hostagent.switching import Switch
from wand_proto.errors import Exhausted, TimedOut, WandError
from wand_proto.v1 import host_pb2 as wire
from wand_proto.v1 import host_pb2_grpc

# ruff: noqa: N802, ARG002 - gRPC names the methods and hands each a context

DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
_LOOK_SECONDS = 10.0
_REFUSALS_SECONDS = 0.5  # between two messages: what a server gone mad could have recorded
_T = TypeVar("_T")
_NOTHING = ProfilesReport(profiles=(), guarantees=(), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the host agent knows of itself."""

    jobs_running: int
    jobs_ceiling: int
    launcher_up: bool


class Host(host_pb2_grpc.HostServicer):
    """Answers from the kernel, the launcher's profiles and the gate; without a launcher, with less."""

    def __init__(self, gate: Gate, facts: Callable[[], Facts], version: str, switch: Switch) -> None:
        self._switch = switch
        self._gate = gate
        self._facts = facts
        self._version = version
        self._meter = hostinfo.CpuMeter()
        self._next_refusals = 0.0

    async def Info(self, request: wire.InfoRequest, context: Context) -> wire.InfoReply:
        profile = self._profile(await self._profiles())
        info = await _aside(lambda: hostinfo.info(_path(profile)))
        return translate.info_to_wire(info, profile, self._version)

    async def Status(self, request: wire.StatusRequest, context: Context) -> wire.StatusReply:
        report = await self._profiles()
        profile = self._profile(report)
        folders = (profile.workspace, *profile.directories) if profile else ()
        reply = translate.status_to_wire(await _aside(lambda: hostinfo.status(folders, self._meter)))
        facts = self._facts()
        reply.jobs_running = facts.jobs_running
        reply.jobs_ceiling = facts.jobs_ceiling
        reply.launcher_up = facts.launcher_up
        reply.policy_digest = self._gate.policy_digest
        reply.backends.extend(translate.backends_to_wire(await self._switch.lately()).backends)
        reply.guarantees.extend(translate.guarantees_to_wire(report.guarantees))
        return reply

    async def FindCommand(self, request: wire.FindCommandRequest, context: Context) -> wire.FindCommandReply:
        names = translate.names_from_wire(request)
        path = _path(self._profile(await self._profiles()))
        places = await _aside(lambda: [hostinfo.find_command(name, path) for name in names])
        return wire.FindCommandReply(
            commands=[
                wire.FoundCommand(
                    name=name, path=place, permitted=bool(place) and self._permit(name) is not None
                )
                for name, place in zip(names, places, strict=True)
            ]
        )

    async def Explain(self, request: wire.ExplainRequest, context: Context) -> wire.ExplainReply:
        job = translate.question_from_wire(request, new_id())
        return translate.verdict_to_wire(self._gate.explain(caller(), job))

    async def Profiles(self, request: wire.ProfilesRequest, context: Context) -> wire.ProfilesReply:
        return translate.profiles_to_wire(await self._gate.profiles())

    async def Backends(self, request: wire.BackendsRequest, context: Context) -> wire.BackendsReply:
        return translate.backends_to_wire(await self._switch.report())

    async def SetDefaultBackend(
        self, request: wire.SetDefaultBackendRequest, context: Context
    ) -> wire.SetDefaultBackendReply:
        await self._switch.for_caller(caller(), fields.backend(request.name, "name"))
        return wire.SetDefaultBackendReply()

    async def Audit(self, request: wire.AuditRequest, context: Context) -> wire.AuditReply:
        return wire.AuditReply(records=await self._gate.audit(caller(), request.before))

    async def SignInsRefused(
        self, request: wire.SignInsRefusedRequest, context: Context
    ) -> wire.SignInsRefusedReply:
        now = time.monotonic()
        if now < self._next_refusals:
            raise Exhausted("refused sign-ins are told too often", hint=f"once in {_REFUSALS_SECONDS:g} s")
        self._next_refusals = now + _REFUSALS_SECONDS
        for told in translate.refusals_from_wire(request):
            self._gate.sign_in_refused(caller(), told)
        return wire.SignInsRefusedReply()

    async def ConfigChanged(
        self, request: wire.ConfigChangedRequest, context: Context
    ) -> wire.ConfigChangedReply:
        await self._gate.config_changed(caller(), translate.change_from_wire(request))
        return wire.ConfigChangedReply()

    async def OperationBegins(
        self, request: wire.OperationBeginsRequest, context: Context
    ) -> wire.OperationBeginsReply:
        await self._gate.operation_begins(caller(), translate.operation_from_wire(request))
        return wire.OperationBeginsReply()

    async def OperationEnds(
        self, request: wire.OperationEndsRequest, context: Context
    ) -> wire.OperationEndsReply:
        await self._gate.operation_ends(caller(), translate.operation_end_from_wire(request))
        return wire.OperationEndsReply()

    async def _profiles(self) -> ProfilesReport:
        try:
            return await self._gate.profiles()
        except WandError:
            return _NOTHING  # who asks how the host fares is told that the launcher is away

    def _profile(self, report: ProfilesReport) -> ProfileReport | None:
        """The profile in which this caller's commands run, as far as one command can tell."""
        permit = self._permit("true")
        return report.named(permit.profile if permit else "")

    def _permit(self, program: str) -> Permit | None:
        try:
            verdict = self._gate.explain(caller(), Job(id=new_id(), argv=(program,)))
        except WandError:  # a broken policy, or one that has it run where no backend is: nothing would run
            return None
        return verdict if isinstance(verdict, Permit) else None


async def _aside(look: Callable[[], _T]) -> _T:
    """What a look at the disk brings, in a thread: a file system that is away must not stop everybody."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            return await asyncio.to_thread(look)
    except TimeoutError:
        raise TimedOut(f"the host's disks did not answer within {_LOOK_SECONDS:g} s") from None


def _path(profile: ProfileReport | None) -> str:
    return profile.path if profile and profile.path else DEFAULT_PATH
