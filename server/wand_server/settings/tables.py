"""The tables of the settings file, each a frozen model; sign-in has a module of its own."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from wand_proto.credentials import Identity, pki_file
from wand_server.kinds import Frozen, Networks, Words, grpc_address, parsed
from wand_server.settings.agents import Agents
from wand_server.settings.kept import Artifacts, Cache, Memory, State
from wand_server.settings.mind import Model
from wand_server.settings.signin import Issuer, OAuth, Tls, Url
from wand_server.settings.work import Tasks


class Http(Frozen):
    """Where MCP is served by HTTP, for whom."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8001
    allowed_hosts: Words = ()  # beside the names of loopback
    allowed_origins: Words = ()
    trusted_proxies: Networks = ()  # whose X-Forwarded-For is believed
    websocket: bool = True  # whether GET /mcp may be upgraded
    legacy_sse: bool = False  # the endpoints /sse and /messages of protocol version 2024-11-05
    keys_file: Path = Path("/etc/wand/keys.toml")


class Stdio(Frozen):
    """The socket to which `wand-server stdio` is a pipe."""

    socket: Path = Path("/run/wand-server/stdio.sock")
    allowed_users: Words = ()  # names or numbers, beside the server's own user
    allowed_groups: Words = ()  # names or numbers, whose members may too


class Transports(Frozen):
    """Transports that packages beside Wand add: those that are named, each with a table for itself."""

    enabled: Words = ()  # their entry points, in the group wand_server.transports
    options: Annotated[dict[str, dict[str, Any]], BeforeValidator(parsed)] = Field(default_factory=dict)


class Control(Frozen):
    """The administrator's socket, at which `wand-server config` asks."""

    socket: Path | None = None  # None: config.sock beside the socket of stdio


class Tools(Frozen):
    """Which tools there are: names of tools and of toolsets."""

    added: Words = ()  # entry points of packages beside Wand, in the group wand_server.tools
    enabled: Words = ()  # none: all
    disabled: Words = ()  # wins
    read_only: bool = False  # nothing that changes anything


class Integrations(Frozen):
    """The services outside: a table for each that is used, by its name, as `[integrations.slack]`."""

    direct: Annotated[int, Field(ge=0, le=100)] = 40  # so many operations may be tools of their own; 0: none
    address: Url = ""  # ours as people's browsers reach it, for sign-in to services by a link
    accounts_file: Path | None = None  # keeps what they permit, encrypted; without it, until the server ends
    accounts_key: str = ""  # where the key for that is: env:NAME, file:/PATH or cred:NAME
    instances: Annotated[dict[str, dict[str, Any]], BeforeValidator(parsed)] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _tables_are_instances(cls, untrusted: Any) -> Any:
        if not isinstance(untrusted, dict):
            return untrusted
        others = {name: value for name, value in untrusted.items() if name not in cls.model_fields}
        tables = {name: value for name, value in others.items() if isinstance(value, dict)}
        given = parsed(untrusted.get("instances", {}))
        if not tables or not isinstance(given, dict):
            return untrusted
        left = {name: value for name, value in untrusted.items() if name not in tables}
        return {**left, "instances": {**tables, **given}}


Rate = Annotated[float, Field(ge=0, le=1_000_000)]
Burst = Annotated[int, Field(ge=1, le=1_000_000)]


class Limits(Frozen):
    """How often somebody may ask; 0 a second is as often as they like."""

    requests_per_second: Rate = 500  # of one principal
    burst: Burst = 5000
    address_requests_per_second: Rate = 1000  # of one address, before anybody knows who asks
    address_burst: Burst = 10_000
    failed_sign_ins_per_minute: Rate = 10  # of one address; over that, a failure is answered at once with 429
    failed_sign_ins_burst: Burst = 10


class HostAgent(Frozen):
    """How the host agent is reached, and by which certificate."""

    address: Annotated[str, AfterValidator(grpc_address)] = "unix:/run/wand-hostagent/hostagent.sock"
    ca: Path = Field(default_factory=lambda: pki_file("ca.crt"))
    certificate: Path = Field(default_factory=lambda: pki_file("server.crt"))
    key: Path = Field(default_factory=lambda: pki_file("server.key"))

    @property
    def identity(self) -> Identity:
        """By what the host agent knows us."""
        return Identity(self.ca, self.certificate, self.key)


class Execution(Frozen):
    """What holds for commands that do not say it themselves."""

    default_wall_seconds: Annotated[float, Field(gt=0, le=86400)] = 300
    answer_seconds: Annotated[float, Field(ge=1, le=3600)] = 40  # then it runs on as a job, and that is said
    head_bytes: Annotated[int, Field(ge=256, le=65536)] = 24 * 1024  # of each stream, in a result
    tail_bytes: Annotated[int, Field(ge=256, le=65536)] = 8 * 1024
    stop_seconds: Annotated[float, Field(ge=0, le=3600)] = 10  # for calls that run when the server is to stop


class Log(Frozen):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Frozen):
    """All of it."""

    http: Http = Http()
    stdio: Stdio = Stdio()
    transports: Transports = Transports()
    control: Control = Control()
    tools: Tools = Tools()
    limits: Limits = Limits()
    hostagent: HostAgent = HostAgent()
    execution: Execution = Execution()
    agents: Agents = Agents()
    integrations: Integrations = Integrations()
    state: State = State()
    cache: Cache = Cache()
    artifacts: Artifacts = Artifacts()
    tasks: Tasks = Tasks()
    model: Model = Model()
    memory: Memory = Memory()
    issuer: Issuer = Issuer()
    oauth: OAuth = OAuth()
    tls: Tls = Tls()
    log: Log = Log()

    @field_validator("oauth")
    @classmethod
    def _is_not_the_built_in_issuer(cls, oauth: OAuth, info: ValidationInfo) -> OAuth:
        """Under that name its tokens would count as another's, and could not be taken back."""
        ours = info.data.get("issuer")
        if oauth.issuer and isinstance(ours, Issuer) and oauth.issuer == ours.url:
            raise ValueError("issuer is for another one: the tokens of issuer.url are let in without it")
        return oauth

    @property
    def control_socket(self) -> Path:
        """Where an administrator asks."""
        return self.control.socket or self.stdio.socket.with_name("config.sock")

    @property
    def artifacts_folder(self) -> Path:
        """Where files are kept."""
        return self.artifacts.folder or self.state.folder / "artifacts"

    @property
    def meaning_file(self) -> Path:
        """Where vectors of operations are kept."""
        return self.state.folder / "meaning.json"

    @property
    def tasks_file(self) -> Path | None:
        """The file of SQLite in which tasks are kept; None where they are in PostgreSQL."""
        kind, _, path = self.tasks.database.partition(":")
        return (self.state.folder / (path or "tasks.db")) if kind == "sqlite" else None

    @property
    def memory_file(self) -> Path | None:
        """The file of SQLite in which notes are kept; None where they are in PostgreSQL."""
        if not self.memory.database:
            return self.state.folder / "memory.db" if self.tasks_file is not None else None
        kind, _, path = self.memory.database.partition(":")
        return (self.state.folder / (path or "memory.db")) if kind == "sqlite" else None
