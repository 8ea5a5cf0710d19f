"""Sign-in by a person's own account (RFC 6749, 4.1, with RFC 7636): they open a link, and let us use it.

Who opened the link is not known here. So its last page shows a code, and whoever asked has to bring it: a
link that somebody sends to another gains them nothing.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from wand_proto.errors import Denied, Invalid

_LINK_SECONDS = 600.0
_SAME_LINK_SECONDS = 300.0  # within which who asks again is told the same link
_MOST_OPEN = 1000  # links that have been told and not been used
_MOST_CODES = 5  # wrong ones, until the link has to be opened again
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_CODE_LETTERS = 10

Person = tuple[str, str, str]
"""A principal's identity: by which means, who, on whose behalf."""

Account = Mapping[str, Any]
"""What a token endpoint gave for a person."""


class Accounts(Protocol):
    """Where what people have permitted is kept."""

    def get(self, instance: str, person: Person) -> Account | None: ...
    def put(self, instance: str, person: Person, account: Account) -> None: ...
    def remove(self, instance: str, person: Person) -> bool: ...


class InMemory:
    """Keeps them until the server ends."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Person], Account] = {}

    def get(self, instance: str, person: Person) -> Account | None:
        """What was kept for them."""
        return self._kept.get((instance, person))

    def put(self, instance: str, person: Person, account: Account) -> None:
        """Keep it, in place of what was."""
        self._kept[instance, person] = account

    def remove(self, instance: str, person: Person) -> bool:
        """Forget it; whether there was any."""
        return self._kept.pop((instance, person), None) is not None


Exchange = Callable[[str, str, str], Awaitable[Account]]
"""The account for an authorization code, its verifier, and the address to which it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What is asked of a person, where, and what is then done with the code."""

    url: str
    query: Mapping[str, str]
    issuer: str = ""  # that has to call itself so (RFC 9207)
    exchange: Exchange
    pkce: bool = True


@dataclass(slots=True, kw_only=True)
class _Open:
    """One link that has been told."""

    instance: str
    person: Person
    asking: Asking
    verifier: str
    since: float
    link: str = ""
    account: Account | None = None
    code: str = ""
    tries: int = 0


class Consents:
    """Links that people open, and what came of it."""

    def __init__(self, address: str, accounts: Accounts, clock: Callable[[], float] = time.monotonic) -> None:
        """`address` is where their browsers come back to; empty: they cannot be asked here."""
        self._address = address
        self.accounts = accounts
        self._clock = clock
        self._open: OrderedDict[str, _Open] = OrderedDict()  # by their state, the oldest first
        self._latest: dict[tuple[str, Person], str] = {}

    def link(self, instance: str, person: Person, asking: Asking) -> str:
        """The link by which that person lets an instance use their account.

        Raises:
            Denied: nobody can be asked here, or it cannot be told who they are.
        """
        if not self._address:
            hint = "the administrator sets integrations.address"
            raise Denied("people cannot be asked: no address is set to which they come back", hint=hint)
        if person[0] == "anonymous":
            raise Denied("an account is used for those who have signed in, and nobody else")
        told = self._open.get(self._latest.get((instance, person), ""))
        if told and self._clock() - told.since < _SAME_LINK_SECONDS:
            return told.link
        return self._new(instance, person, asking)

    def _new(self, instance: str, person: Person, asking: Asking) -> str:
        self._drop(self._latest.get((instance, person), ""))
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        query = {
            **asking.query,
            "response_type": "code",
            "redirect_uri": self._address,
            "state": state,
        }
        if asking.pkce:
            query |= {"code_challenge": challenge.decode(), "code_challenge_method": "S256"}
        link = f"{asking.url}{'&' if '?' in asking.url else '?'}{urlencode(query)}"
        self._open[state] = _Open(
            instance=instance, person=person, asking=asking, verifier=verifier, since=self._clock(), link=link
        )
        self._latest[instance, person] = state
        while len(self._open) > _MOST_OPEN:
            self._drop(next(iter(self._open)))
        return link

    def _drop(self, state: str) -> None:
        gone = self._open.pop(state, None)
        if gone is not None and self._latest.get((gone.instance, gone.person)) == state:
            del self._latest[gone.instance, gone.person]

    async def came_back(self, untrusted: Mapping[str, str]) -> tuple[str, Person, str]:
        """What a browser brings: the instance, for whom, and the code that they are to tell.

        Raises:
            Invalid: the link is too old, was used, or is none of ours.
            Denied: they did not permit it, or the service does not stand to it.
        """
        state = untrusted.get("state", "")
        told = self._open.get(state)
        if told is None or told.code or self._clock() - told.since > _LINK_SECONDS:
            raise Invalid("this link is too old, or was used already", hint="ask for another", field="state")
        told.code = _new_code()  # from here on it cannot be used again
        try:
            if told.asking.issuer and untrusted.get("iss") != told.asking.issuer:
                raise Denied("somebody else answers than was asked")
            if not untrusted.get("code"):
                raise Denied("the account was not given free", hint=untrusted.get("error", "")[:80])
            told.account = await told.asking.exchange(untrusted["code"], told.verifier, self._address)
        finally:
            if told.account is None:
                self._drop(state)
        return told.instance, told.person, told.code

    def finish(self, instance: str, person: Person, code: str) -> None:
        """Keep the account, for whoever asked brings the code that its page showed.

        Raises:
            Invalid: it is another, or it is too late.
        """
        state = self._latest.get((instance, person), "")
        told = self._open.get(state)
        is_open = told is not None and self._clock() - told.since <= _LINK_SECONDS
        if told is None or told.account is None or not is_open:
            raise Invalid("no link of yours has been opened to its last page", field="code")
        if not hmac.compare_digest(told.code.encode(), code.strip().lower().encode("utf-8", "replace")):
            told.tries += 1
            if told.tries >= _MOST_CODES:
                self._drop(state)
            raise Invalid("is not the code that the page shows", field="code")
        self.accounts.put(instance, person, told.account)
        self._drop(state)


def _new_code() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LETTERS))
