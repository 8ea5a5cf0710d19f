"""How one signs in to a service: what an integration says, and the signer that an instance gets from it."""

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, SecretStr

from wand_proto.errors import Invalid
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.http import Signer
from wand_server.integrations.kit.request import Request
from wand_server.integrations.kit.secrets import Strike

Send = Callable[[Request], Awaitable[Answered]]
"""Send a request as it is, once; raises what aiohttp raises."""


class SignIn(ABC):
    """One way; it names the settings that it needs, and holds no secret."""

    @abstractmethod
    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        """What signs for an instance with these settings; secrets that it comes by are struck out too."""


def secret(settings: BaseModel, name: str) -> str:
    """A setting as text, a secret one opened; empty where it is not given, or there is none."""
    value = getattr(settings, name, None)
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")


@dataclass(frozen=True, slots=True)
class FirstOf(SignIn):
    """Of several ways the first whose settings are given."""

    ways: tuple[tuple[tuple[str, ...], SignIn], ...]  # the settings that each needs

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        for needed, way in self.ways:
            if all(secret(settings, name) for name in needed):
                return way.signer(settings, send, strike)
        choices = " or ".join(" and ".join(needed) for needed, _ in self.ways)
        raise Invalid(f"no sign-in is set: give {choices}")


@dataclass(frozen=True, slots=True)
class AllOf(SignIn):
    """Several ways at once, each of which adds its part."""

    ways: tuple[SignIn, ...]

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        return _Together([way.signer(settings, send, strike) for way in self.ways])


class _Together:
    """Signers of which each has its turn."""

    def __init__(self, signers: Sequence[Signer]) -> None:
        self._signers = signers

    async def sign(self, request: Request) -> None:
        for one in self._signers:
            await one.sign(request)

    async def renew(self) -> bool:
        """Whether one of them has something newer."""
        return any([await one.renew() for one in self._signers])


class Stamp:
    """A signer that adds the same to every request."""

    is_instant = True

    def __init__(self, add: Callable[[Request], None]) -> None:
        self._add = add

    async def sign(self, request: Request) -> None:
        self._add(request)

    async def renew(self) -> bool:
        """There is nothing newer."""
        return False


@dataclass(frozen=True, slots=True)
class Nobody(SignIn):
    """No sign-in."""

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:  # noqa: ARG002
        return Stamp(lambda _: None)


@dataclass(frozen=True, slots=True)
class Bearer(SignIn):
    """`Authorization: Bearer` (RFC 6750), or another word than Bearer; without the setting, nothing."""

    setting: str = "token"
    word: str = "Bearer"

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:  # noqa: ARG002
        token = secret(settings, self.setting)
        return Stamp(lambda request: _authorize(request, f"{self.word} {token}" if token else ""))


@dataclass(frozen=True, slots=True)
class Basic(SignIn):
    """A name and a password (RFC 7617)."""

    name: str = "username"
    password: str = "password"  # noqa: S105 - the name of a setting

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:  # noqa: ARG002
        pair = f"{secret(settings, self.name)}:{secret(settings, self.password)}"
        encoded = b64encode(pair.encode()).decode()
        strike.add(encoded)
        return Stamp(lambda request: _authorize(request, f"Basic {encoded}"))


@dataclass(frozen=True, slots=True)
class ApiKey(SignIn):
    """A key in a header or in the query of each request."""

    name: str
    setting: str = "api_key"
    where: Literal["header", "query"] = "header"
    prefix: str = ""

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:  # noqa: ARG002
        key = self.prefix + secret(settings, self.setting)

        def add(request: Request) -> None:
            (request.headers if self.where == "header" else request.query)[self.name] = key

        return Stamp(add)


@dataclass(frozen=True, slots=True)
class InPath(SignIn):
    """A token that stands in the path of each request, before its own."""

    prefix: str
    setting: str = "token"

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:  # noqa: ARG002
        begin = self.prefix + secret(settings, self.setting)

        def add(request: Request) -> None:
            request.path = begin + request.path

        return Stamp(add)


def _authorize(request: Request, value: str) -> None:
    if value:
        request.headers["Authorization"] = value
