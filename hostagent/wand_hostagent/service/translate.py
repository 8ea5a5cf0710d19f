"""Messages of the wire read into values, and values made into messages: jobs and what becomes of them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from wand_hostagent.filesystem.model import Search
from wand_hostagent.launcher.spelling import show
from wand_hostagent.model import Event, Exited, Input, Job, Limits, Output, Reason, Size, Started
from wand_hostagent.positions import Counts
from wand_hostagent.runs import Fed, JobSummary, OutputPart, Readable, StreamName
from wand_hostagent.service import fields, translate_files
from wand_proto.errors import Invalid, WandError
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1 import types_pb2 as words

MOST_WORDS = 1024
MOST_WORD_BYTES = 64 * 1024
MOST_VARIABLES = 1024
MOST_ARGUMENT_BYTES = 128 * 1024  # argv and environment together: they travel to the launcher in one datagram
MOST_STDIN_BYTES = 1024 * 1024
MOST_READ_BYTES = 1024 * 1024
DEFAULT_READ_BYTES = 64 * 1024
MOST_SECONDS = 1e9
DEFAULT_SIZE = (80, 24)
MOST_SIZE = 1000
MOST_WATCHED_SECONDS = 60.0
MOST_SIGNAL = 64  # SIGRTMAX, signal(7)

STREAMS: Mapping[int, StreamName] = {wire.STREAM_STDOUT: "stdout", wire.STREAM_STDERR: "stderr"}
_READABLE: Mapping[int, Readable] = {**STREAMS, wire.STREAM_TIMES: "times"}
_STREAM_NUMBERS = {"stdout": wire.STREAM_STDOUT, "stderr": wire.STREAM_STDERR}
_REASONS = {reason: wire.Reason.Value(f"REASON_{reason.name}") for reason in Reason}


# -- from the wire ---------------------------------------------------------------------------------------


def job_from_wire(untrusted: wire.RunRequest, job: str) -> Job:
    """Read a request into a Job of that id, or raise Invalid naming the field that is wrong."""
    argv, shell = _form(untrusted)
    environment = _environment(untrusted.environment)
    size = _argument_bytes(argv) + _argument_bytes(environment) + _argument_bytes(environment.values())
    if size > MOST_ARGUMENT_BYTES:
        raise Invalid(
            f"and the environment have {size} bytes together; the most is {MOST_ARGUMENT_BYTES}",
            field="shell" if shell else "argv",
            hint="pass long input as stdin, or write it to a file first",
        )
    return Job(
        id=job,
        argv=argv,
        shell=shell,
        directory=fields.spelled(untrusted.directory, "directory", empty=True),
        environment=environment,
        stdin=fields.blob(untrusted.stdin, "stdin", most_bytes=MOST_STDIN_BYTES),
        limits=limits_from_wire(untrusted.limits),
        profile=fields.name(untrusted.profile, "profile", empty=True),
        backend=fields.backend(untrusted.backend, "backend", empty=True),
        detached=untrusted.detached,
        terminal=size_from_wire(untrusted.terminal, "terminal") if untrusted.HasField("terminal") else None,
        stdin_open=untrusted.stdin_open,
    )


def _argument_bytes(words: Iterable[str]) -> int:
    """What words take as a program is given them, a NUL behind each."""
    return sum([len(word if word.isascii() else word.encode()) + 1 for word in words])


def _form(untrusted: wire.RunRequest) -> tuple[tuple[str, ...], bool]:
    form = untrusted.WhichOneof("form")
    if form is None:
        raise Invalid("is missing: give argv.words, or shell", field="argv")
    if form == "shell":
        return shell_from_wire(untrusted.shell), True
    return words_from_wire(untrusted.argv.words, "argv.words"), False


def shell_from_wire(untrusted: str) -> tuple[str, ...]:
    """Read shell text as the only word of a job."""
    if not untrusted.strip():
        raise Invalid("must hold a command", field="shell")
    return (fields.text(untrusted, "shell", most_bytes=MOST_WORD_BYTES),)


def words_from_wire(untrusted: Sequence[str], field: str) -> tuple[str, ...]:
    """Read the words of one program's call."""
    if not 1 <= len(untrusted) <= MOST_WORDS:
        raise Invalid(f"has {len(untrusted)} words; it must have from 1 to {MOST_WORDS}", field=field)
    words = tuple(untrusted)
    for place, word in enumerate(words):
        try:
            fields.text(word, field, most_bytes=MOST_WORD_BYTES, empty=place > 0)
        except Invalid as error:
            error.field = f"{field}[{place}]"
            raise
    return words


def _environment(untrusted: Mapping[str, str]) -> dict[str, str]:
    if not untrusted:
        return {}
    if len(untrusted) > MOST_VARIABLES:
        raise Invalid(f"has {len(untrusted)} variables; the most is {MOST_VARIABLES}", field="environment")
    return {_variable(name): _value(name, value) for name, value in sorted(untrusted.items())}


def _variable(untrusted: str) -> str:
    if not untrusted or "=" in untrusted:
        raise Invalid(f"{untrusted[:64]!r} names no variable: empty, or with a =", field="environment")
    return fields.text(untrusted, "environment", most_bytes=256)


def _value(name: str, untrusted: str) -> str:
    return fields.text(untrusted, f"environment[{name}]", most_bytes=MOST_WORD_BYTES)


def limits_from_wire(untrusted: words.Limits) -> Limits:
    """Read the limits that a caller wishes; an absent one stays None."""
    return _limits(tuple([(field.name, value) for field, value in untrusted.ListFields()]))


@lru_cache(maxsize=256)  # they are few, and come with every job
def _limits(untrusted: tuple[tuple[str, float], ...]) -> Limits:
    return Limits(**{name: _limit(name, value) for name, value in untrusted})


def _limit(name: str, untrusted: float) -> Any:
    field = f"limits.{name}"
    if name.endswith("_seconds"):
        return fields.seconds(untrusted, field, most=MOST_SECONDS)
    return fields.whole(int(untrusted), field, least=1)


def size_from_wire(untrusted: wire.Terminal, field: str) -> Size:
    """Read the size of a terminal; what is not said is as people have always had it."""
    columns = fields.whole(untrusted.columns or DEFAULT_SIZE[0], f"{field}.columns", most=MOST_SIZE)
    return columns, fields.whole(untrusted.rows or DEFAULT_SIZE[1], f"{field}.rows", most=MOST_SIZE)


def _new_size(untrusted: wire.Terminal) -> Size:
    """Read another size of a terminal that has one already: nothing can be left unsaid."""
    columns = fields.whole(untrusted.columns, "resize.columns", least=1, most=MOST_SIZE)
    return columns, fields.whole(untrusted.rows, "resize.rows", least=1, most=MOST_SIZE)


def feed_from_wire(untrusted: wire.FeedRequest) -> tuple[str, Input]:
    """Read which job is given what."""
    given = Input(
        resize=_new_size(untrusted.resize) if untrusted.HasField("resize") else None,
        data=fields.blob(untrusted.data, "data", most_bytes=MOST_STDIN_BYTES),
        interrupt=untrusted.interrupt,
        end=untrusted.end,
    )
    return fields.name(untrusted.job, "job"), given


def attach_from_wire(untrusted: wire.AttachRequest) -> tuple[str, int, int]:
    """Read which job to follow, and from which offsets of stdout and stderr."""
    return (
        fields.name(untrusted.job, "job"),
        fields.whole(untrusted.stdout_offset, "stdout_offset"),
        fields.whole(untrusted.stderr_offset, "stderr_offset"),
    )


def wait_from_wire(untrusted: wire.WaitRequest) -> str:
    """Read which job is waited for."""
    return fields.name(untrusted.job, "job")


def signal_from_wire(untrusted: wire.SignalRequest) -> tuple[str, int]:
    """Read which job is to get which signal."""
    return fields.name(untrusted.job, "job"), fields.whole(
        untrusted.signal, "signal", least=1, most=MOST_SIGNAL
    )


def reading_from_wire(untrusted: wire.ReadOutputRequest) -> tuple[str, Readable, int, int]:
    """Read which job's stream is wanted, from which offset, and how much of it."""
    most = fields.whole(untrusted.max_bytes, "max_bytes", most=MOST_READ_BYTES)
    return (
        fields.name(untrusted.job, "job"),
        fields.chosen(untrusted.stream, "stream", _READABLE),
        fields.whole(untrusted.offset, "offset"),
        most or DEFAULT_READ_BYTES,
    )


def watch_from_wire(untrusted: wire.WatchRequest) -> tuple[str, Counts, float]:
    """Read which job is watched, what is known of it, and for how long."""
    known = (
        fields.whole(untrusted.stdout_bytes, "stdout_bytes"),
        fields.whole(untrusted.stderr_bytes, "stderr_bytes"),
    )
    seconds = fields.seconds(untrusted.wait_seconds, "wait_seconds", most=MOST_WATCHED_SECONDS)
    return fields.name(untrusted.job, "job"), known, seconds


def searching_from_wire(untrusted: wire.SearchOutputRequest) -> tuple[str, StreamName, int, Search]:
    """Read in which job's stream to look, from which offset, for what."""
    wanted = translate_files.search_from_wire(untrusted.search)
    if not wanted.pattern:
        raise Invalid("must not be empty", field="search.pattern")
    return (
        fields.name(untrusted.job, "job"),
        fields.chosen(untrusted.stream, "stream", STREAMS),
        fields.whole(untrusted.offset, "offset"),
        wanted,
    )


def listing_from_wire(untrusted: wire.ListJobsRequest) -> str:
    """Read which job is wanted; empty for all."""
    return fields.name(untrusted.job, "job", empty=True)


# -- to the wire -----------------------------------------------------------------------------------------


def event_to_wire(event: Event) -> wire.Event:
    message = wire.Event()
    _fill(message, event)
    return message


def fill_event(call: int, event: Event, into: wire.CallEvent) -> None:
    """Write an event of a call into its place in a message."""
    into.call = call
    _fill(into.event, event)


def fill_end(call: int, error: WandError | None, untouched: bool, into: wire.CallEvent) -> None:  # noqa: FBT001
    """Write the end of a call, and what went wrong, into its place in a message."""
    into.call = call
    into.end.untouched = untouched
    if error is not None:
        failure = into.end.failure
        failure.kind, failure.message = type(error).__name__, error.message
        failure.hint, failure.field = error.hint, error.field


def _fill(into: wire.Event, event: Event) -> None:
    match event:
        case Started():
            _fill_started(into.started, event)
        case Output():
            output = into.output
            output.stream, output.offset = _STREAM_NUMBERS[event.stream], event.offset
            output.data = event.data
        case Exited():
            _fill_exited(into.exited, event)


def _fill_started(into: wire.Started, started: Started) -> None:
    into.job, into.backend, into.profile = started.job, started.backend, started.profile
    into.rule, into.directory = started.rule, show(started.directory)
    into.limits.MergeFrom(limits_to_wire(started.limits))


def _fill_exited(into: wire.Exited, exited: Exited) -> None:
    into.job, into.reason = exited.job, _REASONS[exited.reason]
    into.exit_code, into.signal = exited.exit_code, exited.signal
    into.wall_seconds, into.cpu_seconds = exited.wall_seconds, exited.cpu_seconds
    into.peak_memory_bytes = exited.peak_memory_bytes
    into.stdout_bytes, into.stderr_bytes = exited.stdout_bytes, exited.stderr_bytes
    if exited.also:
        into.also.extend([_REASONS[reason] for reason in exited.also])


def exited_to_wire(exited: Exited) -> wire.Exited:
    message = wire.Exited()
    _fill_exited(message, exited)
    return message


def fed_to_wire(fed: Fed) -> wire.FeedReply:
    return wire.FeedReply(running=fed.running, stdout_bytes=fed.before[0], stderr_bytes=fed.before[1])


def part_to_wire(part: OutputPart) -> wire.ReadOutputReply:
    return wire.ReadOutputReply(
        data=part.data, offset=part.offset, total_bytes=part.total_bytes, running=part.running
    )


def jobs_to_wire(jobs: Iterable[JobSummary]) -> wire.ListJobsReply:
    return wire.ListJobsReply(jobs=map(_summary_to_wire, jobs))


def _summary_to_wire(job: JobSummary) -> wire.JobSummary:
    return wire.JobSummary(
        job=job.job,
        backend=job.backend,
        profile=job.profile,
        argv=job.argv,
        started_unix_seconds=job.started_unix_seconds,
        running=job.running,
        exited=exited_to_wire(job.exited) if job.exited else None,
        stdout_bytes=job.written[0],
        stderr_bytes=job.written[1],
        terminal=wire.Terminal(columns=job.terminal[0], rows=job.terminal[1]) if job.terminal else None,
    )


@lru_cache(maxsize=256)  # they are few, and what comes out is copied into the message that holds it
def limits_to_wire(limits: Limits) -> words.Limits:
    return words.Limits(**cast("Any", limits.named()))
