"""What gRPC says of a failed call, as an error of the family that tells whether something was done."""

from typing import Literal

import grpc
from grpc import aio

from wand_proto.errors import METADATA_KEY, Ambiguous, TimedOut, Unavailable, WandError, from_wire

Effect = Literal["none", "change"]  # of the call on the host, had it come through

# The codes that gRPC itself gives when a link breaks or the time is over; what the host agent says comes
# with metadata.
_BROKEN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)
_NEVER_SENT = ("failed to connect", "connections to all backends failing", "connection refused")


class NeverSent(Unavailable):
    """The call cannot have done anything, so it may be sent again; it never leaves this package."""


def is_from_host_agent(error: aio.AioRpcError) -> bool:
    """Whether the host agent said this itself."""
    return any(key == METADATA_KEY for key, _ in error.trailing_metadata() or ())


def _was_never_sent(error: aio.AioRpcError) -> bool:
    """Whether the call cannot have reached the host agent."""
    details = (error.details() or "").lower()
    return (
        error.code() is grpc.StatusCode.UNAVAILABLE
        and not is_from_host_agent(error)
        and any(words in details for words in _NEVER_SENT)
    )


def error_from(error: aio.AioRpcError, effect: Effect) -> WandError:
    """The error to raise in place of gRPC's."""
    if is_from_host_agent(error) or error.code() not in _BROKEN:
        metadata = tuple(error.trailing_metadata() or ())
        return from_wire(error.code().name, error.details() or "", metadata)
    if _was_never_sent(error) or (effect == "none" and error.code() is grpc.StatusCode.UNAVAILABLE):
        return NeverSent("the host agent cannot be reached; nothing was done", hint=error.details() or "")
    if effect == "change":
        return Ambiguous(
            "the link to the host agent broke in the middle; what was done is not known",
            hint="look at what it changed before you try again",
        )
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return TimedOut(
            "the host agent did not answer in time", hint="try again; get_system_status may say why"
        )
    return Unavailable("the link to the host agent broke; nothing was changed", hint="try again")
