"""The edge of a method: failures leave as errors of JSON-RPC that name what is wrong, and nothing else."""

import logging
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from wand_proto.context import REQUEST_ID, new_request_id
from wand_server.protocol import failures
from wand_server.protocol.failures import INVALID_PARAMS, ProtocolFailure

log = logging.getLogger(__name__)


async def boundary(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Around every method that the SDK calls."""
    try:
        return await call_next(ctx)
    except MCPError:
        raise
    except ProtocolFailure as why:
        raise MCPError(why.code, why.message, why.data) from why
    except ValidationError as why:
        raise MCPError(INVALID_PARAMS, f"Invalid params: {_what_is_wrong(why)}") from why
    except Exception as broken:
        told = defect(ctx.method, broken)
        raise MCPError(told.code, told.message, told.data) from broken


def defect(method: str, broken: Exception) -> ProtocolFailure:
    """What is told of a defect; the log has the rest, under a new request id."""
    REQUEST_ID.set(new_request_id())
    log.error("method broke", extra={"method": method}, exc_info=broken)
    return failures.internal(REQUEST_ID.get())


def _what_is_wrong(why: ValidationError) -> str:
    """The first fields that are wrong, without what they held."""
    found = why.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'params'}: {one['msg']}" for one in found[:3])
