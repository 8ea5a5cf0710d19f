"""The counter for jobs: wand.hostagent.v1.Execution."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from wand_hostagent.gate import Gate
from wand_hostagent.service import translate, translate_files
from wand_hostagent.service.calls import CallStream
from wand_hostagent.service.intercept import Context, caller, peer
from wand_proto.context import new_request_id
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1 import execution_pb2_grpc
from wand_proto.v1 import files_pb2 as files

# ruff: noqa: N802, ARG002 - gRPC names the methods and hands each a context


def new_id() -> str:
    """An id that no other job or act has: 16 hexadecimal digits, drawn as those of requests are."""
    return new_request_id()


STREAM_SECONDS = 720.0  # above the age at which `listen.OPTIONS` lets go of a connection, jitter and all


class Execution(execution_pb2_grpc.ExecutionServicer):
    """Hands each request to the gate; a caller that goes away closes the stream, and so ends its job."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._streams: set[CallStream] = set()

    def leave(self) -> None:
        """Take no more calls on the streams that are open; they end when those that run have ended."""
        for stream in self._streams:
            stream.leave()

    async def Run(self, request: wire.RunRequest, context: Context) -> AsyncIterator[wire.Event]:
        job = translate.job_from_wire(request, new_id())
        async with aclosing(self._gate.run(caller(), job)) as events:
            async for event in events:
                yield translate.event_to_wire(event)

    async def Calls(  # type: ignore[override]  # it reads and writes by itself
        self, request_iterator: object, context: Context
    ) -> None:
        stream = CallStream(self._gate, peer(), new_id)
        self._streams.add(stream)
        aged = asyncio.get_running_loop().call_later(STREAM_SECONDS, stream.leave)
        try:
            await stream.serve(context)
        finally:
            aged.cancel()
            self._streams.discard(stream)

    async def Attach(self, request: wire.AttachRequest, context: Context) -> AsyncIterator[wire.Event]:
        job, stdout_offset, stderr_offset = translate.attach_from_wire(request)
        async with aclosing(self._gate.attach(caller(), job, stdout_offset, stderr_offset)) as events:
            async for event in events:
                yield translate.event_to_wire(event)

    async def Feed(self, request: wire.FeedRequest, context: Context) -> wire.FeedReply:
        job, given = translate.feed_from_wire(request)
        if request.alone:
            self._gate.leave_alone(caller(), job)
        return translate.fed_to_wire(await self._gate.feed(caller(), job, given))

    async def Signal(self, request: wire.SignalRequest, context: Context) -> wire.SignalReply:
        job, signal = translate.signal_from_wire(request)
        return wire.SignalReply(running=await self._gate.signal(caller(), job, signal))

    async def Wait(self, request: wire.WaitRequest, context: Context) -> wire.Exited:
        job = translate.wait_from_wire(request)
        return translate.exited_to_wire(await self._gate.wait(caller(), job))

    async def ReadOutput(self, request: wire.ReadOutputRequest, context: Context) -> wire.ReadOutputReply:
        job, stream, offset, most = translate.reading_from_wire(request)
        part = await self._gate.read_output(caller(), job, stream, offset, most)
        return translate.part_to_wire(part)

    async def Watch(self, request: wire.WatchRequest, context: Context) -> wire.WatchReply:
        job, known, wait_seconds = translate.watch_from_wire(request)
        (stdout, stderr), running = await self._gate.watch(caller(), job, known, wait_seconds)
        return wire.WatchReply(stdout_bytes=stdout, stderr_bytes=stderr, running=running)

    async def SearchOutput(self, request: wire.SearchOutputRequest, context: Context) -> files.SearchReply:
        job, stream, offset, wanted = translate.searching_from_wire(request)
        answer = await self._gate.search_output(caller(), job, stream, offset, wanted)
        return translate_files.found_to_wire(answer)

    async def ListJobs(self, request: wire.ListJobsRequest, context: Context) -> wire.ListJobsReply:
        return translate.jobs_to_wire(self._gate.list_jobs(caller(), translate.listing_from_wire(request)))
