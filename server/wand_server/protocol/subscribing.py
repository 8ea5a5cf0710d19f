"""What the handshake era has instead of `subscriptions/listen`: `resources/subscribe`."""

from collections.abc import Callable
from typing import Any

from mcp.server.lowlevel import Server
from mcp_types import SubscribeRequestParams, UnsubscribeRequestParams

from wand_proto.errors import WandError
from wand_server.protocol.extensions import Context
from wand_server.protocol.failures import INVALID_PARAMS, ProtocolFailure
from wand_server.protocol.methods import Visit
from wand_server.protocol.reading import check, said
from wand_server.protocol.watching import WATCHES, Watcher


def add_methods(server: Server[Any], watcher: Watcher, visit_of: Callable[[Context], Visit]) -> None:
    """Let the server answer to resources/subscribe and resources/unsubscribe."""

    async def subscribe(context: Context, params: SubscribeRequestParams) -> dict[str, Any]:
        uri, visit = str(params.uri), visit_of(context)
        check(visit.principal, "resources/subscribe")
        try:
            seen = await watcher.look(uri, visit)
        except WandError as why:
            raise ProtocolFailure(INVALID_PARAMS, said(why), data={"uri": uri}) from why

        async def changed() -> None:
            await context.session.send_resource_updated(uri)

        WATCHES.get().begin(uri, watcher.watch(uri, visit, seen, changed))
        return {}

    async def unsubscribe(_: Context, params: UnsubscribeRequestParams) -> dict[str, Any]:
        WATCHES.get().end(str(params.uri))
        return {}

    server.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    server.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)
