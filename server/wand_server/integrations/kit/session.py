"""Sessions: one logs in by a request, and brings a cookie or a token with each other, until it is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from wand_proto.errors import Denied
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.http import Signer
from wand_server.integrations.kit.oauth import Token, Tokens, answer_of
from wand_server.integrations.kit.paging import found
from wand_server.integrations.kit.request import Method, Request
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import Send, SignIn, secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(SignIn):
    """A log-in at `path`: `fields` says which setting goes into which field of its body.

    What it gives is the cookie of that name, or else what stands at the place `token` of its answer, or in
    the header of that name if it begins with a capital letter; it goes into `header`, after `word`.
    """

    path: str
    fields: Mapping[str, str] = field(
        default_factory=lambda: {"username": "username", "password": "password"}
    )
    body: Literal["json", "form"] = "json"
    method: Method = "POST"
    cookie: str = ""
    token: str = "token"  # noqa: S105 - where one is
    header: str = "Authorization"
    word: str = "Bearer "
    seconds: float = 1800.0  # after which it is begun anew, unless it is refused before

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        async def fetch() -> Token:
            given = {name: secret(settings, setting) for name, setting in self.fields.items()}
            request = Request(method=self.method, path=self.path)
            if self.body == "form":
                request.form = given
            else:
                request.json = given
            value = self._in(await answer_of(send, request, strike))
            strike.add(value)
            return Token(value=value, seconds=self.seconds)

        if self.cookie:
            return Tokens(fetch, header="Cookie", word=f"{self.cookie}=")
        return Tokens(fetch, header=self.header, word=self.word)

    def _in(self, answered: Answered) -> str:
        value: Any
        if self.cookie:
            where, value = f"cookie {self.cookie}", answered.cookies.get(self.cookie)
        elif self.token[:1].isupper():
            where, value = f"header {self.token}", answered.headers.get(self.token.lower())
        else:
            where, value = f"member {self.token}", found(answered.body, self.token)
        if not isinstance(value, str) or not value:
            raise Denied(f"no sign-in: the answer to the log-in has no {where}")
        return value
