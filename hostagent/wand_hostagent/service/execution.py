"""The counter for jobs: wand.hostagent.v1.Execution."""

import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing

from wand_hostagent.gate import Gate
from wand_hostagent.service import translate
from wand_hostagent.service.intercept import Context, caller
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1 import execution_pb2_grpc

# ruff: noqa: N802, ARG002 - gRPC names the methods and hands each a context


def new_id() -> str:
    """An id that no other job or act has: 16 hexadecimal digits."""
    return secrets.token_hex(8)


class Execution(execution_pb2_grpc.ExecutionServicer):
    """Hands each request to the gate; a caller that goes away closes the stream, and so ends its job."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def Run(self, request: wire.RunRequest, context: Context) -> AsyncIterator[wire.Event]:
        job = translate.job_from_wire(request, new_id())
        async with aclosing(self._gate.run(caller(), job)) as events:
            async for event in events:
                yield translate.event_to_wire(event)

    async def Attach(self, request: wire.AttachRequest, context: Context) -> AsyncIterator[wire.Event]:
        job, stdout_offset, stderr_offset = translate.attach_from_wire(request)
        async with aclosing(self._gate.attach(caller(), job, stdout_offset, stderr_offset)) as events:
            async for event in events:
                yield translate.event_to_wire(event)

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

    async def ListJobs(self, request: wire.ListJobsRequest, context: Context) -> wire.ListJobsReply:
        return translate.jobs_to_wire(self._gate.list_jobs(caller()))
