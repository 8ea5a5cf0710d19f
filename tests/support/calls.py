"""Calls to a host agent: what is asked, and what comes back."""

import asyncio
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from grpc import aio

from wand_proto.context import Caller, new_request_id, to_metadata
from wand_proto.errors import WandError, from_wire
from wand_proto.v1 import execution_pb2 as wire

CALL_SECONDS = 40.0


def asking(principal: str = "ada") -> aio.Metadata:
    """Metadata of a call of theirs."""
    return aio.Metadata(*to_metadata(Caller(principal=principal, request_id=new_request_id())))


def command(*argv: str, **fields: Any) -> wire.RunRequest:
    """A request to run these words."""
    return wire.RunRequest(argv=wire.Argv(words=argv), **fields)


def shell(text: str, **fields: Any) -> wire.RunRequest:
    """A request to run this text."""
    return wire.RunRequest(shell=text, **fields)


async def followed(events: Any) -> tuple[dict[int, bytes], wire.Exited]:
    """What the rest of a call's events brings: each stream's output, and the end."""
    parts: dict[int, list[bytes]] = {wire.STREAM_STDOUT: [], wire.STREAM_STDERR: []}
    async with asyncio.timeout(CALL_SECONDS):
        async for event in events:
            if event.HasField("output"):
                parts[event.output.stream].append(event.output.data)
            elif event.HasField("exited"):
                return {stream: b"".join(some) for stream, some in parts.items()}, event.exited
    raise AssertionError("the stream ended before its job")


async def failure(call: Awaitable[Any]) -> WandError:
    """The error with which a call ends."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            answer = await call
    except aio.AioRpcError as error:
        trailing = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
        return from_wire(error.code().name, error.details() or "", trailing)
    raise AssertionError(f"it did not fail, but answered {answer}")


def processes(mark: str) -> list[int]:
    """The processes, living ones, with `mark` in their command line."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if mark in _words(path)]


def _words(process: Path) -> str:
    with suppress(OSError):
        return (process / "cmdline").read_bytes().decode(errors="replace")
    return ""
