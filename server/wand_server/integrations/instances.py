"""The services that are configured, each once or several times, opened when they are first needed."""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from wand_proto.errors import Broken, Denied, Invalid, NotFound, Unavailable, WandError
from wand_server import arguments, ports, scopes
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.finding import Search, in_words, text_of
from wand_server.integrations.index import Entry
from wand_server.integrations.instance import ID, Instance, Table, check_table, read
from wand_server.integrations.kit import workspace
from wand_server.integrations.kit.base import BaseIntegration, Settings
from wand_server.integrations.kit.consent import Consents
from wand_server.integrations.kit.manifest import Manifest
from wand_server.integrations.kit.secrets import Sources, in_vault, resolved
from wand_server.integrations.kit.workspace import Workspace
from wand_server.model import Call, Principal, tool_name

log = logging.getLogger(__name__)

_OURSELVES = Principal(name="wand-server", means="anonymous", scopes=scopes.EVERYDAY)
_CLOSE_SECONDS = 5.0
_VAULT = "vault"
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_LAST_SECONDS = 45.0  # for the calls that run on an instance that is configured no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What operations may reach beside their service."""

    host: ports.Host | None = None  # where files are that they send and keep
    consents: Consents = workspace.NOBODY  # people who have let accounts of theirs be used
    cache: ports.Cache | None = None  # where answers are kept
    meaning: ports.Meaning | None = None  # what finds operations by what they mean, beside their words


class Instances:
    """Offers `ports.Integrations`; close it."""

    def __init__(
        self,
        catalog: Catalog,
        ledger: ports.Ledger,
        new_id: Callable[[], str],
        sources: Sources | None = None,
        around: Around = Around(),
    ) -> None:
        self._catalog = catalog
        self._ledger = ledger
        self._new_id = new_id
        self._sources = sources or Sources()
        self._around = around
        self._instances: dict[str, Instance] = {}
        self._entries: dict[str, Entry] = {}
        self._tool_names: dict[str, str] = {}
        self._search: Search | None = None
        self._left: list[Instance] = []  # configured no more, and still open
        self._closing: set[asyncio.Task[None]] = set()

    def check(self, configured: Mapping[str, Table]) -> None:
        """Let a configuration pass that can be used. No secret is read for that, and no service asked.

        Raises:
            WandError: names the setting that is wrong, and what would be right.
        """
        for name, table in configured.items():
            check_table(self._instance(name, table))

    def configure(self, configured: Mapping[str, Table]) -> bool:
        """Take up a configuration that `check` has let pass; whether other operations are offered now.

        What is configured as before stays open; calls that run go on.
        """
        before, old = set(self._entries), self._instances
        kept = {name: one for name, one in old.items() if configured.get(name) == one.table}
        self._instances = {
            name: kept.get(name) or self._instance(name, table) for name, table in configured.items()
        }
        self._entries = dict(
            entry for name in sorted(self._instances) for entry in self._instances[name].offered()
        )
        self._tool_names = {tool_name(name): name for name in self._entries}
        self._search = None
        self._leave([one for name, one in old.items() if name not in kept])
        return set(self._entries) != before

    def _leave(self, instances: list[Instance]) -> None:
        """Close what is configured no more, once its calls have had their time."""
        if instances:  # a call may be about to open one that is not open yet
            self._left += instances
            asyncio.get_running_loop().call_later(_LAST_SECONDS, self._close_left, instances)

    def _close_left(self, instances: list[Instance]) -> None:
        task = asyncio.get_running_loop().create_task(_close(instances), name="integrations")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self._left = [one for one in self._left if one not in instances]

    async def close(self) -> None:
        """Close what is open."""
        await asyncio.gather(*self._closing, return_exceptions=True)
        await _close([*self._left, *self._instances.values()])

    def services(self) -> tuple[str, ...]:
        return tuple(sorted(self._instances))

    def offered(self, service: str, most: int) -> tuple[ports.OperationFound, ...]:
        return tuple(map(self._found, self._of(service)[:most]))

    async def find(self, query: str, service: str, most: int) -> tuple[ports.OperationFound, ...]:
        among = self._of(service)
        if not query.strip():
            return tuple(map(self._found, among[:most]))
        names: Sequence[str] = [name for name in self._indexed().find(query) if _is_of(name, service)]
        if self._around.meaning is not None:
            names = await self._around.meaning.joined(query, names, among)
        still = [name for name in names if name in self._entries]  # configured anew in the meantime
        return tuple(map(self._found, still[:most]))

    def _of(self, service: str) -> list[str]:
        if service:
            self._named(service)
        return [name for name in self._entries if _is_of(name, service)]

    def _indexed(self) -> Search:
        if self._search is None:
            known = {name: self._known(name) for name in self._entries}
            self._search = Search([text_of(*one) for one in known.values()])
            if self._around.meaning is not None:
                self._around.meaning.take_up({name: in_words(*one) for name, one in known.items()})
        return self._search

    def describe(self, name: str) -> ports.OperationDetail:
        """What an operation takes and gives back.

        Raises:
            NotFound: there is none of that name.
        """
        instance, operation = self._resolve(name)
        declared = self._catalog.load(instance.service).operations[operation]
        about = self._catalog.manifests.get(instance.service)
        return ports.OperationDetail(
            found=self._found(f"{instance.id}.{operation}"),
            description=declared.description,
            input_schema=declared.input_schema,
            output_schema=declared.output_schema,
            docs=about.docs if about else "",
        )

    async def run(self, call: Call, name: str, untrusted: Mapping[str, Any], *, may_change: bool) -> Any:
        """Do an operation, once that is on record.

        Raises:
            NotFound: there is none of that name.
            Denied: it changes something, and may not.
            Invalid: its arguments do not fit.
            WandError: the service refuses or cannot be reached, or it cannot be recorded.
        """
        instance, operation = self._resolve(name)
        full = f"{instance.id}.{operation}"
        if not may_change and not self._entries[full].read_only:
            raise Denied(
                f"{full} changes something", hint="call it with call_operation_write", field="operation"
            )
        declared = self._catalog.load(instance.service).operations.get(operation)
        recorded = full
        if declared is not None:  # what does not fit is no act
            recorded = declared.recorded_as(full, arguments.read(declared.arguments, dict(untrusted)))
        act = ports.Act(
            id=self._new_id(),
            operation=recorded,
            arguments_sha256=_digest(untrusted),
            read_only=self._entries[full].read_only,
        )
        await self._ledger.begins(call, act)
        with self._workspace(call, instance, may_change=may_change):
            return await self._recorded(call, act, instance, (operation, untrusted))

    def _workspace(self, call: Call, instance: Instance, *, may_change: bool) -> AbstractContextManager[None]:
        if self._around.host is None:
            return nullcontext()
        return workspace.given(
            Workspace(
                host=self._around.host,
                call=call,
                may_change=may_change,
                instance=instance.id,
                consents=self._around.consents,
                cache=self._around.cache,
            )
        )

    async def health(self, name: str) -> None:
        """Make sure that a service answers and accepts our sign-in.

        Raises:
            WandError: it does not; the message says why.
        """
        instance = self._named(name)
        try:
            with self._workspace(_ours(self._new_id()), instance, may_change=False):
                await (await self._open(instance)).health_check()
        except WandError as error:
            raise _at(instance, error) from error

    async def _recorded(
        self, call: Call, act: ports.Act, instance: Instance, what: tuple[str, Mapping[str, Any]]
    ) -> Any:
        began = time.monotonic()
        failure: WandError | None = None
        try:
            return await (await self._open(instance)).execute(*what)
        except WandError as error:
            failure = _at(instance, error)
            raise failure from error
        except asyncio.CancelledError:
            failure = WandError("given up by its caller")
            raise
        except Exception as error:
            failure = Broken(f"failed by a defect: {type(error).__name__}")
            raise
        finally:
            await asyncio.shield(self._ledger.ended(call, act, time.monotonic() - began, failure))

    async def _open(self, instance: Instance) -> BaseIntegration:
        async with instance.one_at_a_time:
            _check_open(instance)
            if instance.opened is None:
                instance.opened = await self._opened(instance)
            return instance.opened

    async def _opened(self, instance: Instance) -> BaseIntegration:
        kind, place = self._catalog.load(instance.service), f"integrations.{instance.id}"
        opened = kind(
            read(kind.Config, await resolved(kind.Config, instance.table, self._secret, place), place)
        )
        try:
            await opened.initialize()
            _check_open(instance)
        except BaseException:
            await _close_one(instance.id, opened)
            raise
        return opened

    async def _secret(self, reference: str, field: str) -> str:
        """The secret that a setting names, from a Vault through the instance that is configured for it."""
        where = in_vault(reference, field)
        if where is None:
            return self._sources.read(reference, field)
        instance = self._vault(field)
        try:
            given = {"mount": where.mount, "path": where.path}
            read = await (await self._open(instance)).execute("read_secret", given)
        except WandError as error:
            raise type(error)(f"{instance.id}: {error.message}", hint=error.hint, field=field) from error
        value = (read.get("data") or {}).get(where.member)
        if not isinstance(value, str) or not value:
            raise NotFound(f"there is nothing in {reference}", field=field)
        return value

    def _vault(self, field: str) -> Instance:
        """The Vault in which secrets of others are: the one called `vault`, or the only one."""
        vaults = {name: one for name, one in self._instances.items() if one.service == _VAULT}
        if field.split(".")[1] in vaults:
            raise Invalid("the secret of a Vault cannot be in a Vault: use env:, file: or cred:", field=field)
        if _VAULT not in vaults and len(vaults) != 1:
            hint = "configure [integrations.vault]"
            raise Invalid("there is no Vault, or more than one and none called vault", hint=hint, field=field)
        return vaults.get(_VAULT) or next(iter(vaults.values()))

    def _instance(self, name: str, table: Table) -> Instance:
        match = ID.fullmatch(name)
        if not match:
            raise Invalid(
                "must be a service, or a service with a name for this one, as github:work",
                field=f"integrations.{name}",
            )
        place = f"integrations.{name}"
        self._catalog.check(match[1], place)
        known = self._catalog.entry(match[1])
        usual = {"read_only": True} if known.reads_unless_said else {}
        return Instance(
            id=name,
            service=match[1],
            table=table,
            known=known,
            permits=read(Settings, {**usual, **table}, place),
        )

    def _resolve(self, name: str) -> tuple[Instance, str]:
        """What a name stands for, a tool's too; the service alone will do where it is configured once."""
        name = self._tool_names.get(name, name)
        service, _, operation = name.rpartition(".")
        if name not in self._entries and service and ":" not in service:
            several = [one for one in self._instances if one.split(":")[0] == service]
            if len(several) > 1 and service not in several:
                there = ", ".join(f"{one}.{operation}" for one in several)
                raise Invalid(
                    f"{service} is configured several times", hint=f"say which: {there}", field="operation"
                )
            name = f"{several[0]}.{operation}" if several else name
        if name not in self._entries:
            near = arguments.nearest(name, self._entries) or "find_operations tells which there are"
            raise NotFound(f"there is no operation {name!r:.80} here", hint=near, field="operation")
        instance, _, operation = name.rpartition(".")
        return self._instances[instance], operation

    def _named(self, name: str) -> Instance:
        several = [one for one in self._instances if name in (one, one.split(":")[0])]
        if not several:
            there = ", ".join(self.services()) or "none"
            raise NotFound(f"{name!r:.80} is not configured", hint=f"there are: {there}", field="service")
        return self._instances[several[0]]

    def _found(self, name: str) -> ports.OperationFound:
        entry = self._entries[name]
        return ports.OperationFound(
            name=name, summary=entry.summary, read_only=entry.read_only, destructive=entry.destructive
        )

    def _known(self, name: str) -> tuple[str, str, Manifest | None]:
        """What a search may know of an operation."""
        about = self._catalog.manifests.get(self._instances[name.rpartition(".")[0]].service)
        return name, self._entries[name].summary, about


def _ours(request_id: str) -> Call:
    return Call(principal=_OURSELVES, request_id=request_id)


def _is_of(name: str, service: str) -> bool:
    instance = name.rpartition(".")[0]
    return service in ("", instance, instance.split(":")[0])


def _digest(untrusted: Mapping[str, Any]) -> str:
    text = _CANONICAL.encode(untrusted)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _check_open(instance: Instance) -> None:
    if instance.is_closed:
        raise Unavailable("is configured no more, or otherwise", hint="ask again")


def _at(instance: Instance, error: WandError) -> WandError:
    """The same error, which says at whom it happened; its field is one of the caller's where it names one."""
    told = error.field or (instance.opened is not None and instance.opened.tells_errors_whole)
    error.message = error.message if told else f"{instance.id}: {error.message}"
    return error


async def _close(instances: Iterable[Instance]) -> None:
    closing = list[Coroutine[Any, Any, None]]()
    for instance in instances:
        instance.is_closed = True
        opened, instance.opened = instance.opened, None
        if opened is not None:
            closing.append(_close_one(instance.id, opened))
    await asyncio.gather(*closing)


async def _close_one(name: str, opened: BaseIntegration) -> None:
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await opened.cleanup()
    except Exception as why:  # noqa: BLE001 - somebody else's code: the others are closed all the same
        told = {"instance": name, "why": f"{type(why).__name__}: {why}"}
        log.warning("integration not closed in order", extra=told)
