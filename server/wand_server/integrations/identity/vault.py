"""The HTTP API of HashiCorp Vault and OpenBao."""

import base64
import binascii
from typing import Annotated, Any

from pydantic import BaseModel, Field, SecretStr

from wand_proto.errors import Invalid
from wand_server.integrations.kit import (
    ApiKey,
    FirstOf,
    Integration,
    Request,
    Resource,
    SignIn,
    delete,
    get,
    operation,
    post,
)
from wand_server.integrations.kit.http import Signer
from wand_server.integrations.kit.oauth import Token, Tokens, ask
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import Send, secret

HEADER = "X-Vault-Token"
Path = Annotated[str, Field(description="below the mount, such as apps/web")]
Mount = Annotated[str, Field(description="where the store is mounted")]
LISTING = {"list": True}


class AppRole(SignIn):
    """A role and its secret, exchanged for a token that lasts a while."""

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        base = secret(settings, "base_url")

        async def fetch() -> Token:
            given = {"role_id": secret(settings, "role_id"), "secret_id": secret(settings, "secret_id")}
            request = Request(method="POST", path="/v1/auth/approle/login", base_url=base, json=given)
            auth = await ask(send, request, strike, name="client_token", inside="auth")
            return Token(value=str(auth["client_token"]), seconds=float(auth.get("lease_duration") or 3600))

        return Tokens(fetch, header=HEADER, word="")


class Secret(Resource):
    data: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class Written(Resource):
    version: int | None = None
    created_time: str | None = None


class Keys(Resource):
    keys: list[str] = []


class Metadata(Resource):
    current_version: int | None = None
    oldest_version: int | None = None
    created_time: str | None = None
    updated_time: str | None = None
    versions: dict[str, Any] | None = None


class About(Resource):
    display_name: str | None = None
    policies: list[str] = []
    expire_time: str | None = None
    renewable: bool | None = None
    ttl: int | None = None


class Renewed(Resource):
    lease_duration: int | None = None
    renewable: bool | None = None
    policies: list[str] = []


class Encrypted(Resource):
    ciphertext: str = ""
    key_version: int | None = None


class Plain(Resource):
    plaintext: str = ""


class Health(Resource):
    initialized: bool | None = None
    sealed: bool | None = None
    standby: bool | None = None
    version: str | None = None


class Vault(Integration):
    """Vault or OpenBao."""

    class Config(Integration.Config):
        """Where it is, and who signs in."""

        base_url: str = Field(description="such as https://vault.internal:8200")
        token: SecretStr | None = None
        role_id: str = Field(default="", description="of an AppRole, with secret_id")
        secret_id: SecretStr | None = None
        namespace: str = Field(default="", description="of Vault Enterprise or HCP")

    sign_in = FirstOf(((("token",), ApiKey(HEADER, "token")), (("role_id", "secret_id"), AppRole())))
    setting_headers = {"X-Vault-Namespace": "namespace"}

    async def health_check(self) -> None:
        await self.lookup_token()

    @get("/v1/{+mount}/data/{+path}", place="data")
    async def read_secret(self, path: Path, version: int | None = None, mount: Mount = "secret") -> Secret:
        """Read a secret."""

    @operation()
    async def write_secret(
        self,
        path: Path,
        data: Annotated[dict[str, Any], Field(description="names and values; all of the new version")],
        expected_version: Annotated[
            int | None, Field(ge=0, description="only over this one; 0: only if new")
        ] = None,
        mount: Mount = "secret",
    ) -> Written:
        """Write a secret, as a new version."""
        options = {"cas": expected_version} if expected_version is not None else None
        return await self._write(path=path, data=data, options=options, mount=mount)

    @post("/v1/{+mount}/data/{+path}", place="data")
    async def _write(
        self, path: str, data: dict[str, Any], options: dict[str, Any] | None = None, mount: str = "secret"
    ) -> Written:
        """A secret as Vault takes it."""

    @get("/v1/{+mount}/metadata/{+path}", place="data", fixed=LISTING)
    async def list_secrets(self, path: Path, mount: Mount = "secret") -> Keys:
        """List the names of secrets below a path."""

    @delete("/v1/{+mount}/data/{+path}")
    async def delete_secret(self, path: Path, mount: Mount = "secret") -> None:
        """Delete the newest version of a secret."""

    @get("/v1/{+mount}/metadata/{+path}", place="data")
    async def get_secret_metadata(self, path: Path, mount: Mount = "secret") -> Metadata:
        """Say which versions of a secret there are, and from when."""

    @operation(idempotent=True)
    async def login_approle(self) -> About:
        """Log in anew by the AppRole of the settings; the token stays here, what it may do is said."""
        if not getattr(self.config, "role_id", "") or getattr(self.config, "token", None):
            raise Invalid(
                "this instance signs in by a token, not by an AppRole",
                hint="give it the settings role_id and secret_id, and no token",
            )
        await self.http.sign_in_anew()
        return await self.lookup_token()

    @get("/v1/auth/token/lookup-self", place="data")
    async def lookup_token(self) -> About:
        """Say who our token belongs to, and for how long it lasts."""

    @post("/v1/auth/token/renew-self", place="auth", idempotent=True)
    async def renew_token(
        self, increment: Annotated[int | None, Field(ge=1, description="seconds")] = None
    ) -> Renewed:
        """Renew our token."""

    @post("/v1/sys/leases/revoke", destructive=True, idempotent=True)
    async def revoke_lease(self, lease_id: str) -> None:
        """End a lease, and what was given under it."""

    @operation(read_only=True)
    async def encrypt_data(self, key: str, text: str) -> Encrypted:
        """Encrypt a text by a key that stays in Vault."""
        return await self._encrypt(key=key, plaintext=base64.b64encode(text.encode()).decode())

    @post("/v1/transit/encrypt/{key}", place="data", read_only=True)
    async def _encrypt(self, key: str, plaintext: str) -> Encrypted:
        """A text as Vault takes it."""

    @operation(read_only=True)
    async def decrypt_data(
        self, key: str, ciphertext: Annotated[str, Field(description="vault:v1:…")]
    ) -> Plain:
        """Decrypt a text that was encrypted by a key in Vault."""
        found = await self._decrypt(key=key, ciphertext=ciphertext)
        try:
            return Plain(plaintext=base64.b64decode(found.plaintext).decode())
        except (binascii.Error, UnicodeDecodeError) as why:
            raise Invalid("what was encrypted is no text", field="ciphertext") from why

    @post("/v1/transit/decrypt/{key}", place="data", read_only=True)
    async def _decrypt(self, key: str, ciphertext: str) -> Plain:
        """A text as Vault gives it."""

    @get("/v1/sys/mounts", place="data")
    async def list_mounts(self) -> dict[str, Any]:
        """List what is mounted where."""

    @get("/v1/sys/health", fixed={"standbyok": True, "sealedcode": 200, "uninitcode": 200})
    async def get_health(self) -> Health:
        """Say whether it is initialized and open."""

    @get("/v1/sys/seal-status")
    async def seal_status(self) -> Health:
        """Say whether it is sealed."""
