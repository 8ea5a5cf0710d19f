"""Services at which each person acts with an account of their own."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from wand_proto.errors import Denied
from wand_server.integrations.kit import workspace
from wand_server.integrations.kit.base import Integration
from wand_server.integrations.kit.consent import Account, Asking, Person
from wand_server.integrations.kit.http import Signer
from wand_server.integrations.kit.oauth import By, Token, Tokens, ask, token_in, token_request
from wand_server.integrations.kit.operation import operation
from wand_server.integrations.kit.request import Request
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import Send, SignIn, secret
from wand_server.integrations.kit.workspace import Workspace

OF_PEOPLE = frozenset({"finish_sign_in", "forget_sign_in"})  # operations of all services for people
_MOST_PEOPLE = 1000  # whose tokens are at hand; those of others are fetched anew
_LONG_SECONDS = 10 * 365 * 86400.0  # for those that do not end


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent(SignIn):
    """Each person lets us use their account (authorization code with PKCE); settings as with `OAuth2`."""

    authorize_url: str
    token_url: str
    scope: str = ""
    issuer: str = ""  # as the service calls itself when it answers (RFC 9207), if it does
    by: By = "form"  # how we say who we are where tokens are
    body: Literal["form", "json"] = "form"  # of what tokens are asked with
    more: Mapping[str, str] = field(default_factory=dict)  # for the link
    scope_name: str = "scope"  # in the link
    inside: str = ""  # the member of the answer in which a person's token stands, if it does
    pkce: bool = True  # RFC 7636; false where a service refuses what it does not know

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        return _PeoplesTokens(_Endpoint(self, settings, send, strike), strike)


class _Endpoint:
    """The service's, as one instance is known to it."""

    def __init__(self, way: Consent, settings: BaseModel, send: Send, strike: Strike) -> None:
        blanks = settings.model_dump(mode="json")
        self._way = way
        self._authorize_url = way.authorize_url.format(**blanks)
        self._token_url = way.token_url.format(**blanks)
        self._client = (secret(settings, "client_id"), secret(settings, "client_secret"))
        self._send = send
        self._strike = strike

    def asking(self) -> Asking:
        """What a person is asked."""
        query = {"client_id": self._client[0], **self._way.more}
        if self._way.scope:
            query[self._way.scope_name] = self._way.scope
        way = self._way
        return Asking(
            url=self._authorize_url, query=query, issuer=way.issuer, exchange=self._exchange, pkce=way.pkce
        )

    async def _exchange(self, code: str, verifier: str, came_to: str) -> Account:
        form = {"grant_type": "authorization_code", "code": code}
        proof = {"code_verifier": verifier} if self._way.pkce else {}
        return await self._asked({**form, **proof, "redirect_uri": came_to})

    async def renewed(self, account: Account) -> Account:
        """The same account with another token.

        Raises:
            Denied: it is not to be used any more.
        """
        refresh = account.get("refresh_token")
        if not refresh:
            raise Denied("the permission to use your account has ended")
        self._strike.add(str(refresh))
        newer = await self._asked({"grant_type": "refresh_token", "refresh_token": str(refresh)})
        return {"refresh_token": refresh, **newer}

    async def _asked(self, form: Mapping[str, str]) -> Account:
        request = token_request(self._token_url, form, self._client, self._way.by)
        if self._way.body == "json":
            request.json, request.form = request.form, None
        body = await ask(self._send, request, self._strike, inside=self._way.inside)
        token, kept = token_in(body), {"access_token": body["access_token"]}
        if isinstance(refresh := body.get("refresh_token"), str) and refresh:
            self._strike.add(refresh)
            kept["refresh_token"] = refresh
        return {**kept, "until": time.time() + (token.seconds if "expires_in" in body else _LONG_SECONDS)}

    def known(self, account: Account) -> Token | None:
        """Its token, while that lasts."""
        left = float(account.get("until", 0)) - time.time()
        value = str(account.get("access_token", ""))
        self._strike.add(value)
        return Token(value=value, seconds=left) if value and left > 0 else None


class _PeoplesTokens:
    """Signs with the token of whoever calls."""

    def __init__(self, endpoint: _Endpoint, strike: Strike) -> None:
        self._endpoint = endpoint
        self._strike = strike
        self._tokens: OrderedDict[Person, Tokens] = OrderedDict()
        self._refused: set[Person] = set()  # whose token was, so that it is not taken from what is kept

    async def sign(self, request: Request) -> None:
        await self._of(_person(workspace.current())).sign(request)

    async def renew(self) -> bool:
        person = _person(workspace.current())
        self._refused.add(person)
        return await self._of(person).renew()

    def _of(self, person: Person) -> Tokens:
        if person not in self._tokens:
            self._tokens[person] = Tokens(partial(self._fetch, person), uses=self._strike.add)
            if len(self._tokens) > _MOST_PEOPLE:
                self._tokens.popitem(last=False)
        self._tokens.move_to_end(person)
        return self._tokens[person]

    async def _fetch(self, person: Person) -> Token:
        here = workspace.current()
        account = here.consents.accounts.get(here.instance, person)
        if account is None:
            raise self._unknown(here, person, "you have not let your account be used")
        token = None if person in self._refused else self._endpoint.known(account)
        if token is not None:
            return token
        try:
            account = await self._endpoint.renewed(account)
        except Denied as why:
            raise self._unknown(here, person, why.message) from why
        here.consents.accounts.put(here.instance, person, account)
        self._refused.discard(person)
        return Token(value=account["access_token"], seconds=float(account["until"]) - time.time())

    def _unknown(self, here: Workspace, person: Person, why: str) -> Denied:
        link = here.consents.link(here.instance, person, self._endpoint.asking())
        then = f"{here.instance}.finish_sign_in with the code that the last page shows"
        return Denied(why, hint=f"have your person open {link} in a browser, then call {then}")

    def forget(self, person: Person) -> None:
        """Use their token no more."""
        self._tokens.pop(person, None)
        self._refused.discard(person)


class Personal(Integration):
    """A service where people can act with accounts of their own: `sign_in` is, or has in it, `Consent`."""

    @operation()
    async def finish_sign_in(
        self, code: Annotated[str, Field(max_length=64, description="that the last page of the link shows")]
    ) -> None:
        """Finish a sign-in that was begun by a link: from now on your own account is used."""
        here = workspace.current()
        here.consents.finish(here.instance, _person(here), code)
        self._forget(_person(here))

    @operation(destructive=True, idempotent=True)
    async def forget_sign_in(self) -> None:
        """Forget your account: it is used no more until you sign in again."""
        here = workspace.current()
        here.consents.accounts.remove(here.instance, _person(here))
        self._forget(_person(here))

    def _forget(self, person: Person) -> None:
        if isinstance(signer := self.http.signer, _PeoplesTokens):
            signer.forget(person)


def _person(here: Workspace) -> Person:
    return here.call.principal.identity
