"""Keycloak's Admin REST API."""

from typing import Annotated

from pydantic import Field, SecretStr

from wand_server.integrations import kit
from wand_server.integrations.kit import Page, Resource, Sent, at, get, post, put

PAGES = kit.Counted(sent_as="first", size="max", by_items=True)
Size = Annotated[int, Sent("max"), Field(ge=1, le=500)]
First = Annotated[str | None, Sent("firstName")]
Last = Annotated[str | None, Sent("lastName")]
Actions = Annotated[list[str] | None, Sent("requiredActions"), Field(examples=[["UPDATE_PASSWORD"]])]
Password = Annotated[str, Sent("value"), Field(min_length=1)]
App = Annotated[str | None, Sent("clientId")]
Mail = kit.Email | None


class Named(Resource):
    id: str = ""
    name: str | None = None
    path: str | None = None
    description: str | None = None


class User(Resource):
    id: str = ""
    username: str | None = None
    email: str | None = None
    verified: Annotated[bool | None, at("emailVerified")] = None
    first_name: Annotated[str | None, at("firstName")] = None
    last_name: Annotated[str | None, at("lastName")] = None
    enabled: bool | None = None
    required_actions: Annotated[list[str] | None, at("requiredActions")] = None


class Created(Resource):
    location: str | None = None  # ends with the id


class Client(Named):
    client_id: Annotated[str | None, at("clientId")] = None
    enabled: bool | None = None


class Session(Resource):
    id: str = ""
    address: Annotated[str | None, at("ipAddress")] = None
    start: int | None = None  # ms of the Unix clock
    clients: dict[str, str] | None = None


class Keycloak(kit.Integration):
    """A realm of Keycloak, by a service account."""

    class Config(kit.Integration.Config):
        base_url: str = Field(description="such as https://sso.example.com")
        realm: str = Field(min_length=1, description="whose people and clients these are")
        client_id: str = Field(description="of a client that has service accounts enabled")
        client_secret: SecretStr

    below = "/admin/realms/{realm}"
    sign_in = kit.OAuth2(token_url="{base_url}/realms/{realm}/protocol/openid-connect/token")  # noqa: S106
    rate = kit.Rate(20)

    async def health_check(self) -> None:
        await self.list_users(size=1)

    @get("/users", paging=PAGES)
    async def list_users(self, search: str | None = None, size: Size = 50) -> Page[User]:
        """List the users of the realm, or search them by name and e-mail address."""

    @get("/users/{user}")
    async def get_user(self, user: str) -> User:
        """Look at a user of Keycloak."""

    @post("/users", headers={"location": "Location"}, fixed={"enabled": True})
    async def create_user(
        self, username: str, email: Mail = None, first_name: First = None, last_name: Last = None,
        actions: Actions = None,
    ) -> Created:  # fmt: skip
        """Create a user of the realm; a password comes by reset_password."""

    @put("/users/{user}")
    async def update_user(
        self, user: str, email: Mail = None, first_name: First = None, last_name: Last = None,
        actions: Actions = None, *, enabled: bool | None = None,
    ) -> None:  # fmt: skip
        """Change a user, or disable (lock) and enable them."""

    @kit.delete("/users/{user}")
    async def delete_user(self, user: str) -> None:
        """Delete a user of the realm."""

    @put("/users/{user}/reset-password", fixed={"type": "password"})
    async def reset_password(self, user: str, password: Password, *, temporary: bool = True) -> None:
        """Give a user another password, which is temporary: they change it when they sign in."""

    @get("/groups", paging=PAGES)
    async def list_groups(self, search: str | None = None, size: Size = 50) -> Page[Named]:
        """List the groups of the realm."""

    @put("/users/{user}/groups/{group}")
    async def join_group(self, user: str, group: str) -> None:
        """Put a user into a group."""

    @get("/clients", paging=PAGES)
    async def list_clients(self, client_id: App = None, size: Size = 50) -> Page[Client]:
        """List the clients (applications) of the realm."""

    @get("/roles", paging=PAGES)
    async def list_roles(self, search: str | None = None, size: Size = 50) -> Page[Named]:
        """List the roles of the realm."""

    @get("/users/{user}/sessions")
    async def list_sessions(self, user: str) -> list[Session]:
        """List where a user is signed in."""

    @post("/users/{user}/logout", idempotent=True)
    async def logout_user(self, user: str) -> None:
        """Sign a user out everywhere."""
