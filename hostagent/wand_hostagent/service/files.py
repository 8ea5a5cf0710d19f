"""The counter for files: wand.hostagent.v1.Files."""

from typing import TypeVar

from wand_hostagent.filesystem import model
from wand_hostagent.gate import Gate
from wand_hostagent.service import translate_files as translate
from wand_hostagent.service.execution import new_id
from wand_hostagent.service.intercept import Context, caller
from wand_proto.errors import Broken
from wand_proto.v1 import files_pb2 as wire
from wand_proto.v1 import files_pb2_grpc

# ruff: noqa: N802, ARG002 - gRPC names the methods and hands each a context

_Answer = TypeVar("_Answer", bound=model.Answer)


class Files(files_pb2_grpc.FilesServicer):
    """Hands each request to the gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def Read(self, request: wire.ReadRequest, context: Context) -> wire.ReadReply:
        answer = await self._ask(translate.read_from_wire(request), model.ReadAnswer)
        return translate.read_to_wire(answer)

    async def Write(self, request: wire.WriteRequest, context: Context) -> wire.WriteReply:
        answer = await self._ask(translate.write_from_wire(request), model.WriteAnswer)
        return translate.written_to_wire(answer)

    async def Edit(self, request: wire.EditRequest, context: Context) -> wire.WriteReply:
        answer = await self._ask(translate.edit_from_wire(request), model.WriteAnswer)
        return translate.written_to_wire(answer)

    async def List(self, request: wire.ListRequest, context: Context) -> wire.ListReply:
        answer = await self._ask(translate.list_from_wire(request), model.ListAnswer)
        return translate.listed_to_wire(answer)

    async def Search(self, request: wire.SearchRequest, context: Context) -> wire.SearchReply:
        answer = await self._ask(translate.search_from_wire(request), model.SearchAnswer)
        return translate.found_to_wire(answer)

    async def Arrange(self, request: wire.ArrangeRequest, context: Context) -> wire.ArrangeReply:
        answer = await self._gate.arrange(caller(), new_id(), translate.arrange_from_wire(request))
        if not isinstance(answer, model.ArrangeAnswer):
            raise Broken(f"the file worker answered {type(answer).__name__}; ArrangeAnswer was due")
        return translate.arranged_to_wire(answer)

    async def _ask(self, ask: model.Ask, kind: type[_Answer]) -> _Answer:
        answer = await self._gate.use_file(caller(), new_id(), ask)
        if not isinstance(answer, kind):
            raise Broken(f"the file worker answered {type(answer).__name__}; {kind.__name__} was due")
        return answer
