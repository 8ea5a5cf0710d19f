"""`wand-server agent`: agents in a process of their own, which join the server's over the store."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from wand_proto import garbage, logline, sdnotify, trimming
from wand_proto.errors import Invalid
from wand_server import entrance, orchestra, settings, workbench
from wand_server.orchestrator.pool import Pool
from wand_server.settings import Settings
from wand_server.tools import projects

log = logging.getLogger(__name__)

_NAME_CHARACTERS = 32


def main(words: Sequence[str]) -> int:
    """Run `wand-server agent`, until SIGTERM or SIGINT."""
    asked = _parser().parse_args(words)
    read = _as_asked(settings.load(asked.settings, os.environ), asked)
    logline.configure("agent", read.log.level)
    asyncio.run(_serve(read, asked.name, asked.ready_fd))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wand-server agent", description="Agents in a process of their own; they join by the store."
    )
    does = "of the server whose tasks they take; default: %(default)s"
    parser.add_argument("--settings", type=Path, default=settings.DEFAULT_PATH, metavar="FILE", help=does)
    parser.add_argument("--name", default="agent", help="what theirs begin with; default: %(default)s")
    parser.add_argument("--count", type=int, metavar="N", help="how many; default: agents.count, at least 1")
    parser.add_argument("--capability", action="append", default=[], help="what they can do; more than once")
    parser.add_argument("--label", action="append", default=[], metavar="NAME=VALUE", help="more than once")
    does = "a descriptor: told once they have joined"
    parser.add_argument("--ready-fd", type=int, metavar="N", help=does)
    return parser


def _as_asked(read: Settings, asked: argparse.Namespace) -> Settings:
    """The settings, with what the command line says over them.

    Raises:
        Invalid: it says something that cannot be.
    """
    if not asked.name.replace("-", "").isalnum() or len(asked.name) > _NAME_CHARACTERS:
        message = f"must be 1 to {_NAME_CHARACTERS} letters, digits and hyphens, not {asked.name!r:.80}"
        raise Invalid(message, field="--name")
    count = max(1, read.agents.count) if asked.count is None else asked.count
    if not 1 <= count <= 256:
        raise Invalid(f"must be 1 to 256, not {count}", field="--count")
    ours = read.agents.model_copy(
        update={
            "count": count,
            "most": max(count, read.agents.most if asked.count is None else count),
            "capabilities": (*read.agents.capabilities, *asked.capability),
            "labels": (*read.agents.labels, *asked.label),
        }
    )
    return read.model_copy(update={"agents": ours})


async def _serve(read: Settings, name: str, ready_fd: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(read, name) as pool:
        garbage.search_seldom()
        _tell_ready(ready_fd, pool)
        log.info("agents ready", extra={"agents": list(pool.agents)})
        sdnotify.ready(f"{len(pool.agents)} agents")
        async with sdnotify.alive(), trimming.trimmed():
            await stop.wait()
            log.info("agents stopping", extra={"seconds": read.execution.stop_seconds})
            sdnotify.stopping()
            if not await pool.drain(read.execution.stop_seconds):
                log.warning("tasks given back")


def _tell_ready(descriptor: int | None, pool: Pool) -> None:
    if descriptor is not None:
        with open(descriptor, "w") as ready:  # noqa: PTH123 - a descriptor, not a path
            ready.write(f"{' '.join(pool.agents)}\n")


@contextlib.asynccontextmanager
async def running(read: Settings, name: str) -> AsyncIterator[Pool]:
    """The agents, with their tools over a link of their own.

    Raises:
        WandError: a part cannot start; the message says which, and why.
    """
    async with contextlib.AsyncExitStack() as parts:
        played = await orchestra.build(read, parts, name)
        bench = await workbench.build(read, parts, lambda: projects.entries(played.tasks))
        played.tools.tools = bench.offered
        judge = await entrance.judge(read, parts)
        played.is_over.append(judge)
        yield await parts.enter_async_context(played.pool)
