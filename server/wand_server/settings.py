"""The settings of the server: one frozen model, read from a TOML file and from WAND_* variables.

An empty file is a good file. `WAND_HTTP__PORT=8002` stands over `port` in the table `[http]`; a list is
written with commas. Relative paths begin at the file's folder.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from wand_proto import tomlfile
from wand_proto.errors import Invalid, NotFound
from wand_server.kinds import Frozen, Networks, Words, grpc_address, issuer_url, listed
from wand_server.lines import line_of

DEFAULT_PATH = Path("/etc/wand/server.toml")
_PREFIX = "WAND_"
_NOT_OURS = frozenset({"WAND_SOCKET"})  # of the pipe, `wand-server stdio`


class Http(Frozen):
    """Where MCP is served by HTTP, for whom."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8001
    allowed_hosts: Words = ()  # beside the names of loopback
    allowed_origins: Words = ()
    websocket: bool = True  # whether GET /mcp may be upgraded
    legacy_sse: bool = False  # the endpoints /sse and /messages of protocol version 2024-11-05
    keys_file: Path = Path("/etc/wand/keys.toml")


class Stdio(Frozen):
    """The socket to which `wand-server stdio` is a pipe."""

    socket: Path = Path("/run/wand-server/stdio.sock")
    allowed_users: Words = ()  # names or numbers, beside the server's own user


class Control(Frozen):
    """The administrator's socket, at which `wand-server config` asks."""

    socket: Path | None = None  # None: config.sock beside the socket of stdio


class Tools(Frozen):
    """Which tools there are: names of tools and of toolsets."""

    enabled: Words = ()  # none: all
    disabled: Words = ()  # wins
    read_only: bool = False  # nothing that changes anything


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
    ca: Path = Path("/etc/wand/pki/ca.crt")
    certificate: Path = Path("/etc/wand/pki/server.crt")
    key: Path = Path("/etc/wand/pki/server.key")


def _https(untrusted: str) -> str:
    """A URL to which tokens may be tied: https, or http on loopback."""
    parts = urlsplit(untrusted)
    is_loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    permitted = parts.scheme == "https" or (parts.scheme == "http" and is_loopback)
    if untrusted and (not permitted or parts.query or parts.fragment or parts.username is not None):
        raise ValueError("must be an https URL (http on loopback only), without a query or a fragment")
    return untrusted


def _mapped(untrusted: object) -> object:
    """A table of scopes that came as text from a variable: theirs=ours ours,theirs=ours."""
    if not isinstance(untrusted, str):
        return untrusted
    return {name: ours.split() for name, _, ours in (part.partition("=") for part in untrusted.split(","))}


def _scopes(untrusted: tuple[str, ...]) -> tuple[str, ...]:
    wrong = [word for word in untrusted if not re.fullmatch(r"wand:(read|write|execute|admin|tool:.+)", word)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no scope of ours")
    return untrusted


Url = Annotated[str, AfterValidator(_https)]
Prefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/@+-]{0,64}$")]
Scopes = Annotated[tuple[str, ...], BeforeValidator(listed), AfterValidator(_scopes)]
Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"]


class OAuth(Frozen):
    """An issuer of access tokens that is not ours; without its address, it is off."""

    issuer: Url = ""
    resource: Url = ""  # our address as clients know it, the audience of tokens (RFC 8707)
    audiences: Words = ()  # others that a token may name instead
    algorithms: Annotated[tuple[Algorithm, ...], BeforeValidator(listed)] = (
        "ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256",
    )  # fmt: skip
    keys_file: Path | None = None  # a JSON Web Key Set, or a public key in PEM, instead of those it publishes
    ca: Path | None = None  # believed when it is asked, instead of the system's
    name_claim: str = "sub"
    name_prefix: Prefix = "oidc:"  # has a colon, which no name of a key or a person of ours has
    scope_claim: str = "scope"
    scope_map: Annotated[dict[str, Scopes], BeforeValidator(_mapped)] = Field(default_factory=dict)
    default_scopes: Scopes = ()
    groups_claim: str = "groups"
    groups_prefix: Prefix = "oidc:"
    access_tokens_only: bool = False  # nothing but the type at+jwt of RFC 9068
    client_id: str = ""  # by which we ask it about tokens that we cannot read (RFC 7662)
    client_secret_file: Path | None = None
    dpop_required: bool = False

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.issuer and not self.resource:
            raise ValueError("resource is needed with issuer: our address, as https://wand.example/mcp")
        if bool(self.client_id) != (self.client_secret_file is not None):
            raise ValueError("client_id and client_secret_file go together")
        return self


class Client(Frozen):
    """Whom a client certificate stands for."""

    certificate: str  # a name in it: URI:…, DNS:…, email:…, or subject:… as a whole
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
    scopes: Scopes = ("wand:read", "wand:write", "wand:execute")
    groups: Words = ()
    on_behalf_of: str = ""


class Tls(Frozen):
    """TLS on our own port, and certificates of clients; without a certificate of ours, it is off."""

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None  # who has signed the clients' certificates
    client_required: bool = False  # whether a connection without one is refused
    client: tuple[Client, ...] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if self.client_ca is not None and self.certificate is None:
            raise ValueError("client_ca needs certificate and key: a proxy's TLS is none of ours")
        if (self.client or self.client_required) and self.client_ca is None:
            raise ValueError("client and client_required need client_ca")
        return self


class Execution(Frozen):
    """What holds for commands that do not say it themselves."""

    default_wall_seconds: Annotated[float, Field(gt=0, le=86400)] = 300
    head_bytes: Annotated[int, Field(ge=256, le=65536)] = 24 * 1024  # of each stream, in a result
    tail_bytes: Annotated[int, Field(ge=256, le=65536)] = 8 * 1024
    stop_seconds: Annotated[float, Field(ge=0, le=3600)] = 10  # for calls that run when the server is to stop


class Issuer(Frozen):
    """The built-in authorization server; without an address of its own, it is off."""

    url: Annotated[str, AfterValidator(issuer_url)] = ""
    folder: Path = Path("/var/lib/wand-server/issuer")  # its database, and the keys that sign
    documents: bool = True  # whether clients are known by documents, which are fetched from the internet
    registration: bool = False  # of clients that no document describes (RFC 7591)
    redirect_schemes: Words = ("cursor", "vscode", "vscode-insiders")  # beside those with a dot
    document_networks: Networks = ()  # where clients' documents may be, beside the public internet
    admin_groups: Words = ()  # whose people may give away wand:admin
    trusted_proxies: Networks = ()
    user_header: str = ""  # in which a trusted proxy names the person; then there are no passwords
    groups_header: str = ""
    access_seconds: Annotated[int, Field(ge=60, le=900)] = 600
    refresh_days: Annotated[int, Field(ge=1, le=365)] = 30  # a refresh token that nobody uses
    grant_days: Annotated[int, Field(ge=1, le=3650)] = 180  # then a person is asked again

    @model_validator(mode="after")
    def _believes_somebody(self) -> Self:
        if self.user_header and not self.trusted_proxies:
            raise ValueError(
                "user_header needs trusted_proxies, the addresses of the proxies that may send it"
            )
        return self


class Log(Frozen):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Frozen):
    """All of it."""

    http: Http = Http()
    stdio: Stdio = Stdio()
    control: Control = Control()
    tools: Tools = Tools()
    limits: Limits = Limits()
    hostagent: HostAgent = HostAgent()
    execution: Execution = Execution()
    issuer: Issuer = Issuer()
    oauth: OAuth = OAuth()
    tls: Tls = Tls()
    log: Log = Log()

    @property
    def control_socket(self) -> Path:
        """Where an administrator asks."""
        return self.control.socket or self.stdio.socket.with_name("config.sock")


Place = tuple[str, str]  # the table and the key of a setting


@dataclass(frozen=True, slots=True)
class _Source:
    """The file, and what stands over it."""

    path: Path
    over: Mapping[Place, str]  # values as text
    names: Mapping[Place, str]  # who said so

    def of(self, place: list[str]) -> str:
        """Where the value of that key comes from, in words."""
        pair = (place[0], place[1]) if len(place) > 1 else ("", "")
        if pair in self.names:
            return self.names[pair]
        line = line_of(self.path.read_text(errors="replace"), place)
        return f"{self.path}, line {line}" if line else str(self.path)


def load(path: Path, environment: Mapping[str, str], said: Mapping[str, str] | None = None) -> Settings:
    """The settings in a file, with the variables over them, and over those what an administrator has said.

    `said` has dotted names, and values as in a variable.

    Raises:
        NotFound, Denied: the file is not there, or somebody else could have written it.
        Invalid: a key is unknown or wrong; the message names it, where it stands, and what would be right.
    """
    try:
        table = tomlfile.read(path, owners={0, os.geteuid()})
    except NotFound as error:
        raise NotFound(error.message, hint="--settings FILE names another") from error
    source = _source(path, environment, said or {})
    for (section, key), value in source.over.items():
        inside = table.setdefault(section, {})
        if isinstance(inside, dict):
            inside[key] = value
    try:
        read = Settings.model_validate(table)
    except ValidationError as error:
        raise _explained(error.errors(include_url=False), source) from error
    return _anchored(read, path.absolute().parent)


def _source(path: Path, environment: Mapping[str, str], said: Mapping[str, str]) -> _Source:
    variables = dict(_variables(environment))
    spoken = {place_of(name): value for name, value in said.items()}
    names = {place: _variable_name(*place) for place in variables}
    names |= dict.fromkeys(spoken, "what an administrator set")
    return _Source(path, variables | spoken, names)


def names() -> tuple[str, ...]:
    """The dotted name of every setting."""
    sections = Settings.model_fields.items()
    return tuple(f"{section}.{key}" for section, about in sections for key in _keys(about.annotation))


def place_of(name: str) -> Place:
    """Where the setting of a dotted name stands.

    Raises:
        Invalid: there is none of that name.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(names())}"
        raise Invalid("is not a setting", field=name, hint=hint)
    section, _, key = name.partition(".")
    return section, key


def set_by(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Which settings a variable stands over, by their dotted names."""
    return {f"{section}.{key}": _variable_name(section, key) for (section, key), _ in _variables(environment)}


def _variables(environment: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], str]]:
    known = {
        _variable_name(section, key): (section, key)
        for section, field in Settings.model_fields.items()
        for key in _keys(field.annotation)
    }
    for name, value in environment.items():
        if not name.startswith(_PREFIX) or name in _NOT_OURS:
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
            raise Invalid("is a variable that names no setting", field=name, hint=hint)
        yield known[name], value


def _keys(section: Any) -> list[str]:
    return list(section.model_fields)


def _variable_name(section: str, key: str) -> str:
    return f"{_PREFIX}{section.upper()}__{key.upper()}"


def _explained(problems: list[ErrorDetails], source: _Source) -> Invalid:
    lines = [_problem(problem, source) for problem in problems]
    return Invalid("; ".join(lines), field="", hint=f"see {source.path} and the {_PREFIX}* variables")


def _problem(problem: ErrorDetails, source: _Source) -> str:
    place = [str(part) for part in problem["loc"]]
    dotted = ".".join(place)
    if problem["type"] == "extra_forbidden":
        return f"{dotted}: is not a setting, in {source.of(place)}; {_near(place)}"
    said = problem["msg"].removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    return f"{dotted}: {said}, not {problem['input']!r:.80}, in {source.of(place)}"


def _near(place: list[str]) -> str:
    section = Settings.model_fields.get(place[0]) if len(place) > 1 else None
    known = _keys(section.annotation) if section else list(Settings.model_fields)
    near = difflib.get_close_matches(place[-1], known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"


def _anchored(read: Settings, folder: Path) -> Settings:
    """The same, with relative paths taken from the file's folder."""
    agent = read.hostagent
    address = agent.address
    if address.startswith("unix:"):
        address = f"unix:{folder / address.removeprefix('unix:')}"
    paths = {"ca": folder / agent.ca, "certificate": folder / agent.certificate, "key": folder / agent.key}
    control = read.control.socket
    return read.model_copy(
        update={
            "control": read.control.model_copy(update={"socket": folder / control if control else None}),
            "http": read.http.model_copy(update={"keys_file": folder / read.http.keys_file}),
            "stdio": read.stdio.model_copy(update={"socket": folder / read.stdio.socket}),
            "issuer": read.issuer.model_copy(update={"folder": folder / read.issuer.folder}),
            "tls": read.tls.model_copy(update=_beside(folder, read.tls)),
            "oauth": read.oauth.model_copy(update=_beside(folder, read.oauth)),
            "hostagent": agent.model_copy(update={"address": address, **paths}),
        }
    )


def _beside(folder: Path, table: Frozen) -> dict[str, Path]:
    """The optional paths of a table, taken from that folder."""
    return {name: folder / value for name, value in table if isinstance(value, Path)}
