"""The short way of `tools/call`: the SDK's answer, byte for byte, without its models on the way.

A call takes it only where it is plain: nothing in it that this module does not know. What the SDK decides
is not decided again here but remembered: whether it lets an envelope in (by the envelope's value), and how
it shapes a result (by the protocol's version). Everything else, and everything unknown, goes to the SDK.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.shared.inbound import MCP_METHOD_HEADER, MCP_NAME_HEADER, MCP_PROTOCOL_VERSION_HEADER
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    PROTOCOL_VERSION_META_KEY,
    SERVER_INFO_META_KEY,
    CallToolRequestParams,
    InitializeRequestParams,
)
from mcp_types.methods import serialize_server_result, validate_client_request
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from multidict import MultiMapping, istr
from pydantic import ValidationError
from pydantic_core import to_json

from wand_server.model import Progress, ToolResult
from wand_server.protocol.boundary import defect
from wand_server.protocol.exchange import Exchange
from wand_server.protocol.extensions import TASKS
from wand_server.protocol.failures import INTERNAL_ERROR, ProtocolFailure
from wand_server.protocol.messages import Request
from wand_server.protocol.methods import Methods, Visit, client_claim, readable_traceparent, wire_result

log = logging.getLogger(__name__)

METHOD = "tools/call"
_PARAMS = frozenset({"name", "arguments", "_meta"})
_ENVELOPE = frozenset({PROTOCOL_VERSION_META_KEY, CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY})
_BESIDE = frozenset({"progressToken", "traceparent", "tracestate", "baggage"})  # of no type, but the first
_MODERN_META = _ENVELOPE | _BESIDE
_VERSION, _METHOD, _NAME = map(istr, (MCP_PROTOCOL_VERSION_HEADER, MCP_METHOD_HEADER, MCP_NAME_HEADER))
_TEXT = frozenset({str})
_NONE: list[str] = []
_MOST_TOKEN = 2**53
_MOST_KNOWN = 512
_MOST_CHARACTERS = 4096  # of an envelope that is remembered

AskSdk = Callable[[Request, MultiMapping[str]], object]


@dataclass(frozen=True, slots=True)
class Shape:
    """How results look under one version of the protocol: all fields in their order, those of text empty."""

    result: Mapping[str, Any]
    block: Mapping[str, Any]  # the text in it


@dataclass(frozen=True, slots=True, eq=False)
class Client:
    """Who says to call statelessly, under which version, and whether a task is an answer to them."""

    claim: str
    version: str
    takes_tasks: bool
    can_be_asked: bool  # something, of its person


class Lane:
    """Answers plain calls of tools; `client_of` and `is_plain` say which those are."""

    def __init__(self, server: Server[Any], methods: Methods) -> None:
        self._server = server
        self._methods = methods
        self._shapes: dict[str, Shape | None] = {}
        self._clients: dict[bytes, Client | None] = {}
        self._agreed: set[tuple[Client, str, str, str, str]] = set()  # each is what a call says twice

    def client_of(self, params: dict[str, Any] | None) -> Client | None:
        """Who says to call statelessly, where the SDK would let this in as it is; None where it might not."""
        if not params or not _are_plain(params):
            return None
        about = params.get("_meta")
        if type(about) is not dict or not about.keys() <= _MODERN_META or not _is_plain_token(about):
            return None
        if not about.keys() <= _ENVELOPE:
            about = {key: value for key, value in about.items() if key in _ENVELOPE}
        client = self._remembered(about)
        if client is None or (client.takes_tasks and self._methods.may_last(params["name"])):
            return None
        if client.can_be_asked and self._methods.may_wait(params["name"]):
            return None
        return client

    def is_agreed(
        self, client: Client, request: Request, headers: MultiMapping[str], ask_sdk: AskSdk
    ) -> bool:
        """Whether the headers of a call agree with its body, as `ask_sdk` has said once of the same.

        It says so by raising nothing; where a header stands twice, this says no.
        """
        every = headers.getall
        version, method, named = every(_VERSION, _NONE), every(_METHOD, _NONE), every(_NAME, _NONE)
        if not len(version) == len(method) == len(named) == 1:
            return False
        assert request.params is not None
        name = request.params["name"]
        known = (client, name, version[0], method[0], named[0])
        if known not in self._agreed:
            ask_sdk(request, headers)
            if len(name) + len(named[0]) <= _MOST_CHARACTERS:
                if len(self._agreed) >= _MOST_KNOWN:
                    self._agreed.clear()
                self._agreed.add(known)
        return True

    def _remembered(self, envelope: dict[str, Any]) -> Client | None:
        known = to_json(envelope)  # tells apart all that JSON can say
        if known in self._clients:
            return self._clients[known]
        client = _client_in(envelope)
        if len(known) <= _MOST_CHARACTERS:
            if len(self._clients) >= _MOST_KNOWN:
                self._clients.clear()
            self._clients[known] = client
        return client

    def is_plain(self, params: dict[str, Any] | None, *, can_be_asked: bool = False) -> bool:
        """Whether the SDK would let this in from a client that has shaken hands, and perhaps can be asked."""
        if not params or not _are_plain(params):
            return False
        if can_be_asked and self._methods.may_wait(params["name"]):
            return False
        about = params.get("_meta", {})
        return type(about) is dict and about.keys() <= _BESIDE and _is_plain_token(about)

    async def call(self, version: str, client: str, request: Request, exchange: Exchange) -> dict[str, Any]:
        """The result of a plain call.

        Raises:
            ProtocolFailure: the answer is an error.
        """
        params = request.params or {}
        about = params.get("_meta") or {}
        trace = readable_traceparent(about["traceparent"]) if "traceparent" in about else ""
        progress = _progress(exchange) if "progressToken" in about else None
        visit = Visit(exchange.principal, client, "", "", trace, progress)
        try:
            result = await self._methods.call_tool(params["name"], params.get("arguments") or {}, visit)
            return self._shaped(version, result)
        except ProtocolFailure as why:
            why.request_id = request.id
            raise
        except Exception as broken:
            told = defect(METHOD, broken)
            told.request_id = request.id
            raise told from broken
        finally:
            exchange.closed = True

    # -- the result ---------------------------------------------------------------------------------------

    def _shaped(self, version: str, result: ToolResult) -> dict[str, Any]:
        shape = self._shapes[version] if version in self._shapes else self._learn(version)
        structured = result.structured
        if (
            result.links
            or result.pictures
            or shape is None
            or type(structured) is not dict
            or not set(map(type, structured)) <= _TEXT
        ):
            return self._shaped_by_sdk(version, wire_result(result, version))
        shaped = {**shape.result, "content": [{**shape.block, "text": result.text}]}
        shaped["isError"] = result.is_error
        if "structuredContent" in shaped:
            if structured or not result.is_error:
                shaped["structuredContent"] = structured
            else:
                del shaped["structuredContent"]
        return shaped

    def _shaped_by_sdk(self, version: str, wire: dict[str, Any]) -> dict[str, Any]:
        try:
            shaped = serialize_server_result(METHOD, version, wire)
        except ValidationError as why:
            log.exception("tool gave an invalid result")
            raise ProtocolFailure(INTERNAL_ERROR, "Handler returned an invalid result") from why
        if version in MODERN_PROTOCOL_VERSIONS:
            shaped["_meta"] = {SERVER_INFO_META_KEY: self._server.server_info_stamp}
        return shaped

    def _learn(self, version: str) -> Shape | None:
        """See how the SDK shapes a result; None where it changes more than which fields there are."""
        sample = wire_result(ToolResult(text="t", structured={"a": None, "b": [None]}), version)
        shaped = self._shaped_by_sdk(version, sample)
        kept = {name: value for name, value in shaped.items() if name != "_meta"}
        same = all(sample.get(name) == value for name, value in kept.items())
        shape = Shape(shaped, shaped["content"][0]) if same else None
        self._shapes[version] = shape
        return shape


def _are_plain(params: dict[str, Any]) -> bool:
    arguments = params.get("arguments")
    return (
        params.keys() <= _PARAMS
        and type(params.get("name")) is str
        and (arguments is None or type(arguments) is dict)
    )


def _is_plain_token(about: dict[str, Any]) -> bool:
    if "progressToken" not in about:
        return True
    token = about["progressToken"]
    return type(token) is str or (type(token) is int and abs(token) < _MOST_TOKEN)


def _client_in(envelope: dict[str, Any]) -> Client | None:
    """The client that an envelope names, as the SDK reads it; None where it does not let that in."""
    version = envelope.get(PROTOCOL_VERSION_META_KEY)
    if version not in MODERN_PROTOCOL_VERSIONS:
        return None
    params = {"name": "any", "arguments": {}, "_meta": envelope}
    try:
        validate_client_request(METHOD, version, params)
        CallToolRequestParams.model_validate(params, by_name=False)
    except ValidationError:
        return None
    read = Connection.from_envelope(
        version, envelope.get(CLIENT_INFO_META_KEY), envelope.get(CLIENT_CAPABILITIES_META_KEY)
    )
    can = read.client_capabilities
    takes_tasks = can is not None and TASKS in (can.extensions or {})
    can_be_asked = can is not None and can.elicitation is not None
    return Client(claim_of(read.client_params), version, takes_tasks, can_be_asked)


def claim_of(client: InitializeRequestParams | None) -> str:
    """The client at the other end, in one line; empty where it did not say."""
    return client_claim(client.client_info.name, client.client_info.version) if client else ""


def _progress(exchange: Exchange) -> Progress:
    async def tell(progress: float, total: float | None, message: str) -> None:
        await exchange.progress(progress, total, message or None)

    return tell
