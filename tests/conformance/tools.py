"""The tools that the official conformance suite expects of a server, by the names that it calls them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolRequestParams,
    GetPromptRequestParams,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
)

from wand_server.protocol.failures import INVALID_PARAMS, MISSING_CAPABILITY

Context = ServerRequestContext[Any, Any]
Answer = dict[str, Any]
Run = Callable[[Context, CallToolRequestParams], Awaitable[Answer]]

# One red pixel, and 44 bytes of RIFF header without a sound.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
ONE_TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}


def said(*texts: str, is_error: bool = False) -> Answer:
    content = [{"type": "text", "text": text} for text in texts]
    return {"content": content, "isError": is_error, "resultType": "complete"}


def told(*content: Answer) -> Answer:
    return {"content": list(content), "isError": False, "resultType": "complete"}


def image() -> Answer:
    return {"type": "image", "data": PIXEL, "mimeType": "image/png"}


def embedded(uri: str, kind: str, text: str) -> Answer:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": text}}


async def simple_text(_: Context, __: CallToolRequestParams) -> Answer:
    return said("This is a simple text response for testing.")


async def greet(_: Context, params: CallToolRequestParams) -> Answer:
    return said(f"Hello, {(params.arguments or {}).get('name', '')}!")


async def image_content(_: Context, __: CallToolRequestParams) -> Answer:
    return told(image())


async def audio_content(_: Context, __: CallToolRequestParams) -> Answer:
    return told({"type": "audio", "data": SILENCE, "mimeType": "audio/wav"})


async def embedded_resource(_: Context, __: CallToolRequestParams) -> Answer:
    text = "This is an embedded resource content."
    return told(embedded("test://embedded-resource", "text/plain", text))


async def multiple_content_types(_: Context, __: CallToolRequestParams) -> Answer:
    text = {"type": "text", "text": "Multiple content types test:"}
    thing = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
    return told(text, image(), thing)


async def error_handling(_: Context, __: CallToolRequestParams) -> Answer:
    return said("This tool intentionally returns an error for testing", is_error=True)


async def with_logging(context: Context, _: CallToolRequestParams) -> Answer:
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await log(context, text)
        await asyncio.sleep(0.05)
    return said("Tool with logging executed successfully")


async def log(context: Context, text: str) -> None:
    message = LoggingMessageNotification(
        params=LoggingMessageNotificationParams(level="info", data=text, logger="conformance")
    )
    if may_log(context):
        await context.session.send_notification(message, related_request_id=context.request_id)


def may_log(context: Context) -> bool:
    """In the stateless era, whoever wants to hear of it says so with the request."""
    meta = dict((context.params or {}).get("_meta") or {})
    is_modern = "io.modelcontextprotocol/protocolVersion" in meta
    return not is_modern or "io.modelcontextprotocol/logLevel" in meta


async def with_progress(context: Context, _: CallToolRequestParams) -> Answer:
    for done in (0, 50, 100):
        await context.session.report_progress(done, 100, f"Completed step {done} of 100")
        await asyncio.sleep(0.05)
    return said("Tool with progress executed successfully")


# -- what needs something of the client ------------------------------------------------------------------


async def sampling(context: Context, params: CallToolRequestParams) -> Answer:
    prompt = str((params.arguments or {}).get("prompt", ""))
    message = {"role": "user", "content": {"type": "text", "text": prompt}}
    answer = await ask(context, "sampling/createMessage", {"messages": [message], "maxTokens": 100})
    return said(f"LLM response: {answer.get('content', {}).get('text', '')}")


USER = {
    "type": "object",
    "properties": {"username": {"type": "string"}, "email": {"type": "string"}},
    "required": ["username", "email"],
}
DEFAULTS = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
}
OPTIONS = ["option1", "option2", "option3"]
TITLED = [
    {"const": f"value{number}", "title": f"{word} Option"}
    for number, word in enumerate(("First", "Second", "Third"), 1)
]
ENUMS = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": OPTIONS},
        "titledSingle": {"type": "string", "oneOf": TITLED},
        "legacyEnum": {
            "type": "string", "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": OPTIONS}},
        "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
    },
}  # fmt: skip


def elicits(schema: dict[str, Any], message: str) -> Run:
    """A tool that asks its client to fill in a form."""

    async def run(context: Context, params: CallToolRequestParams) -> Answer:
        text = str((params.arguments or {}).get("message", message))
        form = {"mode": "form", "message": text, "requestedSchema": schema}
        answer = await ask(context, "elicitation/create", form)
        return said(f"Elicitation completed: action={answer.get('action')}, content={answer.get('content')}")

    return run


async def ask(context: Context, method: str, params: dict[str, Any]) -> Answer:
    """Ask the client on the stream of the call."""
    return await context.session._request_outbound.send_raw_request(method, params)


async def missing_capability(context: Context, _: CallToolRequestParams) -> Answer:
    claimed = context.session.client_params
    if claimed is None or claimed.capabilities.sampling is None:
        data: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_CAPABILITY, "this tool needs a client that can sample", data)
    return said("the client can sample")


async def logging_tool(context: Context, _: CallToolRequestParams) -> Answer:
    await log(context, "a line for who asked for it")
    return said("logged")


# -- input_required, of the stateless era ----------------------------------------------------------------


def elicitation(message: str, properties: dict[str, Any]) -> Answer:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "method": "elicitation/create",
        "params": {"mode": "form", "message": message, "requestedSchema": schema},
    }


NAME = elicitation("What is your name?", {"name": {"type": "string"}})
SAMPLE = {
    "method": "sampling/createMessage",
    "params": {
        "messages": [{"role": "user", "content": {"type": "text", "text": "What is the capital of France?"}}],
        "maxTokens": 100,
    },
}
ROOTS: Answer = {"method": "roots/list", "params": {}}


def wanted(requests: dict[str, Answer], state: str | None = None) -> Answer:
    answer: Answer = {"resultType": "input_required", "inputRequests": requests}
    return answer if state is None else {**answer, "requestState": state}


def given(params: CallToolRequestParams | GetPromptRequestParams, key: str) -> Any:
    """The client's answer under that key, as plain data; nothing where there is none."""
    found = (params.input_responses or {}).get(key)
    return None if found is None else found.model_dump(by_alias=True, exclude_none=True)


def requires(key: str, request: Answer, state: str | None = None) -> Run:
    """A tool that needs one answer of its client."""

    async def run(_: Context, params: CallToolRequestParams) -> Answer:
        answer = given(params, key)
        if answer is None:
            return wanted({key: request}, state)
        if state is not None and params.request_state != state:
            raise MCPError(INVALID_PARAMS, "requestState: is not the one that was given")
        return said(f"{'state-ok ' if state else ''}got {answer}")

    return run


async def streaming_elicitation(context: Context, params: CallToolRequestParams) -> Answer:
    """Says something on the stream first, and then what it needs."""
    if given(params, "user_name") is not None:
        return said("got it")
    await context.session.report_progress(1, 2, "about to ask")
    return wanted({"user_name": NAME})


async def multiple_inputs(_: Context, params: CallToolRequestParams) -> Answer:
    requests = {"user_name": NAME, "capital": SAMPLE, "roots": ROOTS}
    missing = {key: request for key, request in requests.items() if given(params, key) is None}
    return wanted(missing, "several") if missing else said("got all of it")


async def multi_round(_: Context, params: CallToolRequestParams) -> Answer:
    color = elicitation("What is your favourite colour?", {"color": {"type": "string"}})
    match params.request_state:
        case None:
            return wanted({"step1": NAME}, "round-1")
        case "round-1":
            return (
                wanted({"step2": color}, "round-2")
                if given(params, "step1")
                else wanted({"step1": NAME}, "round-1")
            )
        case _:
            return (
                said("all rounds are over") if given(params, "step2") else wanted({"step2": color}, "round-2")
            )


async def capabilities(context: Context, params: CallToolRequestParams) -> Answer:
    """Asks only for what the client said that it can."""
    claimed = context.session.client_params
    can = claimed.capabilities if claimed else None
    requests: dict[str, Answer] = {}
    if can and can.elicitation is not None:
        requests["user_name"] = NAME
    if can and can.sampling is not None:
        requests["capital"] = SAMPLE
    if not requests or params.input_responses:
        return said("nothing more is needed")
    return wanted(requests)


JSON_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
WITH_HEADER = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "query": {"type": "string"},
        "priority": {"type": "integer", "x-mcp-header": "Priority"},
        "verbose": {"type": "boolean", "x-mcp-header": "Verbose"},
    },
    "required": ["query"],
}
WITH_NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
PROMPT = {"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]}
MESSAGE = {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}

TOOLS: dict[str, tuple[Run, dict[str, Any]]] = {
    "test_simple_text": (simple_text, NO_ARGUMENTS),
    "greet": (greet, WITH_NAME),
    "test_trigger_tool_change": (simple_text, NO_ARGUMENTS),
    "test_image_content": (image_content, NO_ARGUMENTS),
    "test_audio_content": (audio_content, NO_ARGUMENTS),
    "test_embedded_resource": (embedded_resource, NO_ARGUMENTS),
    "test_multiple_content_types": (multiple_content_types, NO_ARGUMENTS),
    "test_tool_with_logging": (with_logging, NO_ARGUMENTS),
    "test_error_handling": (error_handling, NO_ARGUMENTS),
    "test_tool_with_progress": (with_progress, NO_ARGUMENTS),
    "test_sampling": (sampling, PROMPT),
    "test_elicitation": (elicits(USER, "Please tell"), MESSAGE),
    "test_elicitation_sep1034_defaults": (elicits(DEFAULTS, "Please review"), NO_ARGUMENTS),
    "test_elicitation_sep1330_enums": (elicits(ENUMS, "Please choose"), NO_ARGUMENTS),
    "test_missing_capability": (missing_capability, NO_ARGUMENTS),
    "test_streaming_elicitation": (streaming_elicitation, NO_ARGUMENTS),
    "test_logging_tool": (logging_tool, NO_ARGUMENTS),
    "json_schema_2020_12_tool": (simple_text, JSON_SCHEMA),
    "test_custom_header": (simple_text, WITH_HEADER),
    "test_input_required_result_elicitation": (requires("user_name", NAME), NO_ARGUMENTS),
    "test_input_required_result_sampling": (requires("capital_question", SAMPLE), NO_ARGUMENTS),
    "test_input_required_result_list_roots": (requires("client_roots", ROOTS), NO_ARGUMENTS),
    "test_input_required_result_request_state": (requires("confirm", NAME, "one"), NO_ARGUMENTS),
    "test_input_required_result_multiple_inputs": (multiple_inputs, NO_ARGUMENTS),
    "test_input_required_result_multi_round": (multi_round, NO_ARGUMENTS),
    "test_input_required_result_tampered_state": (requires("confirm", NAME, "one"), NO_ARGUMENTS),
    "test_input_required_result_capabilities": (capabilities, NO_ARGUMENTS),
}
