"""The resources and prompts that the official conformance suite expects of a server."""

import json
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import GetPromptRequestParams, ReadResourceRequestParams

from conformance.tools import PIXEL, Answer, Context, elicitation, embedded, given, image, wanted
from wand_server.protocol.failures import INVALID_PARAMS
from wand_server.tools import skills

RESOURCES = [
    {"uri": "test://static-text", "name": "Static Text Resource", "mimeType": "text/plain"},
    {"uri": "test://static-binary", "name": "Static Binary Resource", "mimeType": "image/png"},
    {"uri": "test://watched-resource", "name": "Watched Resource", "mimeType": "text/plain"},
    *(
        {"uri": one.uri, "name": one.name, "description": one.description, "mimeType": one.mime_type}
        for one in skills.DESCRIBED
    ),
]
TEMPLATES = [
    {"uriTemplate": "test://template/{id}/data", "name": "Resource Template", "mimeType": "application/json"}
]


async def read_resource(_: Context, params: ReadResourceRequestParams) -> Answer:
    uri = str(params.uri)
    return {"contents": [{"uri": uri, **_content(uri)}], "resultType": "complete"}


def _content(uri: str) -> dict[str, Any]:
    if (skill := skills.read(uri)) is not None:
        return {"mimeType": skill.mime_type, "text": skill.data.decode()}
    match uri.removeprefix("test://").split("/"):
        case ["static-text"]:
            text = "This is the content of the static text resource."
            return {"mimeType": "text/plain", "text": text}
        case ["static-binary"]:
            return {"mimeType": "image/png", "blob": PIXEL}
        case ["watched-resource"]:
            return {"mimeType": "text/plain", "text": "Watched resource content"}
        case ["template", number, "data"]:
            told = {"id": number, "templateTest": True, "data": f"Data for ID: {number}"}
            return {"mimeType": "application/json", "text": json.dumps(told)}
    raise MCPError(INVALID_PARAMS, "Resource not found", {"uri": uri})


def _arguments(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "description": f"the {name}", "required": True} for name in names]


PROMPTS: list[dict[str, Any]] = [
    {"name": "test_simple_prompt", "description": "A simple prompt"},
    {
        "name": "test_prompt_with_arguments",
        "description": "Two blanks",
        "arguments": _arguments("arg1", "arg2"),
    },
    {
        "name": "test_prompt_with_embedded_resource",
        "description": "Has a resource in it",
        "arguments": _arguments("resourceUri"),
    },
    {"name": "test_prompt_with_image", "description": "Has an image in it"},
    {"name": "test_input_required_result_prompt", "description": "Needs something of the client first"},
]
_CONTEXT = elicitation("What is it about?", {"context": {"type": "string"}})


async def get_prompt(_: Context, params: GetPromptRequestParams) -> Answer:
    arguments = params.arguments or {}
    match params.name:
        case "test_simple_prompt":
            return _messages(_text("This is a simple prompt for testing."))
        case "test_prompt_with_arguments":
            said = f"Prompt with arguments: arg1='{arguments.get('arg1')}', arg2='{arguments.get('arg2')}'"
            return _messages(_text(said))
        case "test_prompt_with_embedded_resource":
            uri = arguments.get("resourceUri", "")
            resource = embedded(uri, "text/plain", "Embedded resource content for testing.")
            return _messages(resource, _text("Please process the embedded resource above."))
        case "test_prompt_with_image":
            return _messages(image(), _text("Please analyze the image above."))
        case "test_input_required_result_prompt":
            answer = given(params, "user_context")
            return _messages(_text(f"About {answer}")) if answer else wanted({"user_context": _CONTEXT})
    raise MCPError(INVALID_PARAMS, f"there is no prompt {params.name!r}")


def _text(text: str) -> Answer:
    return {"type": "text", "text": text}


def _messages(*content: Answer) -> Answer:
    messages = [{"role": "user", "content": one} for one in content]
    return {"messages": messages, "resultType": "complete"}
