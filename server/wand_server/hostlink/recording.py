"""What the server does by itself, recorded by the host agent before it is done."""

import logging

from wand_proto.context import new_request_id
from wand_proto.errors import WandError
from wand_proto.v1 import host_pb2
from wand_server.hostlink.client import HostClient
from wand_server.model import Call, Principal
from wand_server.ports import Act

log = logging.getLogger(__name__)

_MOST_TOLD = 200  # characters of a message
_ITSELF = Principal(name="wand-server", means="anonymous")


async def record_change(
    host: HostClient, by: str, digests: tuple[str, str], changed: tuple[str, ...]
) -> None:
    """Have it on record: by whom, the digests before and after, and each change in a line.

    Raises:
        WandError: it is not on record, or nobody can say.
    """
    before, after = digests
    told = host_pb2.ConfigChangedRequest(by=by, before=before, after=after, changed=changed)
    await host.tell_changed(Call(principal=_ITSELF, request_id=new_request_id()), told)


class OperationLedger:
    """Acts at services outside, each recorded before it begins and when it has ended; a `ports.Ledger`."""

    def __init__(self, host: HostClient) -> None:
        self._host = host

    async def begins(self, call: Call, act: Act) -> None:
        """Have it on record that it is about to begin.

        Raises:
            WandError: it is not on record, or nobody can say; so it must not begin.
        """
        told = host_pb2.OperationBeginsRequest(
            id=act.id,
            operation=act.operation,
            arguments_sha256=act.arguments_sha256,
            read_only=act.read_only,
        )
        await self._host.tell_operation(call, told)

    async def ended(self, call: Call, act: Act, seconds: float, failure: WandError | None) -> None:
        """Have it on record how it ended; where that cannot be, our own log has it."""
        told = host_pb2.OperationEndsRequest(
            id=act.id,
            operation=act.operation,
            failure=type(failure).__name__ if failure else "",
            message=failure.message[:_MOST_TOLD] if failure else "",
            seconds=seconds,
        )
        try:
            await self._host.tell_operation(call, told)
        except WandError as error:
            log.warning("end of an operation not recorded", extra={"act": act.id, "why": str(error)})
