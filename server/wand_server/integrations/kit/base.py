"""What an integration is: a class that says where a service is, how one signs in, and what it can do."""

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterator, Mapping
from functools import partial
from secrets import token_hex
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from wand_proto.errors import Broken, NotFound, WandError
from wand_server import arguments
from wand_server.integrations.kit import signin, workspace
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.content import SAVE_AS, Download, downloaded, parts_of
from wand_server.integrations.kit.http import MOST_SECONDS, Address, Client
from wand_server.integrations.kit.kept import Keeper
from wand_server.integrations.kit.multipart import Part
from wand_server.integrations.kit.operation import Operation, Plan
from wand_server.integrations.kit.pace import Rate
from wand_server.integrations.kit.paging import found
from wand_server.integrations.kit.request import Request, Route, lay_out
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import Nobody, SignIn
from wand_server.integrations.kit.tls import Trust


class Settings(BaseModel):
    """What an administrator sets for one instance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    read_only: bool = Field(default=False, description="only operations that change nothing")
    allow: tuple[str, ...] = Field(
        default=(), description="only these operations; * stands for any letters, as in list_*"
    )
    deny: tuple[str, ...] = Field(default=(), description="never these; wins over allow")


class BaseIntegration(ABC):
    """The widest form of an integration, for those who bring their own.

    Operations that are declared on the class (`operation.py`) are found by themselves; who has others,
    overrides `_execute_operation_impl`.
    """

    Config: ClassVar[type[BaseModel]] = Settings
    REQUIRED_CONFIG_KEYS: ClassVar[tuple[str, ...]] = ()
    operations: ClassVar[Mapping[str, Operation[..., Any]]] = {}
    tells_errors_whole: ClassVar[bool] = False  # its errors say who speaks, and need no name before them

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        fields = cls.Config.model_fields.items()
        cls.REQUIRED_CONFIG_KEYS = tuple(name for name, field in fields if field.is_required())
        cls.operations = {
            **cls.operations,
            **{
                each.name: each
                for each in vars(cls).values()
                if isinstance(each, Operation) and not each.name.startswith("_")  # those are for its own use
            },
        }

    def __init__(self, config: BaseModel) -> None:
        self.config = config
        self.strike = Strike(_secrets(config))

    async def initialize(self) -> None:  # noqa: B027 - most have nothing to get ready
        """Get ready; asked once, before anything else.

        Raises:
            WandError: it cannot.
        """

    async def cleanup(self) -> None:  # noqa: B027
        """Give up what is held."""

    @abstractmethod
    async def health_check(self) -> None:
        """Make sure that the service answers and accepts the sign-in, as cheaply as can be.

        Raises:
            WandError: it does not.
        """

    async def execute(self, name: str, untrusted: Mapping[str, Any]) -> Any:
        """What an operation gives back, as JSON.

        Raises:
            NotFound: there is no such operation.
            Invalid: its arguments do not fit; names the one that is wrong.
            WandError: the service refuses, or cannot be reached.
        """
        result = await self._execute_operation_impl(name, **untrusted)
        return self.strike.out_of_value(result)

    async def _execute_operation_impl(self, operation: str, **untrusted: Any) -> Any:
        declared = self.operations.get(operation)
        if declared is None:
            hint = arguments.nearest(operation, self.operations) or f"there are: {', '.join(self.operations)}"
            raise NotFound(f"there is no operation {operation!r:.80}", hint=hint, field="operation")
        read = arguments.read(declared.arguments, untrusted)
        try:
            result = await declared.run(self, read)
        except ValidationError as why:  # the arguments have been read, so it is of the answer
            raise _unexpected(why) from None  # what it holds may be secret
        return declared.answer.serializer.to_python(result, mode="json", exclude_none=True)

    async def send(self, operation: Operation[..., Any], read: BaseModel) -> Any:  # noqa: ARG002
        """Do an operation that is one request: for those who speak HTTP."""
        raise Broken(f"{operation.name} is a request, and {type(self).__name__} sends none")


class Integration(BaseIntegration):
    """A service that is spoken to by HTTP."""

    class Config(Settings):
        """With an address: the service's own, unless it runs somewhere else."""

        base_url: str = ""
        private_hosts: tuple[str, ...] = Field(
            default=(), description="names in our own networks that it may lead to"
        )

    base_url: ClassVar[str] = ""
    below: ClassVar[str] = ""  # a path between the address and those of operations; settings fill its blanks
    sign_in: ClassVar[SignIn] = Nobody()
    trust: ClassVar[Trust | None] = None  # of a service that has an authority of its own
    rate: ClassVar[Rate | None] = None
    headers: ClassVar[Mapping[str, str]] = {}
    setting_headers: ClassVar[Mapping[str, str]] = {}  # with the settings that they tell

    def __init__(self, config: BaseModel) -> None:
        super().__init__(config)
        self._area = f"integrations/{type(self).__name__}/{token_hex(8)}"  # other settings, other answers
        self.http = Client(self._address(), self.strike)
        self.http.signed_by(self.sign_in.signer(config, self.http.once, self.strike))

    def _address(self) -> Address:
        """Where it is; a host that an administrator has named may be one of ours."""
        said = getattr(self.config, "base_url", "")
        host = _host(said or self.base_url)
        named = (host,) if said or host == "localhost" else ()
        told = {name: signin.secret(self.config, one) for name, one in self.setting_headers.items()}
        filled = {name: quote(str(value), safe="") for name, value in self.config} if self.below else {}
        return Address(
            base_url=(said or self.base_url).rstrip("/") + self.below.format(**filled),
            hosts=(*named, *getattr(self.config, "private_hosts", ())),
            headers={**self.headers, **{name: value for name, value in told.items() if value}},
            rate=self.rate,
            tls=self.trust.context(self.config) if self.trust is not None else None,
        )

    async def cleanup(self) -> None:
        await self.http.close()

    @staticmethod
    def complaint(body: Any) -> WandError | None:  # noqa: ARG004 - most services say it by their status
        """What an answer of status 200 complains of, where the service does that."""
        return None

    async def send(self, operation: Operation[..., Any], read: BaseModel) -> Any:
        """Do an operation that is one request, and what follows it where the service goes on."""
        plan = operation.plan
        if plan.route is None:
            raise Broken(f"{operation.name} is no request")
        deadline = time.monotonic() + (plan.seconds or MOST_SECONDS)
        parts = await parts_of(read) if operation.takes_content else _NO_PARTS
        request = _laid_out(operation, plan.route, read, parts)
        keeping = workspace.keeping(self._area)
        if keeping is None:
            answered = await self._sent(request, plan)
        else:
            answered = await self._kept(request, plan, Keeper(*keeping))
        self._check(answered)
        if plan.until is not None:
            answered = await plan.until.wait((request, answered), self._asked, self.http.base_url, deadline)
        if operation.is_download:
            return Download(**await downloaded(answered, getattr(read, SAVE_AS, None)))
        return self._read(operation, request, answered)

    async def _kept(self, request: Request, plan: Plan, keeper: Keeper) -> Answered:
        """As the service gives it, or as it is kept for whoever calls."""
        if plan.kept is not None:
            return await keeper.read(request, plan.kept, partial(self._sent, plan=plan))
        try:
            return await self._sent(request, plan)
        finally:  # whatever came of it
            if not plan.marks.read_only:
                await keeper.forget()

    def _sent(self, request: Request, plan: Plan) -> Awaitable[Answered]:
        return self.http.send(request, repeatable=plan.marks.idempotent, seconds=plan.seconds)

    async def _asked(self, request: Request) -> Answered:
        answered = await self.http.send(request)
        self._check(answered)
        return answered

    def _check(self, answered: Answered) -> None:
        if (complaint := self.complaint(answered.body)) is not None:
            complaint.message = self.strike.out_of(complaint.message)
            raise complaint

    def _read(self, operation: Operation[..., Any], request: Request, answered: Answered) -> Any:
        if operation.is_silent:
            return None
        try:
            return operation.answer.validator.validate_python(_value(operation, request, answered))
        except ValidationError as why:
            raise _unexpected(why) from None


def _unexpected(why: ValidationError) -> Broken:
    first = why.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "the answer"
    return Broken(f"the service's answer is not as expected: {where}: {first['msg']}")


_NOTHING: frozenset[str] = frozenset()
_NO_PARTS: Mapping[str, Part] = {}


def _laid_out(
    operation: Operation[..., Any], route: Route, read: BaseModel, parts: Mapping[str, Part]
) -> Request:
    paging = operation.plan.paging
    without = {"cursor"} if paging is not None else {SAVE_AS} if operation.is_download else _NOTHING
    request = lay_out(route, read, without, parts)
    request.follows = operation.is_download and route.method == "GET"
    if paging is not None and (cursor := getattr(read, "cursor", None)):
        paging.ask(request, cursor)
    return request


def _value(operation: Operation[..., Any], request: Request, answered: Answered) -> Any:
    """What is read of an answer, before its types are."""
    plan = operation.plan
    if operation.is_text and not plan.place and plan.joined is None and not isinstance(answered.body, str):
        return answered.text
    body = answered.body
    if plan.joined is not None and isinstance(body, list):
        body = plan.joined(body)
    value = found(body, plan.place)
    if plan.paging is not None:
        items, cursor = plan.paging.read(request, answered)
        value = {"items": items or [], "next_cursor": cursor}
    if plan.headers:
        value = {**_members(value), **_told(answered.headers, plan.headers)}
    if plan.until is not None and (told := plan.until.told(answered)):
        value = {**_members(value), "goes_on": told}
    return value


def _members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _told(headers: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, Any]:
    """Headers of an answer by their name in the result; `X-Meta-*` is all that begin so, by their rest."""
    told: dict[str, Any] = {}
    for name, header in wanted.items():
        begin = header.lower().removesuffix("*")
        if header.endswith("*"):
            told[name] = {
                key.removeprefix(begin): value for key, value in headers.items() if key.startswith(begin)
            }
        elif begin in headers:
            told[name] = headers[begin]
    return told


def _secrets(config: BaseModel) -> Iterator[str]:
    for name, value in config:
        if isinstance(value, SecretStr):
            yield signin.secret(config, name)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
