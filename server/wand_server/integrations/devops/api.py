"""Any API that speaks HTTP: the hosts that the settings name, with whichever sign-in they say."""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, Field, SecretStr

from wand_proto.errors import Conflict, Denied, Invalid, NotFound
from wand_server.integrations.kit import (
    ApiKey,
    Basic,
    Bearer,
    Consent,
    EntraApp,
    GitHubApp,
    Nobody,
    OAuth2,
    Personal,
    Request,
    Resource,
    ServiceAccount,
    Session,
    SignIn,
    SigV4,
    operation,
)
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.content import SaveAs, downloaded
from wand_server.integrations.kit.http import Address, Signer
from wand_server.integrations.kit.request import Method, as_text
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import Send

Auth = Literal[
    "none", "bearer", "basic", "api_key", "oauth2", "refresh_token", "people", "entra", "google",
    "github_app", "aws", "session",
]  # fmt: skip
_TOKENS = "{token_url}"  # the setting
_OURS = frozenset({
    "authorization", "proxy-authorization", "cookie", "host", "content-length", "transfer-encoding",
    "connection", "upgrade", "te", "trailer", "expect", "forwarded", "x-real-ip",
    "x-http-method-override", "x-http-method", "x-method-override",  # a GET could be a DELETE by them
    "x-original-url", "x-rewrite-url",  # and a path another
})  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110, 5.6.2
_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(/[!-~\u00a0-\uffff]*)?")  # no user, and nothing invisible
_TOLD = ("content-type", "location", "link", "etag", "last-modified", "retry-after")
Url = Annotated[
    str,
    Field(min_length=1, max_length=4000, description="whole, or a path below base_url", examples=["/things"]),
]
Query = Annotated[dict[str, Any] | None, Field(description="parameters behind the ?")]
Headers = Annotated[dict[str, Annotated[str, Field(pattern=r"^[\t -~]*$")]] | None, Field(max_length=30)]


@dataclass(frozen=True, slots=True)
class ByAuth(SignIn):
    """The way that the setting `auth` names."""

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        return _way(settings).signer(settings, send, strike)


def _way(one: Any) -> SignIn:
    by: Mapping[str, SignIn] = {
        "none": Nobody(),
        "bearer": Bearer("token"),
        "basic": Basic(),
        "api_key": ApiKey(one.api_key_name, where=one.api_key_in, prefix=one.api_key_prefix),
        "oauth2": OAuth2(token_url=_TOKENS, scope=one.scope, by=one.client_by),
        "refresh_token": OAuth2(token_url=_TOKENS, grant="refresh_token", scope=one.scope, by=one.client_by),
        "people": Consent(
            authorize_url="{authorize_url}", token_url=_TOKENS, scope=one.scope, by=one.client_by
        ),
        "entra": EntraApp(scope=one.scope),
        "google": ServiceAccount(scope=one.scope),
        "github_app": GitHubApp(),
        "aws": SigV4(service=one.aws_service),
        "session": Session(path=one.login_path, cookie=one.login_cookie, token=one.login_token),
    }
    return by[one.auth]


_NEEDS: Mapping[Auth, tuple[str, ...]] = {
    "bearer": ("token",),
    "basic": ("username", "password"),
    "api_key": ("api_key",),
    "oauth2": ("token_url", "client_id", "client_secret"),
    "refresh_token": ("token_url", "client_id", "refresh_token"),
    "people": ("authorize_url", "token_url", "client_id"),
    "entra": ("tenant", "client_id", "scope"),
    "google": ("service_account", "scope"),
    "github_app": ("app_id", "installation_id", "private_key"),
    "aws": ("access_key_id", "secret_access_key", "region", "aws_service"),
    "session": ("login_path", "username", "password"),
}


class Response(Resource):
    """What came back: `json`, or text, base64 or a file where it is something else."""

    status: int
    headers: dict[str, str] = {}
    body: Any = None
    text: str | None = None
    base64: str | None = None
    file: str | None = None


class API(Personal):
    """An API that has no module of its own."""

    class Config(Personal.Config):
        """Where it is, what of it may be asked for, and how one signs in."""

        read_only: bool = Field(default=True, description="false: it may change something as well")
        base_url: str = Field(
            default="", description="such as https://billing.internal/v1; sign-in goes there"
        )
        hosts: tuple[str, ...] = Field(
            default=(), description="others that may be asked, by https and without sign-in"
        )
        paths: tuple[str, ...] = Field(
            default=(), description="only paths like these, such as /v1/invoices/*"
        )
        check_path: str = Field(default="", description="below base_url, that answers where all is well")
        auth: Auth = "none"
        token: SecretStr | None = None
        username: str = ""
        password: SecretStr | None = None
        api_key: SecretStr | None = None
        api_key_name: str = Field(default="X-API-Key", description="of the header, or in the query")
        api_key_in: Literal["header", "query"] = "header"
        api_key_prefix: str = ""
        token_url: str = Field(default="", description="where OAuth tokens are")
        authorize_url: str = Field(default="", description="where people let their account be used")
        scope: str = ""
        client_id: str = ""
        client_secret: SecretStr | None = None
        client_by: Literal["form", "basic"] = Field(
            default="form", description="how the client says who it is"
        )
        refresh_token: SecretStr | None = None
        tenant: str = Field(default="", description="of Microsoft Entra")
        certificate: SecretStr | None = Field(default=None, description="of the application, with its key")
        service_account: SecretStr | None = Field(default=None, description="Google's JSON file, whole")
        subject: str = Field(default="", description="for whom the service account acts")
        app_id: str = Field(default="", description="of a GitHub App")
        installation_id: str = ""
        private_key: SecretStr | None = None
        access_key_id: str = ""
        secret_access_key: SecretStr | None = None
        session_token: SecretStr | None = None
        region: str = ""
        aws_service: str = Field(default="", description="as signatures name it, such as execute-api")
        login_path: str = Field(default="", description="where a session begins, with username and password")
        login_cookie: str = Field(default="", description="that it is kept in, if it is")
        login_token: str = Field(default="token", description="or where in the answer the token stands")

    config: Config
    sign_in: ClassVar[SignIn] = ByAuth()

    def __init__(self, config: Config) -> None:
        missing = [name for name in _NEEDS.get(config.auth, ()) if not getattr(config, name)]
        if missing:
            raise Invalid("is missing", hint=f"auth = {config.auth!r} needs it", field=missing[0])
        if not config.base_url and (config.auth != "none" or not config.hosts):
            raise Invalid("is missing", hint="or hosts, which get no sign-in", field="base_url")
        super().__init__(config)

    def _address(self) -> Address:
        return replace(super()._address(), base_url=self.config.base_url or f"https://{self.config.hosts[0]}")

    async def health_check(self) -> None:
        """That it answers and lets us in; without `check_path`, that there is nothing is an answer."""
        if not self.config.base_url:
            return
        try:
            await self.http.send(Request(method="GET", path=self.config.check_path or "/"))
        except (NotFound, Invalid, Conflict):
            if self.config.check_path:
                raise

    @operation(read_only=True)
    async def fetch(
        self,
        url: Url,
        query: Query = None,
        headers: Headers = None,
        method: Literal["GET", "HEAD"] = "GET",
        save_as: SaveAs = None,
    ) -> Response:
        """Ask an API of yours for something by GET."""
        request = self._request(method, url, query, headers)
        return await self._told(await self.http.send(request), save_as)

    @operation(destructive=True, recorded=("method",))
    async def change(
        self,
        url: Url,
        method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST",
        body: Annotated[Any, Field(description="JSON, or a text with media_type")] = None,
        media_type: Annotated[str, Field(pattern=r"^[\w.+/;= -]*$")] = "",
        query: Query = None,
        headers: Headers = None,
        save_as: SaveAs = None,
    ) -> Response:
        """Change something at an API of yours by POST, PUT, PATCH or DELETE."""
        request = self._request(method, url, query, headers)
        if media_type and isinstance(body, str):
            request.headers["Content-Type"], request.body = media_type, body.encode()
        elif body is not None:
            request.json = body
        return await self._told(await self.http.send(request), save_as)

    def _request(self, method: Method, url: str, query: Query, headers: Headers) -> Request:
        """A request to where it may go.

        Raises:
            Denied: it may not go there, or with such a header.
            Invalid: it is no address.
        """
        for name in headers or {}:
            known = name.lower().replace("_", "-")  # some servers take one for the other
            is_ours = known in {*_OURS, self.config.api_key_name.lower()} or known.startswith("x-forwarded-")
            if is_ours or name.lower() == self.config.api_key_name.lower() or not _NAME.fullmatch(name):
                raise Denied(f"the header {name!r:.80} is not yours to set", field="headers")
        asked = {name: as_text(value) for name, value in (query or {}).items() if value is not None}
        return Request(method=method, path=self._allowed(url), query=asked, headers=dict(headers or {}))

    def _allowed(self, url: str) -> str:
        """The whole address, where that may be asked."""
        base = self.config.base_url.rstrip("/")
        whole = url if "://" in url else base + url
        is_path = url.startswith("/") and not url.startswith("//") and bool(base)
        if not _URL.fullmatch(whole) or ("://" not in url and not is_path):
            hint = "a whole address, or a path that begins with / where base_url is set"
            raise Invalid("is no address", hint=hint, field="url")
        path = urlsplit(whole).path
        if _origin(whole) is None:
            raise Invalid("has no such port", field="url")
        for _ in range(3):  # and what it is after a server, or one before it, has read it
            path = unquote(path)
            parts = path.replace("\\", "/").split("/")
            if not {".", ".."}.isdisjoint(part.partition(";")[0] for part in parts):  # Tomcat reads ..; so
                raise Invalid("has a part . or ..", field="url")
        if not self._is_listed(whole, base):
            listed = ", ".join(filter(None, (base, *(f"https://{one}" for one in self.config.hosts))))
            only = f"; of these the paths {', '.join(self.config.paths)}" if self.config.paths else ""
            raise Denied("that may not be asked", hint=f"permitted are: {listed}{only}", field="url")
        return whole

    def _is_listed(self, whole: str, base: str) -> bool:
        parts, paths = urlsplit(whole), self.config.paths
        if paths and not any(fnmatch.fnmatchcase(parts.path, one) for one in paths):
            return False
        if base and _origin(whole) == _origin(base):
            return f"{parts.path}/".startswith(f"{urlsplit(base).path}/")
        return any(_origin(whole) == _origin(f"https://{one}") for one in self.config.hosts)

    async def _told(self, answered: Answered, save_as: str | None) -> Response:
        headers = {name: answered.headers[name] for name in _TOLD if name in answered.headers}
        about = {"status": answered.status, "headers": headers}
        is_json = isinstance(answered.body, dict | list) or "json" in headers.get("content-type", "")
        if save_as is None and (is_json or not answered.raw):
            return Response.model_validate({**about, "body": answered.body})
        kept = await downloaded(answered, save_as)
        return Response.model_validate({**about, **{k: kept.get(k) for k in ("text", "base64", "file")}})


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None where that is none."""
    parts = urlsplit(url)
    try:
        return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
