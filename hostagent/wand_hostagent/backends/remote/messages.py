"""Jobs written as messages for another host agent, and its events read."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from wand_hostagent.backends.remote.hosts import RemoteHost
from wand_hostagent.launcher.spelling import meant, show
from wand_hostagent.model import Event, Exited, Input, Job, Limits, Output, Reason, Started
from wand_hostagent.policy.model import Permit
from wand_proto.errors import Broken
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1 import types_pb2 as words

_STREAMS: Mapping[int, Literal["stdout", "stderr"]] = {
    wire.STREAM_STDOUT: "stdout",
    wire.STREAM_STDERR: "stderr",
}
_REASONS = {wire.Reason.Value(f"REASON_{reason.name}"): reason for reason in Reason}


def request(host: RemoteHost, permit: Permit, job: Job) -> wire.RunRequest:
    """What that host agent is asked: the job, within the limits that our own policy has set."""
    asked = wire.RunRequest(
        directory=show(job.directory),
        environment={**job.environment, **permit.environment},
        stdin=job.stdin,
        limits=words.Limits(**cast("Any", permit.limits.named())),
        profile=host.profile,
        backend=host.backend,
        detached=job.detached,
        stdin_open=job.stdin_open,
    )
    if job.shell:
        asked.shell = job.argv[0]
    else:
        asked.argv.words.extend(job.argv)
    if job.terminal is not None:
        asked.terminal.columns, asked.terminal.rows = job.terminal
    return asked


def feed(there: str, given: Input) -> wire.FeedRequest:
    """What a job is given to read."""
    asked = wire.FeedRequest(job=there, data=given.data, interrupt=given.interrupt, end=given.end)
    if given.resize is not None:
        asked.resize.columns, asked.resize.rows = given.resize
    return asked


def started(untrusted: wire.Started, job: str, backend: str, rule: str) -> Started:
    """That a job runs there, under our own name for it, by both rules."""
    return Started(
        job=job,
        backend=backend,
        profile=untrusted.profile,
        rule=f"{rule}, and there {untrusted.rule}",
        limits=Limits(**{one.name: value for one, value in untrusted.limits.ListFields()}),
        directory=meant(untrusted.directory),
    )


def event(untrusted: wire.Event, job: str) -> Event | None:
    """What a job that runs there has written, or how it ended; None for anything else.

    Raises:
        Broken: it says what we do not know.
    """
    match untrusted.WhichOneof("kind"):
        case "output":
            return _output(untrusted.output)
        case "exited":
            return _exited(untrusted.exited, job)
        case _:
            return None


def _output(untrusted: wire.Output) -> Output:
    stream = _STREAMS.get(untrusted.stream)
    if stream is None:
        raise Broken(f"the host agent there writes to a stream {untrusted.stream}")
    return Output(stream=stream, data=untrusted.data, offset=untrusted.offset)


def _exited(untrusted: wire.Exited, job: str) -> Exited:
    return Exited(
        job=job,
        reason=_REASONS.get(untrusted.reason, Reason.LOST),  # of a newer one: we cannot tell how
        exit_code=untrusted.exit_code,
        signal=untrusted.signal,
        wall_seconds=untrusted.wall_seconds,
        cpu_seconds=untrusted.cpu_seconds,
        peak_memory_bytes=untrusted.peak_memory_bytes,
        stdout_bytes=untrusted.stdout_bytes,
        stderr_bytes=untrusted.stderr_bytes,
        also=tuple(_REASONS[one] for one in untrusted.also if one in _REASONS),
    )
