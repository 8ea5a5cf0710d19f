"""What a client reads beside the tools: resources by URI, prompts by name, and completions of either."""

import base64
import logging
from typing import Any

from wand_proto.context import REQUEST_ID
from wand_proto.errors import NotFound, WandError
from wand_server import scopes
from wand_server.model import (
    Principal,
    PromptDescription,
    ResourceContent,
    ResourceDescription,
    refusal,
)
from wand_server.offers import HandedOut, Prompts, Resources, Skills
from wand_server.protocol import failures, messages
from wand_server.protocol.failures import FORBIDDEN, INVALID_PARAMS, ProtocolFailure
from wand_server.protocol.methods import Visit, call_of

log = logging.getLogger(__name__)

_READING = frozenset(
    {"resources/read", "resources/subscribe", "skills/get", "prompts/get", "completion/complete"}
)
COMPLETIONS_CEILING = 100  # the specification's own


class Library:
    """Resources and prompts, as methods of the protocol."""

    def __init__(
        self,
        resources: Resources,
        prompts: Prompts,
        skills: Skills | None = None,
        handed_out: HandedOut | None = None,
    ) -> None:
        self.handed_out = handed_out
        self.resources = resources
        self._prompts = prompts
        self.skills = skills

    def list_resources(self, cursor: str | None, principal: Principal) -> dict[str, Any]:
        """Every resource that the principal may read, on one page."""
        no_cursor(cursor)
        described = self.resources.describe() if _may_read(principal) else ()
        found = [_wire_resource(one, "uri") for one in described if not one.is_template]
        return {"resources": found, "resultType": "complete"}

    def list_templates(self, cursor: str | None, principal: Principal) -> dict[str, Any]:
        """Every template of what the principal may read, on one page."""
        no_cursor(cursor)
        described = self.resources.describe() if _may_read(principal) else ()
        found = [_wire_resource(one, "uriTemplate") for one in described if one.is_template]
        return {"resourceTemplates": found, "resultType": "complete"}

    def list_prompts(self, cursor: str | None, principal: Principal) -> dict[str, Any]:
        """Every prompt that the principal may have, on one page."""
        no_cursor(cursor)
        described = self._prompts.describe() if _may_read(principal) else ()
        return {"prompts": list(map(_wire_prompt, described)), "resultType": "complete"}

    async def read(self, uri: str, visit: Visit) -> dict[str, Any]:
        """Read a resource under a new request id.

        Raises:
            ProtocolFailure: there is none, or it cannot be read; the message says why.
        """
        call = call_of(visit)
        token = REQUEST_ID.set(call.request_id)
        try:
            content = await self.resources.read(uri, call)
        except NotFound as why:
            raise ProtocolFailure(INVALID_PARAMS, said(why), data={"uri": uri}) from why
        except WandError as why:
            log.info("resource refused", extra={"kind": type(why).__name__, "principal": call.principal.name})
            data = {"uri": uri, "kind": type(why).__name__}
            raise ProtocolFailure(INVALID_PARAMS, said(why), data=data) from why
        except Exception as broken:
            log.exception("resource broke", extra={"principal": call.principal.name})
            raise failures.internal(call.request_id) from broken
        finally:
            REQUEST_ID.reset(token)
        return {"contents": [_wire_content(content)], "resultType": "complete"}

    def prompt(self, name: str, arguments: dict[str, str]) -> dict[str, Any]:
        """A prompt as one message of the person.

        Raises:
            ProtocolFailure: there is no such prompt, or an argument is wrong.
        """
        try:
            text = self._prompts.get(name, arguments)
        except WandError as why:
            raise ProtocolFailure(INVALID_PARAMS, said(why)) from why
        described = next(one for one in self._prompts.describe() if one.name == name)
        message = {"role": "user", "content": {"type": "text", "text": text}}
        body = {"description": described.description, "messages": [message], "resultType": "complete"}
        return messages.sayable(body)

    def complete_prompt(self, name: str, argument: str, begun: str) -> dict[str, Any]:
        """What an argument of a prompt may go on with.

        Raises:
            ProtocolFailure: there is no such prompt.
        """
        described = next((one for one in self._prompts.describe() if one.name == name), None)
        if described is None:
            raise ProtocolFailure(INVALID_PARAMS, f"ref.name: there is no prompt {name[:80]!r}")
        choices = [choice for one in described.arguments if one.name == argument for choice in one.choices]
        return _completion([choice for choice in choices if choice.startswith(begun)])

    async def complete_resource(
        self, template: str, variable: str, begun: str, visit: Visit
    ) -> dict[str, Any]:
        """What a variable of a template may go on with; nothing where the host has nothing to tell.

        Raises:
            ProtocolFailure: there is no such template.
        """
        call = call_of(visit)
        token = REQUEST_ID.set(call.request_id)
        try:
            found = await self.resources.complete(template, variable, begun, call)
        except WandError as why:
            if why.field == "ref.uri":
                raise ProtocolFailure(INVALID_PARAMS, said(why)) from why
            found = ()
        finally:
            REQUEST_ID.reset(token)
        return messages.sayable(_completion(list(found)))


def check(principal: Principal, method: str) -> None:
    """Let a method pass that reads what stands here, or any other.

    Raises:
        ProtocolFailure: the principal's scopes do not open it.
    """
    try:
        check_method(principal, method)
    except scopes.InsufficientScope as why:
        raise ProtocolFailure(FORBIDDEN, said(why), data={"scope": why.needed}) from why


def check_method(principal: Principal, method: str) -> None:
    """The same, in the family of errors.

    Raises:
        InsufficientScope: the principal's scopes do not open it.
    """
    if method in _READING:
        scopes.check(principal, method, scopes.READ)


def _may_read(principal: Principal) -> bool:
    return scopes.READ in principal.scopes


def no_cursor(cursor: str | None) -> None:
    """Refuse a cursor: there is one page only."""
    if cursor is not None:
        raise ProtocolFailure(INVALID_PARAMS, "cursor: is unknown; everything stands on one page")


def said(why: WandError) -> str:
    """An error of the family in one text: what happened, and its hint."""
    return refusal(why).text.partition(": ")[2]


def _completion(values: list[str]) -> dict[str, Any]:
    shown = values[:COMPLETIONS_CEILING]
    found = {"values": shown, "total": len(values), "hasMore": len(values) > len(shown)}
    return {"completion": found, "resultType": "complete"}


def _wire_resource(one: ResourceDescription, key: str) -> dict[str, Any]:
    return {
        key: one.uri,
        "name": one.name,
        "title": one.title,
        "description": one.description,
        "mimeType": one.mime_type,
    }


def _wire_content(content: ResourceContent) -> dict[str, Any]:
    wire: dict[str, Any] = {"uri": content.uri, "mimeType": content.mime_type}
    try:
        wire["text"] = content.data.decode()
    except UnicodeDecodeError:
        wire["blob"] = base64.b64encode(content.data).decode()
    about = {**content.meta, **({"wand/next": content.next_uri} if content.next_uri else {})}
    return {**wire, "_meta": about} if about else wire


def _wire_prompt(prompt: PromptDescription) -> dict[str, Any]:
    return {
        "name": prompt.name,
        "title": prompt.title,
        "description": prompt.description,
        "arguments": [
            {"name": one.name, "description": one.description, "required": one.required}
            for one in prompt.arguments
        ],
    }
