"""The port `Host`, offered over the wire."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from grpc import aio

from wand_proto.v1 import execution_pb2, files_pb2, host_pb2
from wand_server import ports
from wand_server.hostlink import translate
from wand_server.hostlink.channel import Connection, Link
from wand_server.hostlink.failures import Effect, NeverSent, error_from, is_from_host_agent
from wand_server.hostlink.gathered import Kept
from wand_server.hostlink.running import Running
from wand_server.model import Call

AnyRequest = TypeVar("AnyRequest")
AnyReply = TypeVar("AnyReply")

ANSWER_SECONDS = 40.0  # clients give up on a call after 60, and some after 45
_MOST_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Way:
    """How long an answer may take, and what a question that breaks off may have done."""

    seconds: float
    effect: Effect = "none"


_QUICK, _LOOK, _CHANGE = _Way(15.0), _Way(42.0), _Way(42.0, "change")  # 45 s, and a call is answered
_RECORD = _Way(15.0, "change")  # asked again, it would stand in the ledger twice


@dataclass(slots=True, kw_only=True)
class HostClient:
    """The host behind a link; `default_wall_seconds` holds for commands that name no time limit.

    That and `kept` can be changed at any time; a command keeps what it began with.
    """

    link: Link
    default_wall_seconds: float = 300.0
    answer_seconds: float = ANSWER_SECONDS
    kept: Kept = field(default_factory=Kept)

    async def run(
        self, call: Call, command: ports.Command, on_output: ports.OnOutput | None = None
    ) -> ports.CommandOutcome:
        """Run a command to its end, or as far as it comes in time; cancelling this ends it."""
        wall_seconds = self.default_wall_seconds if command.wall_seconds is None else command.wall_seconds
        running = Running(self.link, call, on_output, self.kept)
        return await running.to_its_end(
            command, wall_seconds, None if call.may_last or call.task else self.answer_seconds
        )

    async def start(self, call: Call, command: ports.Command) -> ports.StartedJob:
        """Start a command and let it run on."""
        wall_seconds = self.default_wall_seconds if command.wall_seconds is None else command.wall_seconds
        return await Running(self.link, call, None, self.kept).to_its_start(command, wall_seconds)

    async def feed(self, call: Call, job: str, given: ports.Input) -> ports.Fed:
        """Give a running job something to read."""
        request = translate.feed_request(job, given)
        return translate.fed(await self._ask(call, lambda to: to.execution.Feed, request, _CHANGE))

    async def end_of(self, call: Call, job: str) -> ports.JobEnd:
        """How a job ended, once it has."""
        request = execution_pb2.WaitRequest(job=job)
        return translate.job_end(await self._ask(call, lambda to: to.execution.Wait, request, _LOOK))

    async def read_output(
        self, call: Call, job: str, stream: ports.Readable, part: tuple[int, int]
    ) -> ports.OutputPart:
        """What the job wrote to `stream`; `part` is (offset, most bytes)."""
        offset, most_bytes = part
        request = execution_pb2.ReadOutputRequest(
            job=job,
            stream=translate.STREAMS[stream],
            offset=offset,
            max_bytes=min(most_bytes, _MOST_READ_BYTES),
        )
        return translate.output_part(await self._ask(call, lambda to: to.execution.ReadOutput, request))

    async def watch(
        self, call: Call, job: str, known: tuple[int, int], wait_seconds: float
    ) -> tuple[tuple[int, int], bool]:
        """How much the job has written, once that is more than is known, and whether it runs."""
        request = execution_pb2.WatchRequest(
            job=job, stdout_bytes=known[0], stderr_bytes=known[1], wait_seconds=wait_seconds
        )
        reply = await self._ask(call, lambda to: to.execution.Watch, request, _LOOK)
        return (reply.stdout_bytes, reply.stderr_bytes), reply.running

    async def search_output(
        self, call: Call, job: str, stream: ports.StreamName, offset: int, search: ports.Search
    ) -> ports.Found:
        """The lines from `offset` on that match of what the job wrote."""
        request = execution_pb2.SearchOutputRequest(
            job=job,
            stream=translate.STREAMS[stream],
            offset=offset,
            search=translate.search_request(search),
        )
        return translate.found(await self._ask(call, lambda to: to.execution.SearchOutput, request, _LOOK))

    async def list_jobs(self, call: Call, job: str = "") -> tuple[ports.ListedJob, ...]:
        """The caller's jobs, running ones first; or the one of that name."""
        request = execution_pb2.ListJobsRequest(job=job)
        reply = await self._ask(call, lambda to: to.execution.ListJobs, request)
        return tuple(translate.listed_job(one, time.time()) for one in reply.jobs)

    async def signal(self, call: Call, job: str, number: int) -> bool:
        """Send a signal to all processes of a job; False where it has ended."""
        request = execution_pb2.SignalRequest(job=job, signal=number)
        reply = await self._ask(call, lambda to: to.execution.Signal, request, _CHANGE)
        return reply.running

    async def info(self, call: Call) -> ports.HostInfo:
        return translate.info(await self._ask(call, lambda to: to.host.Info, host_pb2.InfoRequest()))

    async def status(self, call: Call) -> ports.HostStatus:
        return translate.status(await self._ask(call, lambda to: to.host.Status, host_pb2.StatusRequest()))

    async def find_commands(self, call: Call, names: Sequence[str]) -> tuple[ports.FoundCommand, ...]:
        request = host_pb2.FindCommandRequest(names=names)
        return translate.found_commands(await self._ask(call, lambda to: to.host.FindCommand, request))

    async def audit(self, call: Call, before: int) -> tuple[str, ...]:
        """The last records of the ledger, or those before the one of that number, each a line of JSON."""
        request = host_pb2.AuditRequest(before=before)
        reply = await self._ask(call, lambda to: to.host.Audit, request)
        return tuple(reply.records)

    async def tell_refused(self, call: Call, refused: host_pb2.SignInsRefusedRequest) -> None:
        """Have it on record that the server let somebody not in."""
        await self._ask(call, lambda to: to.host.SignInsRefused, refused)

    async def tell_changed(self, call: Call, changed: host_pb2.ConfigChangedRequest) -> None:
        """Have it on record what the server is about to change of its configuration."""
        await self._ask(call, lambda to: to.host.ConfigChanged, changed, _RECORD)

    async def tell_operation(
        self, call: Call, told: host_pb2.OperationBeginsRequest | host_pb2.OperationEndsRequest
    ) -> None:
        """Have it on record that a service outside is about to be asked for something, or what came of it."""
        if isinstance(told, host_pb2.OperationBeginsRequest):
            await self._ask(call, lambda to: to.host.OperationBegins, told, _RECORD)
        else:
            await self._ask(call, lambda to: to.host.OperationEnds, told)

    async def read_file(self, call: Call, reading: ports.Reading) -> ports.FileRead:
        request = translate.read_request(reading)
        return translate.file_read(await self._ask(call, lambda to: to.files.Read, request, _LOOK))

    async def write_file(self, call: Call, writing: ports.Writing) -> ports.FileWritten:
        request = translate.write_request(writing)
        return translate.file_written(await self._ask(call, lambda to: to.files.Write, request, _CHANGE))

    async def edit_file(
        self, call: Call, path: str, replacements: Sequence[ports.Replacement], *, expected_sha256: str = ""
    ) -> ports.FileWritten:
        request = files_pb2.EditRequest(
            path=path, replacements=map(translate.replacement, replacements), expected_sha256=expected_sha256
        )
        return translate.file_written(await self._ask(call, lambda to: to.files.Edit, request, _CHANGE))

    async def list_directory(self, call: Call, wanted: ports.List) -> ports.Listing:
        request = translate.list_request(wanted)
        return translate.listing(await self._ask(call, lambda to: to.files.List, request, _LOOK))

    async def search_files(self, call: Call, search: ports.Search) -> ports.Found:
        request = translate.search_request(search)
        return translate.found(await self._ask(call, lambda to: to.files.Search, request, _LOOK))

    async def arrange(self, call: Call, arranging: ports.Arranging) -> ports.Arranged:
        """Move, copy, remove or restore."""
        what = translate.ARRANGEMENTS[arranging.what]
        request = files_pb2.ArrangeRequest(what=what, path=arranging.path, to=arranging.to)
        return translate.arranged(await self._ask(call, lambda to: to.files.Arrange, request, _CHANGE))

    async def _ask(
        self,
        call: Call,
        method: "Callable[[Connection], aio.UnaryUnaryMultiCallable[AnyRequest, AnyReply]]",
        request: AnyRequest,
        way: _Way = _QUICK,
    ) -> AnyReply:
        """Ask once, and once more where the question cannot have arrived."""

        def ask(to: Connection) -> Awaitable[AnyReply]:
            return method(to)(request, metadata=translate.metadata(call), timeout=way.seconds)

        try:
            return await self._ask_once(ask, way.effect)
        except NeverSent:
            try:
                return await self._ask_once(ask, way.effect)
            except NeverSent:
                raise self.link.unavailable() from None

    async def _ask_once(self, ask: Callable[[Connection], Awaitable[AnyReply]], effect: Effect) -> AnyReply:
        async with self.link.connection() as connection:
            try:
                return await ask(connection)
            except aio.AioRpcError as error:
                if not is_from_host_agent(error):
                    self.link.note_broken()
                raise error_from(error, effect) from error
