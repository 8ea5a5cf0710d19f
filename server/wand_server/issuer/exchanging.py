"""What programs ask for: tokens for a code, further tokens, an end to them, and a name of their own."""

import math
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace

from aiohttp import web

from wand_server.issuer import asking, forms
from wand_server.issuer import clients as clients_
from wand_server.issuer.accesstokens import AccessTokens
from wand_server.issuer.clients import Clients
from wand_server.issuer.grants import Grants, Presented
from wand_server.issuer.model import Grant, Refusal
from wand_server.issuer.peers import Peers
from wand_server.issuer.people import People
from wand_server.issuer.slowing import Slowing

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
Told = dict[str, str]
Exchange = Callable[[Told, str, str], Awaitable[tuple[Grant, str | None]]]
Prove = Callable[[web.BaseRequest], str]
"""The thumbprint of the key that a request proves to have (DPoP), nothing where it brings no proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanging:
    """The token endpoint (RFC 6749, 3.2), revocation (RFC 7009) and registration (RFC 7591)."""

    clients: Clients
    grants: Grants
    people: People | None  # None where a proxy signs people in
    tokens: AccessTokens
    resource: str
    admin_groups: Collection[str]
    peers: Peers
    registering: Slowing
    refused: Callable[[str, str], None]
    prove: Prove | None

    async def token(self, request: web.BaseRequest) -> web.StreamResponse:
        """Tokens for what the client presents."""
        told, client_id = await self._client(request)
        exchanges: dict[str, Exchange] = {
            "authorization_code": self._for_code,
            "refresh_token": self._for_refresh_token,
        }
        exchange = exchanges.get(told.get("grant_type", ""))
        if exchange is None:
            raise Refusal("unsupported_grant_type", f"grant_type must be one of {', '.join(exchanges)}")
        asking.check_resource(told, self.resource)
        key = self.prove(request) if self.prove else ""
        try:
            grant, refresh = await exchange(told, client_id, key)
        except Refusal as why:
            self._tell(request, why)
            raise
        groups = await self._groups(grant)
        still = asking.may_give(grant.scopes, groups, self.admin_groups)
        return forms.answer(self._tokens(replace(grant, scopes=still), groups, refresh))

    async def revoke(self, request: web.BaseRequest) -> web.StreamResponse:
        """End what a token stands for, if it is the client's; what is unknown is over anyway."""
        told, client_id = await self._client(request)
        token = told.get("token")
        if not token:
            raise Refusal("invalid_request", "token is missing")
        grant = self.tokens.grant_of(token)
        if grant is None:
            await self.grants.revoke_token(token, client_id)
        else:
            await self.grants.revoke(grant, client_id)
        return forms.answer({})

    async def register(self, request: web.BaseRequest) -> web.StreamResponse:
        """A name for a client that has none; whoever registers many has to wait longer and longer."""
        address = self.peers.address(request)
        if wait := math.ceil(self.registering.wait_seconds(address)):
            after = {"Retry-After": str(wait)}
            why = f"too many clients have registered from this address; wait {wait} seconds"
            raise Refusal("temporarily_unavailable", why, status=429, headers=after)
        self.registering.begin(address)
        return forms.answer(await self.clients.register(await forms.read_json(request)), 201)

    async def _client(self, request: web.BaseRequest) -> tuple[Told, str]:
        told = await forms.read_form(request)
        shown = clients_.shown(request.headers.getall("Authorization", []), told)
        try:
            await self.clients.check(shown)
        except Refusal as why:
            self._tell(request, why)
            raise
        return told, shown.id

    def _tell(self, request: web.BaseRequest, why: Refusal) -> None:
        """Have a stolen or guessed token or secret on record; of other mistakes there is nothing to tell."""
        if why.code in {"invalid_grant", "invalid_client"}:
            self.refused(self.peers.address(request), why.text)

    async def _for_code(self, told: Told, client_id: str, key: str) -> tuple[Grant, str | None]:
        verifier = told.get("code_verifier", "")
        if not told.get("code") or not _VERIFIER.fullmatch(verifier):
            raise Refusal("invalid_request", "code, or code_verifier of 43 to 128 characters, is missing")
        uri = told.get("redirect_uri")
        presented = Presented(code=told["code"], client_id=client_id, redirect_uri=uri, verifier=verifier)
        return await self.grants.redeem(replace(presented, key=key))

    async def _for_refresh_token(self, told: Told, client_id: str, key: str) -> tuple[Grant, str | None]:
        if not told.get("refresh_token"):
            raise Refusal("invalid_request", "refresh_token is missing")
        wanted = asking.read_scopes(told["scope"]) if told.get("scope", "").strip() else ()
        return await self.grants.refresh(told["refresh_token"], client_id, wanted, key)

    async def _groups(self, grant: Grant) -> tuple[str, ...]:
        """The groups of the person, as they are now."""
        if self.people is None:
            return grant.groups
        user = await self.people.find(grant.user)
        if user is None:
            await self.grants.revoke(grant.id)
            raise Refusal("invalid_grant", "the person may sign in no more")
        return user.groups

    def _tokens(self, grant: Grant, groups: tuple[str, ...], refresh: str | None) -> dict[str, str | int]:
        more = {"refresh_token": refresh} if refresh else {}
        return {
            "access_token": self.tokens.write(grant, groups),
            "token_type": "DPoP" if grant.key else "Bearer",
            "expires_in": self.tokens.seconds,
            "scope": " ".join(grant.scopes),
            **more,
        }
