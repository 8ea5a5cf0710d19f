"""AWS: every operation of every service, its parameters checked by AWS' own models."""

import asyncio
import fnmatch
from importlib import import_module
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from wand_proto.errors import Denied, Invalid, NotFound, Unavailable
from wand_server import arguments, awsnames
from wand_server.integrations.kit import BaseIntegration, Resource, Settings, operation
from wand_server.integrations.kit.signin import secret
from wand_server.integrations.kit.tls import Trust

_SECONDS = 40.0
_METADATA = "http://169.254.169.254"
Service = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="such as s3 or ec2")]
Action = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{1,100}$", description="such as list_buckets; from list_actions"),
    AfterValidator(awsnames.snake),
]
Parameters = Annotated[
    dict[str, Any] | None, Field(description="named as AWS names them; describe_action tells which")
]
Region = Annotated[str | None, Field(pattern=r"^[a-z0-9-]{1,40}$", description="where not the usual one")]


class ActionFound(Resource):
    action: str
    changes: bool


class ActionDetail(Resource):
    action: str
    changes: bool
    description: str
    parameters: dict[str, Any]  # JSON Schema


class AWS(BaseIntegration):
    """An account of AWS, or what speaks like it."""

    class Config(Settings):
        """Who we are there, where it is, and what may be asked for."""

        region: str = Field(pattern=r"^[a-z0-9-]{1,40}$", description="the usual one, such as eu-central-1")
        access_key_id: str = Field(
            default="", description="with secret_access_key, where credentials is keys"
        )
        secret_access_key: SecretStr | None = None
        session_token: SecretStr | None = None
        credentials: Literal["keys", "machine"] = Field(
            default="keys", description="machine: what EC2 or ECS gives to the machine Wand runs on"
        )
        metadata_url: str = Field(default=_METADATA, description="where the machine is told who it is")
        role_arn: str = Field(default="", description="a role to act as (STS AssumeRole)")
        external_id: str = Field(default="", description="that the role asks for")
        only: tuple[str, ...] = Field(default=(), description="only these actions, such as s3.get_* or ec2.*")
        base_url: str = Field(default="", description="of all services, where it is not AWS itself")
        private_hosts: tuple[str, ...] = Field(
            default=(), description="names in our own networks that it may lead to"
        )
        ca: SecretStr | None = Field(default=None, description="file:/PATH of whom to trust, in PEM")

    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._clients: Any = None
        self._failures: Any = None
        self._values: Any = None

    async def initialize(self) -> None:
        config = self.config
        if config.credentials == "keys" and not (config.access_key_id and config.secret_access_key):
            hint = 'or credentials = "machine", where it shall be whoever the machine is'
            raise Invalid("give access_key_id and secret_access_key", hint=hint)
        session = await asyncio.to_thread(_loaded, "session")
        self._failures, self._values = _loaded("failures"), _loaded("values")
        host = urlsplit(config.base_url).hostname
        self._clients = session.Clients(
            session.About(
                region=config.region,
                base_url=config.base_url,
                hosts=(*config.private_hosts, *([host] if host else ())),
                tls=Trust().context(config),
                source=config.credentials,
                access_key=config.access_key_id,
                secret_key=secret(config, "secret_access_key"),
                session_token=secret(config, "session_token"),
                metadata_url=config.metadata_url,
                role_arn=config.role_arn,
                external_id=config.external_id,
            ),
            self.strike,
        )

    async def cleanup(self) -> None:
        if self._clients is not None:
            await self._clients.close()

    async def health_check(self) -> None:
        await self._done("sts", "get_caller_identity", {}, None, reads=True)

    @operation(read_only=True)
    async def list_services(self) -> list[str]:
        """List the services of AWS by the names that actions are asked for with."""
        return list(self._opened().services())

    @operation(read_only=True)
    async def list_actions(self, service: Service) -> list[ActionFound]:
        """List what a service of AWS can do, and what of that changes something."""
        names = sorted(awsnames.snake(one) for one in (await self._model(service)).operation_names)
        return [ActionFound(action=one, changes=not awsnames.only_reads(service, one)) for one in names]

    @operation(read_only=True)
    async def describe_action(self, service: Service, action: Action) -> ActionDetail:
        """Tell which parameters an action of AWS takes."""
        model = await self._model(service)
        name = _name(model, action)
        about = model.operation_model(name)
        return ActionDetail(
            action=action,
            changes=not awsnames.only_reads(service, name),
            description=self._values.words(about.documentation, 800),
            parameters=self._values.schema(about.input_shape),
        )

    @operation(read_only=True, recorded=("service", "action"))
    async def read(
        self, service: Service, action: Action, parameters: Parameters = None, region: Region = None
    ) -> dict[str, Any]:
        """Ask a service of AWS for something: describe, get, list; S3, EC2, Lambda, all others."""
        return await self._done(service, action, parameters or {}, region, reads=True)

    @operation(destructive=True, recorded=("service", "action"))
    async def change(
        self, service: Service, action: Action, parameters: Parameters = None, region: Region = None
    ) -> dict[str, Any]:
        """Have a service of AWS do something: start, stop, create, delete, send, invoke; all services."""
        return await self._done(service, action, parameters or {}, region, reads=False)

    def _opened(self) -> Any:
        if self._clients is None:
            raise Unavailable("is not open")
        return self._clients

    async def _model(self, service: str) -> Any:
        with self._failures.telling(self.strike, reads=True):
            return await self._opened().model(service)

    async def _done(
        self, service: str, action: str, given: dict[str, Any], region: str | None, *, reads: bool
    ) -> dict[str, Any]:
        with self._failures.telling(self.strike, reads=reads):
            clients = self._opened()
            name = _name(await clients.model(service), action)
            self._check(service, name, reads=reads)
            client = await clients.client(service, region or "", repeats=reads)
            wanted = self._values.taken(client.meta.service_model.operation_model(name).input_shape, given)
            method = next(py for py, real in client.meta.method_to_api_mapping.items() if real == name)
            async with asyncio.timeout(_SECONDS):
                answer = await getattr(client, method)(**wanted)
                return dict(self._values.members(await self._values.given(answer)))

    def _check(self, service: str, name: str, *, reads: bool) -> None:
        """Let an action pass that may be asked for so.

        Raises:
            Denied: it changes something, or is none of those that are permitted.
        """
        action = f"{service}.{awsnames.snake(name)}"
        if reads and not awsnames.only_reads(service, name):
            raise Denied(f"{action} changes something", hint="ask for it with aws.change", field="action")
        only = self.config.only
        if only and not any(fnmatch.fnmatchcase(action, one) for one in only):
            raise Denied(
                f"{action} is not permitted here", hint=f"permitted are: {', '.join(only)}", field="action"
            )


def _name(model: Any, action: str) -> str:
    """The action as AWS spells it."""
    known = {awsnames.snake(one): one for one in model.operation_names}
    if action not in known:
        near = arguments.nearest(action, known) or "aws.list_actions tells which there are"
        raise NotFound(f"{model.service_name} has no action {action!r:.80}", hint=near, field="action")
    return str(known[action])


def _loaded(part: str) -> Any:
    """A module of ours that needs what the extra brings.

    Raises:
        Unavailable: it is not installed.
    """
    try:
        return import_module(f"{__package__}.{part}")
    except ModuleNotFoundError as missing:
        hint = "install it: pip install 'wand-server[aws]'"
        raise Unavailable(f"there is no {missing.name} here", hint=hint) from missing
