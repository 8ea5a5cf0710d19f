"""Builds every part, starts and stops them in order."""

import argparse
import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from wand_proto import beginning, garbage, logline, sdnotify, trimming
from wand_proto.errors import Conflict, WandError
from wand_server import accounts, entrance, keeping, live, minds, orchestra, settings, taskstore, workbench
from wand_server.auth import dpop, keyfile
from wand_server.forwarded import Network
from wand_server.hostlink.client import HostClient
from wand_server.hostlink.explain import explain_failure
from wand_server.hostlink.recording import record_change
from wand_server.hostlink.signins import SignIns
from wand_server.integrations import callback
from wand_server.integrations.kit.consent import Consents
from wand_server.issuer.grants import DAY, Lives
from wand_server.issuer.peers import Peers
from wand_server.issuer.service import Issuer, Options, resource_of
from wand_server.live import Live
from wand_server.offers import HandedOut
from wand_server.orchestrator.pool import Pool
from wand_server.protocol import server
from wand_server.protocol.kernel import Kernel
from wand_server.protocol.reading import Library
from wand_server.runtime.control import Control
from wand_server.runtime.runtime import Change, Record, Runtime
from wand_server.settings import Settings
from wand_server.tools import added as added_tools
from wand_server.tools import projects, taskresources
from wand_server.tools.offered import Offered
from wand_server.tools.prompts import BuiltInPrompts
from wand_server.tools.resources import HostResources
from wand_server.tools.skills import BuiltInSkills
from wand_server.transports import added
from wand_server.transports.door import House
from wand_server.transports.http import HttpTransport
from wand_server.transports.limits import Limits
from wand_server.transports.routes import Open, Routes
from wand_server.transports.stdio import UnixTransport

_Opened = TypeVar("_Opened")
log = logging.getLogger(__name__)

_WAYS_OUT = {
    errno.EADDRINUSE: "stop what listens there, or name another place in the settings",
    errno.ENOENT: "make the folder, or name another place in the settings",
    errno.EACCES: "let this user write there, or name another place in the settings",
}
_INSTRUCTIONS = """\
Wand runs commands and works with files on one host, within a policy. Begin with get_system_info when you do \
not know the host. Relative paths begin at the workspace. A refusal says what is permitted instead: do that, \
and do not get around it. Of long output the middle is left out, and the result says how to read it."""


def main(words: Sequence[str]) -> int:
    """Run `wand-server serve`, until SIGTERM or SIGINT."""
    asked = _parser("serve", ready=True).parse_args(words)
    beginning.wait(asked.after_fd)
    read = settings.load(asked.settings, os.environ)
    logline.configure("server", read.log.level)
    asyncio.run(_serve(asked.settings, read, asked.ready_fd))
    return 0


def check(words: Sequence[str]) -> int:
    """Run `wand-server check`: 0 where the server would start and reach the host agent."""
    asked = _parser("check", ready=False).parse_args(words)
    read = settings.load(asked.settings, os.environ)
    names = dict.fromkeys(key.name for key in keyfile.read(read.http.keys_file))
    known = f"the keys in {read.http.keys_file}: {', '.join(names) or 'none'}"
    sys.stdout.write(f"the settings in {asked.settings}: good\n{known}\n")
    live.admitted(read.stdio)
    for one in added.load(read.transports.enabled, read.transports.options):
        sys.stdout.write(f"the transport {one.name}: loads, from {one.origin}\n")
    for package in added_tools.load(read.tools.added):
        sys.stdout.write(f"the tools {', '.join(package.tools)}: load, from {package.origin}\n")
    if read.model.provider:
        sys.stdout.write(f"the model {read.model.name}: {asyncio.run(minds.summary(read))}\n")
    sys.stdout.write(f"the tasks: {asyncio.run(taskstore.summary(read))}\n")
    sys.stdout.write(f"the notes: {asyncio.run(keeping.summary(read))}\n")
    if read.issuer.url:
        who = asyncio.run(accounts.summary(read.issuer, asked.settings))
        sys.stdout.write(f"the issuer at {read.issuer.url}: {who}\n")
    if read.oauth.issuer:
        sys.stdout.write(f"the issuer {asyncio.run(entrance.told(read.oauth))}\n")
    why = explain_failure(read.hostagent.address, read.hostagent.identity)
    sys.stdout.write(f"the link: {why or f'the host agent answers at {read.hostagent.address}'}\n")
    return 1 if why else 0


def _parser(name: str, *, ready: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"wand-server {name}")
    parser.add_argument(
        "--settings", type=Path, default=settings.DEFAULT_PATH, metavar="FILE", help="default: %(default)s"
    )
    if ready:
        does = "a descriptor: told the port once it listens"
        parser.add_argument("--ready-fd", type=int, metavar="N", help=does)
        beginning.add_option(parser)
    return parser


async def _serve(path: Path, read: Settings, ready_fd: int | None) -> None:
    stop, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number, event in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, again)):
        loop.add_signal_handler(number, event.set)
    async with running(read, path) as (http, runtime, pool), reloading(runtime, again):
        garbage.search_seldom()
        _tell_ready(ready_fd, http.port)
        log.info("server ready", extra={"port": http.port, "socket": str(read.stdio.socket)})
        sdnotify.ready(f"listening at {read.http.host}:{http.port} and {read.stdio.socket}")
        async with sdnotify.alive(), trimming.trimmed():
            await stop.wait()
            stop.clear()
            log.info("server stopping", extra={"seconds": read.execution.stop_seconds})
            sdnotify.stopping()
            seconds = runtime.now.execution.stop_seconds
            await asyncio.gather(_finish(http.kernel, seconds, stop), _drain(pool, seconds))


async def _drain(pool: Pool, seconds: float) -> None:
    """Let the agents end what they have, for so long; what is left, others go on with."""
    if not await pool.drain(seconds):
        log.warning("tasks given back")


async def _scale(runtime: Runtime, by: str, count: int) -> None:
    await runtime.set(by, {"agents.count": str(count)})


async def _finish(kernel: Kernel, seconds: float, stop: asyncio.Event) -> None:
    """Let the calls that run come to their end, for so long, or until somebody asks a second time."""
    leaving, again = asyncio.create_task(kernel.leave(seconds)), asyncio.create_task(stop.wait())
    done, left = await asyncio.wait({leaving, again}, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    if leaving not in done or not leaving.result():
        log.warning("calls cut off")
        await kernel.cut_off()
    kernel.end_streams()


@contextlib.asynccontextmanager
async def reloading(runtime: Runtime, again: asyncio.Event) -> AsyncIterator[None]:
    """Read the configuration again whenever that event is set, while entered."""
    task = asyncio.create_task(_reload_again(runtime, again), name="reload")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _reload_again(runtime: Runtime, again: asyncio.Event) -> None:
    while True:
        await again.wait()
        again.clear()
        sdnotify.reloading()
        try:
            outcome = await runtime.reload("SIGHUP")
            if outcome.needs_restart:
                log.warning("settings need a restart", extra={"names": outcome.needs_restart})
        except WandError as why:
            log.error("configuration not read, nothing changed", extra={"why": str(why)})  # noqa: TRY400 - the message says it all
        finally:
            sdnotify.ready("configuration read again")


@contextlib.asynccontextmanager
async def running(
    read: Settings, path: Path = settings.DEFAULT_PATH
) -> AsyncIterator[tuple[HttpTransport, Runtime, Pool]]:
    """The whole server, from its link to the host agent up to its transports; the settings came from `path`.

    Raises:
        WandError: a part cannot start; the message says which, and why.
    """
    async with contextlib.AsyncExitStack() as parts:
        played = await orchestra.build(read, parts)
        bench = await workbench.build(read, parts, lambda: projects.entries(played.tasks))
        host, offered = bench.host, bench.offered
        played.tools.tools = offered
        sign_ins = await parts.enter_async_context(SignIns(host))
        kernel = _kernel(
            HostResources(host, {**bench.kept.rooms(), **taskresources.rooms(played.tasks)}),
            offered,
            played.tasks,
        )
        parts.push_async_callback(kernel.close)
        nonces = dpop.Nonces()  # of both, for clients keep one for each origin
        issuer = await _issuer(read, parts, sign_ins.refused, nonces)
        own = [entrance.trusted(issuer)] if issuer else []
        http = HttpTransport(
            kernel,
            await entrance.guard(read, parts, own, nonces),
            tls_context=await entrance.tls_context(read, parts),
            hsts_seconds=read.tls.hsts_seconds,
            proxies=_networks(read.http.trusted_proxies),
            host=read.http.host,
            port=read.http.port,
            legacy_sse=read.http.legacy_sse,
            websocket=read.http.websocket,
            hostagent_is_up=lambda: bench.link.is_up,
            limits=Limits(live.rates(read)),
            refused=sign_ins.refused,
            more_routes={**_routes(issuer, bench.consents), **entrance.documents(read, own)},
        )
        may = live.admitted(read.stdio)
        unix = UnixTransport(kernel, read.stdio.socket, admitted=may, refused=sign_ins.refused)
        http.beside |= await _open_added(parts, read.transports, _house(http))
        await _enter(parts, http, f"{read.http.host}:{read.http.port}")
        await _enter(parts, unix, str(read.stdio.socket))
        http.beside["stdio"] = unix.is_serving
        taking_up = Live(
            host=host,
            integrations=bench.integrations,
            offered=offered,
            kernel=kernel,
            http=http,
            unix=unix,
            pool=played.pool,
        )
        runtime = Runtime((path, os.environ), read, taking_up, _record(host))
        await _enter(parts, Control(runtime).open(read.control_socket), str(read.control_socket))
        played.is_over.append(http.guard.is_over)
        played.scale.append(lambda by, count: _scale(runtime, by, count))
        yield http, runtime, await parts.enter_async_context(played.pool)


def _house(http: HttpTransport) -> House:
    """What transports that others add share with ours."""
    return House(
        kernel=http.kernel, guard=http.guard, limits=http.limits, tenures=http.tenures, refused=http.refused
    )


async def _open_added(
    parts: contextlib.AsyncExitStack, wanted: settings.Transports, house: House
) -> dict[str, added.IsUp]:
    """Open what others added; whether each still listens."""
    return {
        one.name: await _enter(parts, added.serving(one, house), f"what the transport {one.name} is told to")
        for one in added.load(wanted.enabled, wanted.options)
    }


def _record(host: HostClient) -> Record:
    async def record(change: Change) -> None:
        await record_change(host, change.by, (change.before, change.after), change.changed)

    return record


async def _issuer(
    read: Settings,
    parts: contextlib.AsyncExitStack,
    refused: Callable[[str, str], None],
    nonces: dpop.Nonces,
) -> Issuer | None:
    """The built-in authorization server, started, where it has an address."""
    if not read.issuer.url:
        return None
    return await parts.enter_async_context(Issuer(_issuer_options(read, nonces), refused))


def _issuer_options(whole: Settings, nonces: dpop.Nonces) -> Options:
    read = whole.issuer
    return Options(
        url=read.url,
        resource=resource_of(read.url),
        folder=read.folder,
        lives=Lives(refresh_seconds=read.refresh_days * DAY, grant_seconds=read.grant_days * DAY),
        access_seconds=read.access_seconds,
        documents=read.documents,
        registration=read.registration,
        prove=entrance.prover(read.url, nonces if read.dpop_nonces else None),
        proof_algorithms=dpop.ALGORITHMS,
        redirect_schemes=read.redirect_schemes,
        document_networks=_networks(read.document_networks),
        admin_groups=frozenset(read.admin_groups),
        peers=Peers(
            trusted=_networks(read.trusted_proxies or whole.http.trusted_proxies),
            user_header=read.user_header,
            groups_header=read.groups_header,
        ),
    )


def _networks(read: Sequence[str]) -> tuple[Network, ...]:
    return tuple(map(ipaddress.ip_network, read))


def _routes(issuer: Issuer | None, consents: Consents) -> Routes:
    """What the issuer answers to strangers, and the page to which people come back from a service."""
    table = {**(issuer.routes() if issuer else {}), **callback.routes(consents)}
    return {
        path: {method: Open(handler) for method, handler in methods.items()}
        for path, methods in table.items()
    }


def _kernel(resources: HostResources, tools: Offered, handed_out: HandedOut) -> Kernel:
    library = Library(resources, BuiltInPrompts(), BuiltInSkills(), handed_out)
    return server.build(tools, library, version=version("wand-server"), instructions=_INSTRUCTIONS)


async def _enter(
    parts: contextlib.AsyncExitStack, transport: contextlib.AbstractAsyncContextManager[_Opened], where: str
) -> _Opened:
    try:
        return await parts.enter_async_context(transport)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        hint = _WAYS_OUT.get(error.errno or 0, "name another place in the settings")
        raise Conflict(f"cannot listen on {where}: {why}", hint=hint) from error


def _tell_ready(descriptor: int | None, port: int) -> None:
    if descriptor is not None:
        with open(descriptor, "w") as ready:  # noqa: PTH123 - a descriptor, not a path
            ready.write(f"{port}\n")
