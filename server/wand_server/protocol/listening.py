"""What a client of the stateless era hears of between its answers: `subscriptions/listen`."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from mcp.server.lowlevel import Server
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import (
    SERVER_INFO_META_KEY,
    DiscoverResult,
    Notification,
    NotificationParams,
    RequestParams,
    ResourceUpdatedNotification,
    ResourceUpdatedNotificationParams,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenRequestParams,
    ToolListChangedNotification,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ConfigDict

from wand_proto.errors import WandError
from wand_server.model import ResourceState
from wand_server.protocol import tasking
from wand_server.protocol.extensions import Context, principal_of
from wand_server.protocol.failures import BUSY, ProtocolFailure
from wand_server.protocol.methods import Visit
from wand_server.protocol.reading import check
from wand_server.protocol.tasks import Task, Tasks
from wand_server.protocol.watching import Watcher

METHOD = "subscriptions/listen"
CEILING = 1000  # streams at once
OF_ONE_CEILING = 200
_URIS_CEILING = 32  # of one stream
_TASKS_CEILING = 32

Watching = tuple[Watcher, Callable[[Context], Visit]]
News = Callable[[], Any]
"""Makes a notification, as things are when its turn has come."""


class TaskParams(NotificationParams):
    """A task as it is now."""

    model_config = ConfigDict(extra="allow")


class TaskNotification(Notification[TaskParams, Literal["notifications/tasks"]]):
    """A task has changed (SEP-2663)."""

    method: Literal["notifications/tasks"] = "notifications/tasks"
    params: TaskParams


@dataclass(slots=True, eq=False)
class Stream:
    """One client that listens. Of each thing it is told the newest: who reads slowly, misses what is old."""

    honoured: SubscriptionFilter
    task_ids: frozenset[str]
    meta: dict[str, Any]
    is_ending: bool = False
    _news: dict[tuple[str, str], News] = field(default_factory=dict)
    _something: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, kind: str, name: str, news: News) -> None:
        """Have it told of that thing."""
        self._news[kind, name] = news
        self._something.set()

    def end(self) -> None:
        """Tell what there is, and then no more."""
        self.is_ending = True
        self._something.set()

    async def tell(self, context: Context) -> None:
        """Tell the client, until the stream is ended."""
        while True:
            await self._something.wait()
            self._something.clear()
            while self._news:
                await _send(context, self._news.pop(next(iter(self._news)))())
            if self.is_ending:
                return


class Listening:
    """The streams that are open, and where their news comes from."""

    def __init__(self, tasks: Tasks, watching: Watching | None = None) -> None:
        self._tasks = tasks
        self._watching = watching
        self._streams: dict[Stream, tuple[str, str, str]] = {}
        self._is_closed = False

    def tools_changed(self) -> None:
        """Tell those who want to hear of it that the list of tools is another now."""
        for stream in self._streams:
            if stream.honoured.tools_list_changed:
                _offer_tools(stream)

    def close(self) -> None:
        """End every stream, with an answer that says so; one that is opened yet ends at once."""
        self._is_closed = True
        for stream in self._streams:
            stream.end()

    async def listen(self, context: Context, params: SubscriptionsListenRequestParams) -> dict[str, Any]:
        """Answer subscriptions/listen: the answer ends the stream.

        Raises:
            ProtocolFailure: too many streams are open.
        """
        identity = principal_of(context).identity
        of_one = Counter(self._streams.values())[identity]
        if len(self._streams) >= CEILING or of_one >= OF_ONE_CEILING:
            raise ProtocolFailure(BUSY, "too many streams are open: end one, or try again later")
        wanted = params.notifications
        seen, task_ids = await self._watchable(context, wanted), self._own_tasks(context, wanted)
        meta = {SUBSCRIPTION_ID_META_KEY: context.request_id}
        stream = Stream(_honoured(wanted, list(seen), task_ids), frozenset(task_ids), meta)
        self._streams[stream] = identity
        if self._is_closed:
            stream.end()
        try:
            await self._run(context, stream, seen)
        finally:
            del self._streams[stream]
        return {"resultType": "complete", "_meta": meta}

    async def _run(self, context: Context, stream: Stream, seen: dict[str, ResourceState]) -> None:
        def hear(task: Task) -> None:
            if task.id in stream.task_ids:
                stream.offer("task", task.id, lambda: _task_news(stream, task, context.protocol_version))

        with self._tasks.listening(hear):
            await _acknowledge(context, stream)
            watches = [
                asyncio.create_task(self._watch(context, stream, uri, state)) for uri, state in seen.items()
            ]
            try:
                await stream.tell(context)
            finally:
                for watch in watches:
                    watch.cancel()
                await asyncio.gather(*watches, return_exceptions=True)

    async def _watch(self, context: Context, stream: Stream, uri: str, state: ResourceState) -> None:
        async def changed() -> None:
            stream.offer("resource", uri, lambda: _resource_news(uri, stream.meta))

        if self._watching is not None:
            watcher, visit_of = self._watching
            await watcher.watch(uri, visit_of(context), state, changed)

    async def _watchable(self, context: Context, wanted: SubscriptionFilter) -> dict[str, ResourceState]:
        """Those of the resources that can be watched, each as it is; nothing is said of the others."""
        found: dict[str, ResourceState] = {}
        uris = dict.fromkeys(wanted.resource_subscriptions or ())
        if self._watching is None or not uris:
            return found
        watcher, visit_of = self._watching
        check(principal_of(context), "resources/subscribe")
        for uri in list(uris)[:_URIS_CEILING]:
            try:
                found[uri] = await watcher.look(uri, visit_of(context))
            except WandError:
                continue
        return found

    def _own_tasks(self, context: Context, wanted: SubscriptionFilter) -> list[str]:
        asked = (wanted.model_extra or {}).get("taskIds")
        if not isinstance(asked, list) or not tasking.is_negotiated(context):
            return []
        principal = principal_of(context)
        ids = [one for one in asked[:_TASKS_CEILING] if isinstance(one, str)]
        return [one for one in dict.fromkeys(ids) if self._tasks.has(principal, one)]


def add_methods(server: Server[Any], listening: Listening) -> None:
    """Let the server answer to subscriptions/listen, and say what is told there: the SDK says all."""

    async def discover(context: Context, _: RequestParams | None) -> DiscoverResult:
        can = server.get_capabilities(protocol_version=context.protocol_version)
        for lists in (can.prompts, can.resources):
            if lists is not None:
                lists.list_changed = False
        return DiscoverResult(
            supported_versions=list(MODERN_PROTOCOL_VERSIONS),
            capabilities=can,
            instructions=server.instructions,
            _meta={
                SERVER_INFO_META_KEY: server.server_info.model_dump(
                    by_alias=True, mode="json", exclude_none=True
                )
            },
        )

    server.add_request_handler(METHOD, SubscriptionsListenRequestParams, listening.listen)
    server.add_request_handler("server/discover", RequestParams, discover)


def _honoured(wanted: SubscriptionFilter, uris: list[str], task_ids: list[str]) -> SubscriptionFilter:
    """What of it will be told: prompts, and which resources there are, never change while a server runs."""
    found: dict[str, Any] = {"taskIds": task_ids} if task_ids else {}
    if wanted.tools_list_changed:
        found["toolsListChanged"] = True
    if uris:
        found["resourceSubscriptions"] = uris
    return SubscriptionFilter.model_validate(found)


def _offer_tools(stream: Stream) -> None:
    params = NotificationParams(_meta=stream.meta)
    stream.offer("tools", "", lambda: ToolListChangedNotification(params=params))


def _task_news(stream: Stream, task: Task, version: str) -> TaskNotification:
    told = {"_meta": stream.meta, **tasking.detailed(task, version)}
    return TaskNotification(params=TaskParams.model_validate(told))


def _resource_news(uri: str, meta: dict[str, Any]) -> ResourceUpdatedNotification:
    return ResourceUpdatedNotification(params=ResourceUpdatedNotificationParams(uri=uri, _meta=meta))


async def _acknowledge(context: Context, stream: Stream) -> None:
    params = SubscriptionsAcknowledgedNotificationParams(notifications=stream.honoured, _meta=stream.meta)
    await _send(context, SubscriptionsAcknowledgedNotification(params=params))


async def _send(context: Context, notification: Any) -> None:
    """Say it on the stream of the request."""
    await context.session.send_notification(notification, related_request_id=context.request_id)
