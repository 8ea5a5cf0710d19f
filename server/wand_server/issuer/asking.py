"""What a client asks for when it sends a person to us: parameters in, an Asked or a refusal out."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from wand_server import scopes
from wand_server.issuer import redirects
from wand_server.issuer.clients import Clients
from wand_server.issuer.model import Asked, Client, Refusal, SentBack, Untrusted

MOST_CHARACTERS = 8192
MOST_SCOPES = 40
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # SHA-256 in base64url (RFC 7636, 4.2)
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")  # of a key (RFC 9449, 10)
_SCOPE = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_IGNORED = frozenset({"offline_access", "openid", "profile", "email"})  # asked for out of habit


def parameters(query: str) -> dict[str, str]:
    """The parameters of a query or a form, each of which may stand there once.

    Raises:
        Refusal: one stands there twice, or there is too much of it.
    """
    if len(query) > MOST_CHARACTERS:
        raise Refusal("invalid_request", f"there are more than {MOST_CHARACTERS} characters of parameters")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError as error:
        raise Refusal("invalid_request", "the parameters cannot be read") from error
    found = dict(pairs)
    if len(found) != len([name for name, _ in pairs if name != "resource"]) + ("resource" in found):
        raise Refusal("invalid_request", "a parameter stands there twice")
    if len({value for name, value in pairs if name == "resource"}) > 1:
        raise Refusal("invalid_target", "a token is for one resource")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads requests for tokens to one resource."""

    clients: Clients
    resource: str

    def has_to_fetch(self, query: str) -> bool:
        """Whether it would have to be fetched who asks, from an address that a stranger names."""
        try:
            return self.clients.has_to_fetch(parameters(query).get("client_id", ""))
        except Refusal:
            return False

    async def read(self, query: str) -> Asked:
        """What is asked for.

        Raises:
            Untrusted: nobody knows whom to answer: no such client, or not its address.
            SentBack: the client can be told what is wrong.
        """
        try:
            told = parameters(query)
            client = await self.clients.find(told.get("client_id", ""))
        except Refusal as why:
            raise Untrusted(f"This program cannot be let in: {why.text}.") from why
        redirect_uri = _redirect_uri(client, told.get("redirect_uri"))
        state = told.get("state")
        try:
            return Asked(
                client=client,
                redirect_uri=redirect_uri,
                scopes=self._check(told),
                resource=self.resource,
                challenge=told["code_challenge"],
                state=state,
                key=told.get("dpop_jkt", ""),
            )
        except Refusal as why:
            raise SentBack(redirect_uri, state, why) from why

    def _check(self, told: Mapping[str, str]) -> tuple[str, ...]:
        """The scopes, where all else is as it should be."""
        for name in ("request", "request_uri"):
            if name in told:
                raise Refusal(f"{name}_not_supported", f"{name} is not supported here")
        if told.get("response_type") != "code":
            raise Refusal("unsupported_response_type", "response_type must be code")
        if told.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(
            told.get("code_challenge", "")
        ):
            raise Refusal("invalid_request", "code_challenge must be there, and code_challenge_method S256")
        if told.get("response_mode", "query") != "query":
            raise Refusal("invalid_request", "response_mode must be query")
        if "dpop_jkt" in told and not _THUMBPRINT.fullmatch(told["dpop_jkt"]):
            raise Refusal("invalid_request", "dpop_jkt must be the thumbprint of a key")
        check_resource(told, self.resource)
        return read_scopes(told.get("scope", ""))


def check_resource(told: Mapping[str, str], resource: str) -> None:
    """Let a request pass that names our resource, or none (RFC 8707).

    Raises:
        Refusal: it names another.
    """
    if told.get("resource", resource) != resource:
        raise Refusal("invalid_target", f"resource must be {resource}")


def read_scopes(untrusted: str) -> tuple[str, ...]:
    """The scopes asked for, in a fixed order; where none is, those of everyday work.

    Raises:
        Refusal: one is no scope of ours; the text says which there are.
    """
    words = {word for word in untrusted.split() if word not in _IGNORED}
    if len(words) > MOST_SCOPES or not all(
        _SCOPE.fullmatch(word) and scopes.is_known(word) for word in words
    ):
        there_are = f"{', '.join(scopes.MEANING)} and {scopes.ONE_TOOL}NAME"
        raise Refusal("invalid_scope", f"scope names what there is not; there are {there_are}")
    order = [*scopes.MEANING, *sorted(words - set(scopes.MEANING))]
    return tuple(word for word in order if word in (words or scopes.EVERYDAY))


def may_give(wanted: Iterable[str], groups: Iterable[str], admin_groups: Collection[str]) -> tuple[str, ...]:
    """Those of the scopes that somebody in these groups may give away."""
    is_admin = any(group in admin_groups for group in groups)
    return tuple(one for one in wanted if is_admin or one != scopes.ADMIN)


def _redirect_uri(client: Client, untrusted: str | None) -> str:
    if untrusted is None and len(client.redirect_uris) == 1:
        return client.redirect_uris[0]
    if untrusted is None or not redirects.matches(client.redirect_uris, untrusted):
        raise Untrusted("This program wants to be answered at an address that it has not named as its own.")
    return untrusted
