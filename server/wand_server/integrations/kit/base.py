"""What an integration is: a class that says where a service is, how one signs in, and what it can do."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from wand_proto.errors import Broken, NotFound, WandError
from wand_server import arguments
from wand_server.integrations.kit import signin
from wand_server.integrations.kit.http import Address, Answered, Client
from wand_server.integrations.kit.operation import Operation
from wand_server.integrations.kit.pace import Rate
from wand_server.integrations.kit.paging import found
from wand_server.integrations.kit.request import Request, lay_out
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import Nobody, SignIn

_CURSOR = frozenset({"cursor"})


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
        result = await declared.run(self, read)  # type: ignore[arg-type] # only an Integration declares requests
        return declared.answer.dump_python(result, mode="json", exclude_none=True)


class Integration(BaseIntegration):
    """A service that is spoken to by HTTP."""

    class Config(Settings):
        """With an address: the service's own, unless it runs somewhere else."""

        base_url: str = ""
        private_hosts: tuple[str, ...] = Field(
            default=(), description="names in our own networks that it may lead to"
        )

    base_url: ClassVar[str] = ""
    sign_in: ClassVar[SignIn] = Nobody()
    rate: ClassVar[Rate | None] = None
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, config: BaseModel) -> None:
        super().__init__(config)
        self.http = Client(self._address(), self.strike)
        self.http.signed_by(self.sign_in.signer(config, self.http.once, self.strike))

    def _address(self) -> Address:
        """Where it is; a host that an administrator has named may be one of ours."""
        said = getattr(self.config, "base_url", "")
        host = _host(said or self.base_url)
        named = (host,) if said or host == "localhost" else ()
        return Address(
            base_url=said or self.base_url,
            hosts=(*named, *getattr(self.config, "private_hosts", ())),
            headers=self.headers,
            rate=self.rate,
        )

    async def cleanup(self) -> None:
        await self.http.close()

    @staticmethod
    def complaint(body: Any) -> WandError | None:  # noqa: ARG004 - most services say it by their status
        """What an answer of status 200 complains of, where the service does that."""
        return None

    async def send(self, operation: Operation[..., Any], read: BaseModel) -> Any:
        """Do an operation that is one request."""
        plan = operation.plan
        if plan.route is None:
            raise Broken(f"{operation.name} is no request")
        request = lay_out(plan.route, read, without=_CURSOR if plan.paging is not None else frozenset())
        if plan.paging is not None and (cursor := getattr(read, "cursor", None)):
            plan.paging.ask(request, cursor)
        answered = await self.http.send(request, repeatable=plan.marks.idempotent)
        return self._read(operation, request, answered)

    def _read(self, operation: Operation[..., Any], request: Request, answered: Answered) -> Any:
        if (complaint := self.complaint(answered.body)) is not None:
            complaint.message = self.strike.out_of(complaint.message)
            raise complaint
        if operation.is_silent:
            return None
        plan = operation.plan
        value = found(answered.body, plan.place)
        if plan.paging is not None:
            items, cursor = plan.paging.read(request, answered)
            value = {"items": items or [], "next_cursor": cursor}
        try:
            return operation.answer.validate_python(value)
        except ValidationError as why:
            first = why.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the answer"
            raise Broken(f"the service's answer is not as expected: {where}: {first['msg']}") from why


def _secrets(config: BaseModel) -> Iterator[str]:
    for name, value in config:
        if isinstance(value, SecretStr):
            yield signin.secret(config, name)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
