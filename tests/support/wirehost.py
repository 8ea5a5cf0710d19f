"""A host agent of the wire alone: real certificates and a real socket, answers that a test has written."""

# ruff: noqa: N802 - the names of the .proto files

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grpc import StatusCode, aio

from support import certificates
from wand_hostagent.service import listen
from wand_proto import errors
from wand_proto.credentials import Identity
from wand_proto.v1 import (
    execution_pb2,
    execution_pb2_grpc,
    files_pb2,
    files_pb2_grpc,
    host_pb2,
    host_pb2_grpc,
)

Events = AsyncIterator[execution_pb2.Event]
Follow = Callable[[Any], Events]


def started(job: str = "j1") -> execution_pb2.Event:
    return execution_pb2.Event(started=execution_pb2.Started(job=job, directory="/work"))


def output(data: bytes, offset: int = 0, stream: str = "stdout") -> execution_pb2.Event:
    number = execution_pb2.STREAM_STDOUT if stream == "stdout" else execution_pb2.STREAM_STDERR
    return execution_pb2.Event(output=execution_pb2.Output(stream=number, data=data, offset=offset))


def exited(exit_code: int = 0, **more: Any) -> execution_pb2.Event:
    facts = {"job": "j1", "reason": execution_pb2.REASON_EXITED, "exit_code": exit_code, **more}
    return execution_pb2.Event(exited=execution_pb2.Exited(**facts))


def failure(error: errors.WandError) -> execution_pb2.Failure:
    return execution_pb2.Failure(
        kind=type(error).__name__, message=error.message, hint=error.hint, field=error.field
    )


async def _nothing(_: Any) -> Events:
    yield started()
    yield exited()


@dataclass
class WireHost(
    execution_pb2_grpc.ExecutionServicer, files_pb2_grpc.FilesServicer, host_pb2_grpc.HostServicer
):
    """Answers with what it was given; `asked` holds every request, `metadata` the last one's."""

    run: Follow = _nothing
    attach: Follow = _nothing
    replies: dict[str, Any] = field(default_factory=dict)
    error: errors.WandError | None = None
    asked: list[Any] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    taken_bytes: int = 0
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def _note(self, request: Any, context: Any) -> None:
        self.asked.append(request)
        self.metadata = dict(context.invocation_metadata())
        if self.error is not None:
            code = StatusCode[self.error.code]
            await context.abort(code, str(self.error), errors.to_metadata(self.error))

    async def _reply(self, request: Any, context: Any, default: Any) -> Any:
        await self._note(request, context)
        return self.replies.get(type(request).__name__, default)

    async def Run(self, request: Any, context: Any) -> Events:
        await self._note(request, context)
        try:
            async for event in self.run(request):
                yield event
        finally:
            self.ended.append("Run")

    async def Calls(self, _: Any, context: Any) -> None:  # type: ignore[override]  # it writes by itself
        async with asyncio.TaskGroup() as group:
            serving: dict[int, asyncio.Task[None]] = {}
            while (batch := await context.read()) is not aio.EOF:
                for message in batch.messages:
                    if message.HasField("opening"):
                        serving[message.call] = group.create_task(self._call(message, context))
                    elif message.HasField("cancel"):
                        serving[message.call].cancel()
                    else:
                        self.taken_bytes += message.taken_bytes

    async def _call(self, message: execution_pb2.CallMessage, context: Any) -> None:
        """A Run, by way of the stream."""
        self.asked.append(message.opening.run)
        said = message.opening.metadata.items()
        self.metadata = {key: value if key.endswith("-bin") else value.decode() for key, value in said}
        end = execution_pb2.CallEnd()
        try:
            if self.error is None:
                async for event in self.run(message.opening.run):
                    await self._say(context, call=message.call, event=event)
            else:
                end.failure.MergeFrom(failure(self.error))
            await self._say(context, call=message.call, end=end)
        finally:
            self.ended.append("Run")

    async def _say(self, context: Any, **event: Any) -> None:
        async with self.writing:
            await context.write(execution_pb2.CallEvents(events=[execution_pb2.CallEvent(**event)]))

    async def Attach(self, request: Any, context: Any) -> Events:
        await self._note(request, context)
        async for event in self.attach(request):
            yield event

    async def Feed(self, request: Any, context: Any) -> Any:
        fed = execution_pb2.FeedReply(running=True, stdout_bytes=7, stderr_bytes=0)
        return await self._reply(request, context, fed)

    async def Signal(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, execution_pb2.SignalReply(running=True))

    async def Wait(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, execution_pb2.Exited())

    async def ReadOutput(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, execution_pb2.ReadOutputReply())

    async def Watch(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, execution_pb2.WatchReply())

    async def SearchOutput(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, files_pb2.SearchReply())

    async def ListJobs(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, execution_pb2.ListJobsReply())

    async def Read(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, files_pb2.ReadReply())

    async def Write(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, files_pb2.WriteReply())

    async def Edit(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, files_pb2.WriteReply())

    async def List(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, files_pb2.ListReply())

    async def Search(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, files_pb2.SearchReply())

    async def Arrange(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, files_pb2.ArrangeReply())

    async def Info(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, host_pb2.InfoReply(hostname="box"))

    async def Status(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, host_pb2.StatusReply(launcher_up=True))

    async def FindCommand(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, host_pb2.FindCommandReply())

    async def Explain(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, host_pb2.ExplainReply())

    async def Profiles(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, host_pb2.ProfilesReply())

    async def SignInsRefused(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, host_pb2.SignInsRefusedReply())

    async def ConfigChanged(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, host_pb2.ConfigChangedReply())

    async def OperationBegins(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, host_pb2.OperationBeginsReply())

    async def OperationEnds(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, host_pb2.OperationEndsReply())

    async def Backends(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, host_pb2.BackendsReply())

    async def SetDefaultBackend(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, host_pb2.SetDefaultBackendReply())

    async def Audit(self, request: Any, context: Any) -> Any:
        return await self._reply(request, context, host_pb2.AuditReply(records=['{"seq":1}']))


def address(folder: Path) -> str:
    return f"unix:{folder}/agent.sock"


@asynccontextmanager
async def serving(host: WireHost, folder: Path) -> AsyncIterator[Identity]:
    """Serve it at `address(folder)`; the identity by which a server may call it."""
    theirs, ours = certificates.good(folder)
    server = aio.server()
    execution_pb2_grpc.add_ExecutionServicer_to_server(host, server)
    files_pb2_grpc.add_FilesServicer_to_server(host, server)
    host_pb2_grpc.add_HostServicer_to_server(host, server)
    server.add_secure_port(address(folder), listen.credentials_of(theirs))
    await server.start()
    try:
        yield ours
    finally:
        await server.stop(0)
