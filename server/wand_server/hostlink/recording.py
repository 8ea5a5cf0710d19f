"""Changes of the server's own configuration, recorded by the host agent before they are made."""

from wand_proto.context import new_request_id
from wand_proto.v1 import host_pb2
from wand_server.hostlink.client import HostClient
from wand_server.model import Call, Principal

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
