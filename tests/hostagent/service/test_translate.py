"""What may stand in a request for a job, one case a line."""

import math
import os
from typing import Any

import pytest

from wand_hostagent.model import Exited, Limits, Output, Reason, Started
from wand_hostagent.service import translate
from wand_proto.errors import Invalid
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1 import types_pb2 as words


def run(*argv: str, **fields: Any) -> wire.RunRequest:
    return wire.RunRequest(argv=wire.Argv(words=argv or ["true"]), **fields)


def limited(**limits: Any) -> wire.RunRequest:
    return run(limits=words.Limits(**limits))


KIB = 1024
REFUSED = [
    (wire.RunRequest(), "argv"),
    (wire.RunRequest(argv=wire.Argv()), "argv.words"),
    (run(""), "argv.words[0]"),
    (run("echo", "a\0b"), "argv.words[1]"),
    (run("echo", "x" * (64 * KIB + 1)), "argv.words[1]"),
    (run(*["x"] * 1025), "argv.words"),
    (run("echo", *["x" * 60 * KIB] * 3), "argv"),
    (run(environment={f"V{place}": "x" * 60 * KIB for place in range(3)}), "argv"),
    (wire.RunRequest(shell=""), "shell"),
    (wire.RunRequest(shell=" \n"), "shell"),
    (wire.RunRequest(shell="echo \0"), "shell"),
    (wire.RunRequest(shell="x" * (64 * KIB + 1)), "shell"),
    (run(directory="/tmp\0"), "directory"),
    (run(directory="/" * 4096), "directory"),
    (run(environment={"": "x"}), "environment"),
    (run(environment={"A=B": "x"}), "environment"),
    (run(environment={"A\0": "x"}), "environment"),
    (run(environment={"A": "\0"}), "environment[A]"),
    (run(environment={f"V{place}": "" for place in range(1025)}), "environment"),
    (run(stdin=bytes(KIB * KIB + 1)), "stdin"),
    (run(profile="../root"), "profile"),
    (run(profile="x" * 129), "profile"),
    (run(backend="native;"), "backend"),
    (limited(wall_seconds=0), "limits.wall_seconds"),
    (limited(wall_seconds=-1), "limits.wall_seconds"),
    (limited(wall_seconds=math.nan), "limits.wall_seconds"),
    (limited(wall_seconds=math.inf), "limits.wall_seconds"),
    (limited(wall_seconds=1e300), "limits.wall_seconds"),
    (limited(cpu_seconds=-math.inf), "limits.cpu_seconds"),
    (limited(memory_bytes=0), "limits.memory_bytes"),
    (limited(memory_bytes=2**63), "limits.memory_bytes"),
    (limited(processes=0), "limits.processes"),
    (limited(open_files=0), "limits.open_files"),
    (limited(file_size_bytes=0), "limits.file_size_bytes"),
    (limited(output_bytes=0), "limits.output_bytes"),
]


@pytest.mark.parametrize(("untrusted", "field"), REFUSED)
def test_a_request_that_cannot_be_a_job_is_refused_by_its_field(
    untrusted: wire.RunRequest, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        translate.job_from_wire(untrusted, "1")

    assert refused.value.field == field
    assert refused.value.message


def test_a_request_becomes_a_job_with_nothing_lost() -> None:
    request = run("echo", "", "ü", directory="src", stdin=b"\0\xff", profile="developer", backend="native")
    request.environment["CI"] = "1"
    request.limits.wall_seconds = 2.5
    request.limits.memory_bytes = 2**63 - 1
    request.detached = True

    job = translate.job_from_wire(request, "1f")

    assert (job.id, job.argv, job.shell, job.directory) == ("1f", ("echo", "", "ü"), False, "src")
    assert (job.environment, job.stdin) == ({"CI": "1"}, b"\0\xff")
    assert (job.profile, job.backend, job.detached) == ("developer", "native", True)
    assert job.limits == Limits(wall_seconds=2.5, memory_bytes=2**63 - 1)


def test_shell_text_is_the_only_word_of_its_job() -> None:
    job = translate.job_from_wire(wire.RunRequest(shell="echo a | wc -l"), "1")

    assert (job.argv, job.shell) == (("echo a | wc -l",), True)


@pytest.mark.parametrize(
    ("untrusted", "field"),
    [
        (wire.ReadOutputRequest(job="", stream=wire.STREAM_STDOUT), "job"),
        (wire.ReadOutputRequest(job="../x", stream=wire.STREAM_STDOUT), "job"),
        (wire.ReadOutputRequest(job="1"), "stream"),
        (wire.ReadOutputRequest(job="1", stream=7), "stream"),  # type: ignore[arg-type] # unknown on purpose
        (wire.ReadOutputRequest(job="1", stream=wire.STREAM_STDERR, offset=2**63), "offset"),
        (wire.ReadOutputRequest(job="1", stream=wire.STREAM_STDERR, max_bytes=KIB * KIB + 1), "max_bytes"),
    ],
)
def test_a_reading_that_makes_no_sense_is_refused_by_its_field(
    untrusted: wire.ReadOutputRequest, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        translate.reading_from_wire(untrusted)

    assert refused.value.field == field


def test_a_reading_without_a_size_gets_64_kib() -> None:
    request = wire.ReadOutputRequest(job="1", stream=wire.STREAM_STDERR, offset=7)

    assert translate.reading_from_wire(request) == ("1", "stderr", 7, 64 * KIB)


@pytest.mark.parametrize("signal", [-1, 0, 65])
def test_a_number_that_is_no_signal_is_refused(signal: int) -> None:
    with pytest.raises(Invalid) as refused:
        translate.signal_from_wire(wire.SignalRequest(job="1", signal=signal))

    assert refused.value.field == "signal"


@pytest.mark.parametrize(
    ("untrusted", "field"),
    [
        (wire.FeedRequest(data=b"x"), "job"),
        (wire.FeedRequest(job="1", data=bytes(KIB * KIB + 1)), "data"),
        (wire.FeedRequest(job="1", resize=wire.Terminal(columns=1001)), "resize.columns"),
        (wire.FeedRequest(job="1", resize=wire.Terminal(columns=1, rows=2**31)), "resize.rows"),
        (wire.FeedRequest(job="1", resize=wire.Terminal(rows=24)), "resize.columns"),
        (wire.FeedRequest(job="1", resize=wire.Terminal(columns=80)), "resize.rows"),
    ],
)
def test_input_that_makes_no_sense_is_refused_by_its_field(untrusted: wire.FeedRequest, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        translate.feed_from_wire(untrusted)

    assert refused.value.field == field


def test_a_terminal_has_the_size_that_is_asked_or_80_by_24() -> None:
    sizes = [wire.Terminal(), wire.Terminal(columns=132), wire.Terminal(columns=1, rows=1)]
    jobs = [translate.job_from_wire(wire.RunRequest(shell="x", terminal=size), "1") for size in sizes]

    assert [job.terminal for job in jobs] == [(80, 24), (132, 24), (1, 1)]
    assert translate.job_from_wire(wire.RunRequest(shell="x"), "1").terminal is None


@pytest.mark.parametrize("offset", ["stdout_offset", "stderr_offset"])
def test_an_offset_that_no_file_can_have_is_refused(offset: str) -> None:
    request = wire.AttachRequest(job="1")
    setattr(request, offset, 2**64 - 1)

    with pytest.raises(Invalid) as refused:
        translate.attach_from_wire(request)

    assert refused.value.field == offset


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_number_on_the_wire(reason: Reason) -> None:
    sent = translate.exited_to_wire(Exited(job="1", reason=reason))

    assert wire.Reason.Name(sent.reason) == f"REASON_{reason.name}"


def test_started_tells_the_limits_that_were_granted_and_no_others() -> None:
    started = Started(
        job="1", backend="native", profile="p", rule="r", limits=Limits(processes=3), directory="/srv"
    )

    sent = translate.event_to_wire(started).started

    assert (sent.job, sent.backend, sent.profile, sent.rule, sent.directory) == (
        "1",
        "native",
        "p",
        "r",
        "/srv",
    )
    assert sent.limits.processes == 3
    assert not sent.limits.HasField("wall_seconds")


def test_a_folder_is_the_one_that_is_spelled_and_told_by_its_spelling() -> None:
    asked = translate.job_from_wire(run(directory="caf\\xe9/\\x5cxe9"), "1")
    told = Started(
        job="1", backend="native", profile="p", rule="r", limits=Limits(), directory=asked.directory
    )

    assert os.fsencode(asked.directory) == b"caf\xe9/\\xe9"
    assert translate.event_to_wire(told).started.directory == "caf\\xe9/\\x5cxe9"


def test_output_keeps_its_bytes_and_its_place() -> None:
    sent = translate.event_to_wire(Output(stream="stderr", data=b"\xff", offset=2**40)).output

    assert (sent.stream, sent.data, sent.offset) == (wire.STREAM_STDERR, b"\xff", 2**40)
