"""Messages of the wire read into values, and values made into messages: the host and its policy."""

import math
import re
from collections.abc import Iterable

from wand_hostagent.hostinfo import Info, Status
from wand_hostagent.model import Job
from wand_hostagent.policy.model import Answer, Permit, Question
from wand_hostagent.reports import Guarantee, ProfileReport, ProfilesReport
from wand_hostagent.service import fields
from wand_hostagent.service.translate import limits_to_wire, shell_from_wire, words_from_wire
from wand_hostagent.switching import BackendReport
from wand_proto.errors import Invalid
from wand_proto.v1 import host_pb2 as wire
from wand_proto.v1 import types_pb2 as words

MOST_NAMES = 64
MOST_TOLD = 256
_ACT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OPERATION = re.compile(
    r"[a-z][a-z0-9_]{1,31}(:[a-z0-9_-]{1,32})?\.[a-z][a-z0-9_]{0,63}(\.[a-z0-9][a-z0-9_-]{0,127}){0,2}"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


# -- from the wire ---------------------------------------------------------------------------------------


def names_from_wire(untrusted: wire.FindCommandRequest) -> tuple[str, ...]:
    """Read the names of programs to look for."""
    count = len(untrusted.names)
    if not 1 <= count <= MOST_NAMES:
        raise Invalid(f"has {count} entries; it must have from 1 to {MOST_NAMES}", field="names")
    return tuple(fields.path(name, f"names[{place}]") for place, name in enumerate(untrusted.names))


def question_from_wire(untrusted: wire.ExplainRequest, job: str) -> Job:
    """Read the job about which the policy is asked."""
    if bool(untrusted.argv) == bool(untrusted.shell):
        wrong = "both are given" if untrusted.shell else "neither is given"
        raise Invalid(f"{wrong}: ask about argv or about shell", field="argv")
    argv = shell_from_wire(untrusted.shell) if untrusted.shell else words_from_wire(untrusted.argv, "argv")
    directory = fields.spelled(untrusted.directory, "directory", empty=True)
    return Job(id=job, argv=argv, shell=bool(untrusted.shell), directory=directory)


def refusals_from_wire(untrusted: wire.SignInsRefusedRequest) -> list[dict[str, str | int]]:
    """Read the sign-ins that a server has refused."""
    count = len(untrusted.refused)
    if not 1 <= count <= MOST_NAMES:
        raise Invalid(f"has {count} entries; it must have from 1 to {MOST_NAMES}", field="refused")
    for one in untrusted.refused:
        if not (one.address + one.why).isprintable() or max(len(one.address), len(one.why)) > MOST_TOLD:
            raise Invalid(f"must be printable text, at most {MOST_TOLD} characters", field="refused")
    return [{"address": one.address, "why": one.why, "times": one.times} for one in untrusted.refused]


def change_from_wire(untrusted: wire.ConfigChangedRequest) -> dict[str, str | list[str]]:
    """Read what a server is about to change of its configuration."""
    changed = list(untrusted.changed)
    if not 1 <= len(changed) <= MOST_NAMES:
        raise Invalid(f"has {len(changed)} entries; it must have from 1 to {MOST_NAMES}", field="changed")
    digests = {"before": untrusted.before, "after": untrusted.after}
    told = {"by": untrusted.by, **(digests if any(digests.values()) else {})}
    for field, text in (*told.items(), *(("changed", one) for one in changed)):
        if not text or not text.isprintable() or len(text) > MOST_TOLD:
            raise Invalid(f"must be printable text, 1 to {MOST_TOLD} characters", field=field)
    return {**told, "changed": changed}


def operation_from_wire(untrusted: wire.OperationBeginsRequest) -> dict[str, str | bool]:
    """Read which operation of which service is about to be asked for."""
    if not _SHA256.fullmatch(untrusted.arguments_sha256):
        raise Invalid("must be a SHA-256 in hexadecimal", field="arguments_sha256")
    return {
        **_operation(untrusted.id, untrusted.operation),
        "arguments_sha256": untrusted.arguments_sha256,
        "read_only": untrusted.read_only,
    }


def operation_end_from_wire(untrusted: wire.OperationEndsRequest) -> dict[str, str | float]:
    """Read what came of an operation."""
    if not math.isfinite(untrusted.seconds) or untrusted.seconds < 0:
        raise Invalid("must be a number of seconds", field="seconds")
    told: dict[str, str | float] = {
        **_operation(untrusted.id, untrusted.operation),
        "seconds": round(untrusted.seconds, 3),
    }
    if untrusted.failure:
        told["failure"] = untrusted.failure[:MOST_TOLD]
        told["message"] = untrusted.message[:MOST_TOLD]
    return told


def _operation(untrusted_id: str, untrusted_name: str) -> dict[str, str]:
    if not _ACT.fullmatch(untrusted_id):
        raise Invalid("must be 1 to 64 of A-Z a-z 0-9 _ -", field="id")
    if not _OPERATION.fullmatch(untrusted_name):
        said = "must be SERVICE.OPERATION or SERVICE:INSTANCE.OPERATION, and may say more after another dot"
        raise Invalid(said, field="operation")
    return {"act": untrusted_id, "operation": untrusted_name}


# -- to the wire -----------------------------------------------------------------------------------------


def backends_to_wire(reports: Iterable[BackendReport]) -> wire.BackendsReply:
    return wire.BackendsReply(
        backends=[
            wire.BackendSummary(
                name=one.name, labels=one.labels, up=one.up, detail=one.detail, default=one.is_default
            )
            for one in reports
        ]
    )


def info_to_wire(info: Info, profile: ProfileReport | None, version: str) -> wire.InfoReply:
    return wire.InfoReply(
        hostname=info.hostname,
        os_name=info.os_name,
        kernel=info.kernel,
        architecture=info.architecture,
        cpus=info.cpus,
        memory_bytes=info.memory_bytes,
        boot_unix_seconds=info.boot_unix_seconds,
        timezone=info.timezone,
        workspace=profile.workspace if profile else "",
        run_as=profile.run_as if profile else "",
        version=version,
        shells=info.shells,
    )


def status_to_wire(status: Status) -> wire.StatusReply:
    """What the kernel says; what the host agent knows of itself is filled in by who serves the call."""
    return wire.StatusReply(
        load_1m=status.load[0],
        load_5m=status.load[1],
        load_15m=status.load[2],
        cpu_percent=status.cpu_percent,
        memory_total_bytes=status.memory_total_bytes,
        memory_available_bytes=status.memory_available_bytes,
        swap_total_bytes=status.swap_total_bytes,
        swap_free_bytes=status.swap_free_bytes,
        disks=[
            wire.Disk(path=disk.path, total_bytes=disk.total_bytes, free_bytes=disk.free_bytes)
            for disk in status.disks
        ],
        uptime_seconds=status.uptime_seconds,
    )


def verdict_to_wire(verdict: Answer) -> wire.ExplainReply:
    if isinstance(verdict, Permit):
        message = f"permitted, with the profile {verdict.profile}" if verdict.profile else "permitted"
        return wire.ExplainReply(permitted=True, rule=verdict.rule, message=message)
    return wire.ExplainReply(
        permitted=False,
        rule=verdict.rule,
        source=verdict.source,
        message=verdict.message,
        hint="" if isinstance(verdict, Question) else verdict.hint,
    )


def profiles_to_wire(report: ProfilesReport) -> wire.ProfilesReply:
    guarantees = guarantees_to_wire(report.guarantees)
    profiles = [
        wire.ProfileSummary(
            name=profile.name,
            workspace=profile.workspace,
            run_as=profile.run_as,
            limits=limits_to_wire(profile.limits),
            guarantees=guarantees,
        )
        for profile in report.profiles
    ]
    return wire.ProfilesReply(profiles=profiles, default_profile=report.default)


def guarantees_to_wire(guarantees: Iterable[Guarantee]) -> list[words.Guarantee]:
    return [words.Guarantee(name=one.name, enforced=one.enforced, detail=one.detail) for one in guarantees]
