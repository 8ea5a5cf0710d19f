"""Values of the port made into messages of the wire, and messages read into values."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from wand_proto import context
from wand_proto.errors import Broken
from wand_proto.v1 import execution_pb2, files_pb2, host_pb2
from wand_server import ports
from wand_server.model import Call, Principal

Kind = Literal["file", "directory", "link", "other"]

STREAMS: Mapping[ports.Readable, execution_pb2.Stream.ValueType] = {
    "stdout": execution_pb2.STREAM_STDOUT,
    "stderr": execution_pb2.STREAM_STDERR,
    "times": execution_pb2.STREAM_TIMES,
}
STREAM_NAMES: Mapping[int, ports.StreamName] = {
    execution_pb2.STREAM_STDOUT: "stdout",
    execution_pb2.STREAM_STDERR: "stderr",
}
_REASONS: Mapping[int, ports.Reason] = {
    execution_pb2.REASON_EXITED: "exited",
    execution_pb2.REASON_SIGNALED: "signaled",
    execution_pb2.REASON_TIMED_OUT: "timed_out",
    execution_pb2.REASON_CANCELLED: "cancelled",
    execution_pb2.REASON_OUTPUT_LIMIT: "output_limit",
    execution_pb2.REASON_LOST: "lost",
    execution_pb2.REASON_OUT_OF_MEMORY: "out_of_memory",
    execution_pb2.REASON_PROCESS_LIMIT: "process_limit",
    execution_pb2.REASON_DISK_LIMIT: "disk_limit",
    execution_pb2.REASON_CPU_LIMIT: "cpu_limit",
    execution_pb2.REASON_FILE_SIZE_LIMIT: "file_size_limit",
}
_KINDS: Mapping[int, Kind] = {
    files_pb2.FILE_KIND_FILE: "file",
    files_pb2.FILE_KIND_DIRECTORY: "directory",
    files_pb2.FILE_KIND_LINK: "link",
    files_pb2.FILE_KIND_OTHER: "other",
}
ARRANGEMENTS = {
    "move": files_pb2.ARRANGEMENT_MOVE,
    "copy": files_pb2.ARRANGEMENT_COPY,
    "remove": files_pb2.ARRANGEMENT_REMOVE,
    "restore": files_pb2.ARRANGEMENT_RESTORE,
}
_MODES = {
    "create": files_pb2.WRITE_MODE_CREATE,
    "replace": files_pb2.WRITE_MODE_REPLACE,
    "append": files_pb2.WRITE_MODE_APPEND,
}


def metadata(call: Call) -> tuple[tuple[str, str | bytes], ...]:
    """Who asks, as metadata of a call."""
    of_this_call = context.of_request(call.request_id, call.traceparent, call.task)
    return _of_party(call.principal, call.client, call.agent, call.model) + of_this_call


@lru_cache(maxsize=1024)  # the same for each call of a client
def _of_party(
    principal: Principal, client: str, agent: str, model: str
) -> tuple[tuple[str, str | bytes], ...]:
    caller = context.Caller(
        principal=principal.name,
        request_id="",
        client=client,
        agent=agent,
        model=model,
        credential=principal.credential,
        on_behalf_of=principal.on_behalf_of,
        groups=principal.groups,
    )
    return context.to_metadata(caller)


def run_request(command: ports.Command, wall_seconds: float) -> execution_pb2.RunRequest:
    """A command to run for at most that long."""
    request = execution_pb2.RunRequest()  # filled in place: parts made and copied cost thrice as much
    request.directory, request.stdin = command.directory, command.stdin
    request.limits.wall_seconds = wall_seconds
    request.stdin_open, request.backend = command.stdin_open, command.backend
    if command.environment:
        request.environment.update(command.environment)
    if command.terminal is not None:
        request.terminal.columns, request.terminal.rows = command.terminal
    if command.shell:
        request.shell = command.shell
    else:
        request.argv.words.extend(command.argv)
    return request


def _terminal(size: ports.Size | None) -> execution_pb2.Terminal | None:
    return execution_pb2.Terminal(columns=size[0], rows=size[1]) if size is not None else None


def feed_request(job: str, given: ports.Input) -> execution_pb2.FeedRequest:
    return execution_pb2.FeedRequest(
        job=job,
        data=given.data,
        interrupt=given.interrupt,
        end=given.end,
        resize=_terminal(given.size),
    )


def fed(reply: execution_pb2.FeedReply) -> ports.Fed:
    return ports.Fed(running=reply.running, stdout_bytes=reply.stdout_bytes, stderr_bytes=reply.stderr_bytes)


def job_end(exited: execution_pb2.Exited) -> ports.JobEnd:
    why = reason(exited.reason)
    return ports.JobEnd(
        reason=why,
        exit_code=exited.exit_code if why == "exited" else None,
        signal=exited.signal or None,
    )


def reason(untrusted: int) -> ports.Reason:
    """Why a job ended."""
    found = _REASONS.get(untrusted)
    if found is None:
        raise Broken(f"the host agent gave a reason that is not known here: {untrusted}")
    return found


def listed_job(summary: execution_pb2.JobSummary, now_unix_seconds: float) -> ports.ListedJob:
    """A job in a list."""
    lasted = max(0.0, now_unix_seconds - summary.started_unix_seconds)
    return ports.ListedJob(
        job=summary.job,
        argv=tuple(summary.argv),
        backend=summary.backend,
        started_unix_seconds=summary.started_unix_seconds,
        wall_seconds=lasted if summary.running else summary.exited.wall_seconds,
        end=None if summary.running else job_end(summary.exited),
        stdout_bytes=summary.stdout_bytes,
        stderr_bytes=summary.stderr_bytes,
        terminal=(summary.terminal.columns, summary.terminal.rows) if summary.HasField("terminal") else None,
    )


def output_part(reply: execution_pb2.ReadOutputReply) -> ports.OutputPart:
    return ports.OutputPart(
        data=reply.data, offset=reply.offset, total_bytes=reply.total_bytes, running=reply.running
    )


def info(reply: host_pb2.InfoReply) -> ports.HostInfo:
    return ports.HostInfo(
        hostname=reply.hostname,
        os_name=reply.os_name,
        kernel=reply.kernel,
        architecture=reply.architecture,
        cpus=reply.cpus,
        memory_bytes=reply.memory_bytes,
        boot_unix_seconds=reply.boot_unix_seconds,
        timezone=reply.timezone,
        workspace=reply.workspace,
        run_as=reply.run_as,
        version=reply.version,
        shells=tuple(reply.shells),
    )


def status(reply: host_pb2.StatusReply) -> ports.HostStatus:
    return ports.HostStatus(
        load=(reply.load_1m, reply.load_5m, reply.load_15m),
        cpu_percent=reply.cpu_percent,
        memory_total_bytes=reply.memory_total_bytes,
        memory_available_bytes=reply.memory_available_bytes,
        swap_total_bytes=reply.swap_total_bytes,
        swap_free_bytes=reply.swap_free_bytes,
        disks=tuple(
            ports.Disk(path=disk.path, total_bytes=disk.total_bytes, free_bytes=disk.free_bytes)
            for disk in reply.disks
        ),
        uptime_seconds=reply.uptime_seconds,
        jobs_running=reply.jobs_running,
        jobs_ceiling=reply.jobs_ceiling,
        launcher_up=reply.launcher_up,
        policy_digest=reply.policy_digest,
        guarantees=tuple(
            ports.Guarantee(name=each.name, enforced=each.enforced, detail=each.detail)
            for each in reply.guarantees
        ),
        backends=tuple(map(_backend, reply.backends)),
    )


def _backend(summary: host_pb2.BackendSummary) -> str:
    """A backend in a line: its name, its labels, and what there is to say of it."""
    labels = [f"{name}={value}" for name, value in sorted(summary.labels.items())]
    marks = [*labels, *(["default"] if summary.default else []), *([] if summary.up else ["DOWN"])]
    return f"{summary.name} ({', '.join(marks)})" if marks else summary.name


def found_commands(reply: host_pb2.FindCommandReply) -> tuple[ports.FoundCommand, ...]:
    return tuple(
        ports.FoundCommand(name=each.name, path=each.path, permitted=each.permitted)
        for each in reply.commands
    )


def read_request(reading: ports.Reading) -> files_pb2.ReadRequest:
    return files_pb2.ReadRequest(
        path=reading.path,
        offset=reading.offset,
        max_bytes=reading.max_bytes,
        first_line=reading.first_line,
        max_lines=reading.max_lines,
        last_lines=reading.last_lines,
    )


def file_read(reply: files_pb2.ReadReply) -> ports.FileRead:
    return ports.FileRead(
        path=reply.path,
        data=reply.data,
        offset=reply.offset,
        total_bytes=reply.total_bytes,
        binary=reply.binary,
        sha256=reply.sha256,
        modified_unix_seconds=reply.modified_unix_seconds,
        first_line=reply.first_line,
        next_line=reply.next_line,
    )


def write_request(writing: ports.Writing) -> files_pb2.WriteRequest:
    return files_pb2.WriteRequest(
        path=writing.path,
        data=writing.content,
        mode=_MODES[writing.mode],
        expected_sha256=writing.expected_sha256,
        create_directories=writing.create_directories,
    )


def replacement(edit: ports.Replacement) -> files_pb2.Replacement:
    return files_pb2.Replacement(old_text=edit.old_text, new_text=edit.new_text, every=edit.every)


def file_written(reply: files_pb2.WriteReply) -> ports.FileWritten:
    return ports.FileWritten(
        path=reply.path,
        total_bytes=reply.total_bytes,
        sha256=reply.sha256,
        created=reply.created,
        diff=reply.diff,
    )


def list_request(wanted: ports.List) -> files_pb2.ListRequest:
    return files_pb2.ListRequest(
        path=wanted.path, depth=wanted.depth, max_entries=wanted.max_entries, hidden=wanted.hidden
    )


def listing(reply: files_pb2.ListReply) -> ports.Listing:
    return ports.Listing(
        path=reply.path, entries=tuple(map(_file_entry, reply.entries)), truncated=reply.truncated
    )


def _file_entry(entry: files_pb2.FileEntry) -> ports.FileEntry:
    return ports.FileEntry(
        path=entry.path,
        kind=_KINDS.get(entry.kind, "other"),
        bytes=entry.bytes,
        modified_unix_seconds=entry.modified_unix_seconds,
        mode=entry.mode,
        target=entry.target,
    )


def search_request(search: ports.Search) -> files_pb2.SearchRequest:
    return files_pb2.SearchRequest(
        path=search.path,
        pattern=search.pattern,
        literal=search.literal,
        ignore_case=search.ignore_case,
        name_glob=search.name_glob,
        max_matches=search.max_matches,
        context_lines=search.context_lines,
        hidden=search.hidden,
        skip=search.skip,
    )


def arranged(reply: files_pb2.ArrangeReply) -> ports.Arranged:
    return ports.Arranged(path=reply.path, to=reply.to, files=reply.files, total_bytes=reply.total_bytes)


def found(reply: files_pb2.SearchReply) -> ports.Found:
    return ports.Found(
        path=reply.path,
        matches=tuple(
            ports.Match(
                path=match.path,
                line=match.line,
                text=match.text,
                before=tuple(match.before),
                after=tuple(match.after),
            )
            for match in reply.matches
        ),
        truncated=reply.truncated,
        files_searched=reply.files_searched,
        files_skipped=reply.files_skipped,
    )
