"""Builds every part, opens the sockets, stops in order."""

import argparse
import asyncio
import fcntl
import logging
import os
import shlex
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass
from pathlib import Path

from grpc import aio

from wand_hostagent import VERSION, kinds, past
from wand_hostagent.answers import EMBEDDED_HINT, HINT
from wand_hostagent.approvals import Approvals, Terms
from wand_hostagent.backends.base import Left
from wand_hostagent.backends.host import HostBackend
from wand_hostagent.backends.native import NativeBackend
from wand_hostagent.choosing import Backends
from wand_hostagent.desk import Desk
from wand_hostagent.dispatch import Begun, Recorded
from wand_hostagent.filesystem.client import FileWorkers
from wand_hostagent.gate import Gate, Means
from wand_hostagent.jobs import Jobs, Retention
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.model import Exited, Reason
from wand_hostagent.openacts import OpenActs
from wand_hostagent.policy.load import PolicyFolder
from wand_hostagent.positions import Positions
from wand_hostagent.service import corelog, listen
from wand_hostagent.service.execution import Execution
from wand_hostagent.service.files import Files
from wand_hostagent.service.host import Facts, Host
from wand_hostagent.service.intercept import Doorkeeper
from wand_hostagent.settings import DEFAULT_PATH, Settings, load, where
from wand_hostagent.spool import Room, SpoolFolder
from wand_hostagent.switching import Switch
from wand_proto import beginning, garbage, logline, sdnotify, trimming
from wand_proto.errors import Conflict, Denied, NotFound, WandError
from wand_proto.v1 import execution_pb2_grpc, files_pb2_grpc, host_pb2_grpc

_log = logging.getLogger("wand.hostagent.daemon")
_OUT_SECONDS = 10.0  # how long the jobs of cancelled calls may take to be killed


def main(words: Sequence[str]) -> int:
    """Run the host agent until it is told to stop; the exit status."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until we know what to reload
    parser = argparse.ArgumentParser(prog="wand-hostagent serve", description="Run the host agent.")
    parser.add_argument(
        "--settings", type=Path, default=DEFAULT_PATH, metavar="FILE", help="default: %(default)s"
    )
    does = "a descriptor: told our addresses once we are ready"
    parser.add_argument("--ready-fd", type=int, default=-1, metavar="N", help=does)
    beginning.add_option(parser)
    asked = parser.parse_args(words)
    beginning.wait(asked.after_fd)
    settings = load(asked.settings)
    with corelog.own_stderr():
        logline.configure("hostagent", settings.log_level)
        logging.getLogger("grpc").setLevel(logging.WARNING)  # it tells of every call
        asyncio.run(serve(settings, asked.ready_fd, asked.settings.absolute()))
    return 0


async def serve(settings: Settings, ready_fd: int = -1, path: Path = DEFAULT_PATH) -> None:
    """Serve until SIGTERM or SIGINT, by the settings in that file; SIGHUP reads the policy again."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with corelog.gathered():
        async with (
            _parts(settings, path) as parts,
            parts.desk(settings),
            _counter(settings, parts) as addresses,
        ):
            reloading = set[asyncio.Task[str]]()
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, parts.reload_soon, reloading)
            digest = parts.gate.policy_digest
            _log.info("host agent ready", extra={"addresses": addresses, "policy": digest})
            garbage.search_seldom()
            _say_ready(ready_fd, addresses)
            sdnotify.ready(f"listening at {', '.join(addresses)}")
            async with sdnotify.alive(), trimming.trimmed():
                await stop.wait()
                _log.info("host agent stops")


@dataclass(frozen=True, slots=True)
class _Parts:
    """What stands behind the counter."""

    policy: PolicyFolder
    link: LauncherLink
    jobs: Jobs
    gate: Gate
    approvals: Approvals
    switch: Switch

    def desk(self, settings: Settings) -> AbstractAsyncContextManager[None]:
        """The administrator's socket, open while this is entered."""
        uids = {0, os.geteuid()} if settings.development else {0}
        return Desk(self.approvals, self.reload, self.switch, uids, self.link.note).open(
            settings.control_socket
        )

    def reload_soon(self, reloading: "set[asyncio.Task[str]]") -> None:
        task = asyncio.create_task(self.reload(), name="reload policy")
        reloading.add(task)
        task.add_done_callback(reloading.discard)
        task.add_done_callback(_reloaded)

    async def reload(self, by: str = "SIGHUP") -> str:
        """Read the policy again; a broken one denies everything until the next time, and says so."""
        sdnotify.reloading()
        self.policy.reload()
        sdnotify.ready("policy read again")
        told = {"policy": self.policy.digest, "error": self.policy.wrong, "by": by}
        try:
            await self.link.record("policy_read", told)
        except WandError as error:  # it holds all the same; the launcher will not run a thing unrecorded
            _log.warning("policy read, not recorded", extra={"error": str(error)})
        return self.policy.current.digest

    def facts(self) -> Facts:
        return Facts(
            jobs_running=self.jobs.running, jobs_ceiling=self.jobs.max_jobs, launcher_up=self.link.is_up
        )


def _reloaded(reloading: "asyncio.Task[str]") -> None:
    """Where it was read because of a signal, nobody is there to be told; a broken one is logged."""
    error = None if reloading.cancelled() else reloading.exception()
    if error is not None and not isinstance(error, WandError):
        _log.error("policy not read", exc_info=error)


@asynccontextmanager
async def _parts(settings: Settings, path: Path) -> AsyncIterator[_Parts]:
    """Every part behind the counter, each handed what it needs; closed in the opposite order."""
    policy = PolicyFolder(settings.policy_directory, development=settings.development)
    async with AsyncExitStack() as stack:
        stack.enter_context(_alone(settings.spool_directory))
        hint = EMBEDDED_HINT if settings.development else HINT
        link = await stack.enter_async_context(LauncherLink.open(settings.launcher_socket, hint=hint))
        table = settings.spool_directory / "positions"
        positions = stack.enter_context(Positions.open(table, slots=settings.max_jobs))
        native = NativeBackend(link, positions, settings.labels)
        others = await stack.enter_async_context(kinds.opened(settings.backends, path, where(path)))
        begun = Begun(settings.spool_directory / "begun", link.record)
        left = begun.left()
        past.keep_lost(SpoolFolder(settings.spool_directory, Room(0)), left, {one.name for one in others})
        kept = Retention(
            jobs=settings.kept.jobs,
            seconds=settings.kept.seconds,
            disk_bytes=settings.kept.disk_bytes,
            elsewhere={one.job for one in left if one.mark},
        )
        jobs = await stack.enter_async_context(
            Jobs.open(settings.spool_directory, native, max_jobs=settings.max_jobs, retention=kept)
        )
        files = FileWorkers(link)
        stack.push_async_callback(files.aclose)
        asking = settings.asking
        terms = Terms(
            expire_seconds=asking.expire_seconds,
            wait_seconds=asking.wait_seconds,
            most_waiting=asking.most_waiting,
            settings="" if path == DEFAULT_PATH else f" --settings {shlex.quote(str(path))}",
        )
        approvals = Approvals(link.record, terms, OpenActs(settings.spool_directory / "approvals.json"))
        recorded = [Recorded(one, link.record, begun) for one in others]
        await _take_up(left, begun, recorded, jobs)
        granted = (HostBackend(native, settings.grants, link.profiles),) if settings.grants else ()
        backends = Backends(
            (native, *granted, *recorded),
            default=settings.default_backend,
            balance=settings.balance,
            running=jobs.running_on,
        )
        gate = Gate(policy, link, jobs, Means(backends, files), approvals)
        stack.push_async_callback(gate.finish)
        yield _Parts(policy, link, jobs, gate, approvals, Switch(policy, link, backends))


async def _take_up(left: Sequence[Left], begun: Begun, recorded: Sequence[Recorded], jobs: Jobs) -> None:
    """Follow again what an earlier host agent has left elsewhere, end the rest, and tell of what is lost."""
    there = {one.name: one for one in recorded}
    ended = {one.job: end for one in left if (end := _end_of(one, jobs)) is not None}
    kept = [one for one in left if one.mark and one.backend in there and one.job not in ended]
    lost = [one for one in left if one not in kept]
    await begun.tell_of_lost(lost, ended)
    for one in lost:
        if one.backend not in there:
            begun.drop(one.job)
    for name, backend in there.items():
        await backend.sweep({one.job for one in lost if one.backend == name}, {one.job for one in kept})
    for one in kept:
        jobs.take_up(one, there[one.backend])


def _end_of(left: Left, jobs: Jobs) -> Exited | None:
    """How a job ended, where an earlier host agent saw it and could not have it recorded."""
    try:
        exited = jobs.of(left.principal, left.job).exited
    except NotFound:
        return None
    return None if exited is None or exited.reason is Reason.LOST else exited


@asynccontextmanager
async def _counter(settings: Settings, parts: _Parts) -> AsyncIterator[list[str]]:
    """The server of gRPC, started; in the end calls get a grace, then are cancelled, their jobs killed."""
    doorkeeper = Doorkeeper(settings.peers, lambda told: parts.link.note("sign_in_refused", told))
    server = aio.server(
        interceptors=[doorkeeper], options=listen.OPTIONS, maximum_concurrent_rpcs=listen.MOST_CALLS
    )
    host = Host(parts.gate, parts.facts, VERSION, parts.switch)
    execution = Execution(parts.gate)
    execution_pb2_grpc.add_ExecutionServicer_to_server(execution, server)
    files_pb2_grpc.add_FilesServicer_to_server(Files(parts.gate), server)
    host_pb2_grpc.add_HostServicer_to_server(host, server)
    identity = settings.tls.identity
    addresses: list[str] = []
    try:
        for address in settings.listen:
            credentials = listen.credentials_of(identity)  # each watches the files for one address alone
            addresses += [listen.add(server, address, credentials)]
        await server.start()
        yield addresses
    finally:
        execution.leave()
        await server.stop(settings.stop_seconds)
        if not await doorkeeper.everybody_out(_OUT_SECONDS):
            _log.error("calls left behind")
        listen.remove_sockets(addresses)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, for us alone: two host agents would remove each other's files."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Denied(f"{folder} cannot be used: {error.strerror}", hint="it must be ours to write") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Conflict(f"another host agent uses {folder}", hint="stop it, or set spool_directory") from error
    finally:
        os.close(descriptor)


def _say_ready(descriptor: int, addresses: Sequence[str]) -> None:
    """Tell who started us, who then may go away."""
    if descriptor >= 0:
        with suppress(OSError):
            os.write(descriptor, "".join(f"{address}\n" for address in addresses).encode())
        with suppress(OSError):
            os.close(descriptor)
