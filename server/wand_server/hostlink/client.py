"""The port `Host`, offered over the wire."""

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

AnyReply = TypeVar("AnyReply")

_QUICK_SECONDS = 15.0
_FILE_SECONDS = 60.0
_MOST_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HostClient:
    """The host behind a link; `default_wall_seconds` holds for commands that name no time limit."""

    link: Link
    default_wall_seconds: float = 300.0
    kept: Kept = field(default_factory=Kept)

    async def run(
        self, call: Call, command: ports.Command, on_output: ports.OnOutput | None = None
    ) -> ports.CommandOutcome:
        """Run a command to its end; cancelling this ends it, with all that it started."""
        wall_seconds = self.default_wall_seconds if command.wall_seconds is None else command.wall_seconds
        return await Running(self.link, call, on_output, self.kept).to_its_end(command, wall_seconds)

    async def read_output(
        self, call: Call, job: str, stream: ports.StreamName, part: tuple[int, int]
    ) -> ports.OutputPart:
        """What the job wrote to `stream`; `part` is (offset, most bytes)."""
        offset, most_bytes = part
        request = execution_pb2.ReadOutputRequest(
            job=job,
            stream=translate.STREAMS[stream],
            offset=offset,
            max_bytes=min(most_bytes, _MOST_READ_BYTES),
        )

        def ask(to: Connection) -> Awaitable[execution_pb2.ReadOutputReply]:
            return to.execution.ReadOutput(request, metadata=translate.metadata(call), timeout=_QUICK_SECONDS)

        return translate.output_part(await self._ask(ask))

    async def info(self, call: Call) -> ports.HostInfo:
        def ask(to: Connection) -> Awaitable[host_pb2.InfoReply]:
            return to.host.Info(
                host_pb2.InfoRequest(), metadata=translate.metadata(call), timeout=_QUICK_SECONDS
            )

        return translate.info(await self._ask(ask))

    async def status(self, call: Call) -> ports.HostStatus:
        def ask(to: Connection) -> Awaitable[host_pb2.StatusReply]:
            return to.host.Status(
                host_pb2.StatusRequest(), metadata=translate.metadata(call), timeout=_QUICK_SECONDS
            )

        return translate.status(await self._ask(ask))

    async def find_commands(self, call: Call, names: Sequence[str]) -> tuple[ports.FoundCommand, ...]:
        request = host_pb2.FindCommandRequest(names=names)

        def ask(to: Connection) -> Awaitable[host_pb2.FindCommandReply]:
            return to.host.FindCommand(request, metadata=translate.metadata(call), timeout=_QUICK_SECONDS)

        return translate.found_commands(await self._ask(ask))

    async def read_file(self, call: Call, reading: ports.Reading) -> ports.FileRead:
        request = translate.read_request(reading)

        def ask(to: Connection) -> Awaitable[files_pb2.ReadReply]:
            return to.files.Read(request, metadata=translate.metadata(call), timeout=_FILE_SECONDS)

        return translate.file_read(await self._ask(ask))

    async def write_file(self, call: Call, writing: ports.Writing) -> ports.FileWritten:
        request = translate.write_request(writing)

        def ask(to: Connection) -> Awaitable[files_pb2.WriteReply]:
            return to.files.Write(request, metadata=translate.metadata(call), timeout=_FILE_SECONDS)

        return translate.file_written(await self._ask(ask, "change"))

    async def edit_file(
        self, call: Call, path: str, replacements: Sequence[ports.Replacement], *, expected_sha256: str = ""
    ) -> ports.FileWritten:
        request = files_pb2.EditRequest(
            path=path, replacements=map(translate.replacement, replacements), expected_sha256=expected_sha256
        )

        def ask(to: Connection) -> Awaitable[files_pb2.WriteReply]:
            return to.files.Edit(request, metadata=translate.metadata(call), timeout=_FILE_SECONDS)

        return translate.file_written(await self._ask(ask, "change"))

    async def list_directory(self, call: Call, wanted: ports.List) -> ports.Listing:
        request = translate.list_request(wanted)

        def ask(to: Connection) -> Awaitable[files_pb2.ListReply]:
            return to.files.List(request, metadata=translate.metadata(call), timeout=_FILE_SECONDS)

        return translate.listing(await self._ask(ask))

    async def search_files(self, call: Call, search: ports.Search) -> ports.Found:
        request = translate.search_request(search)

        def ask(to: Connection) -> Awaitable[files_pb2.SearchReply]:
            return to.files.Search(request, metadata=translate.metadata(call), timeout=_FILE_SECONDS)

        return translate.found(await self._ask(ask))

    async def _ask(
        self, ask: Callable[[Connection], Awaitable[AnyReply]], effect: Effect = "none"
    ) -> AnyReply:
        """Ask once, and once more where the question cannot have arrived."""
        try:
            return await self._ask_once(ask, effect)
        except NeverSent:
            try:
                return await self._ask_once(ask, effect)
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
