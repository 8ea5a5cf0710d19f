"""Okta's management API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Bearer,
    DateTime,
    Email,
    Integration,
    Linked,
    Page,
    Rate,
    Resource,
    Sent,
    delete,
    get,
    operation,
    post,
    put,
)

UserId = Annotated[str, Field(description="id, or the name to sign in with")]
Size = Annotated[int, Field(ge=1, le=200)]


class User(Resource):
    id: str = ""
    status: str | None = None
    created: str | None = None
    status_changed: Annotated[str | None, Field(alias="statusChanged")] = None
    last_login: Annotated[str | None, Field(alias="lastLogin")] = None
    password_changed: Annotated[str | None, Field(alias="passwordChanged")] = None
    profile: dict[str, Any] = {}


class Group(Resource):
    id: str = ""
    type: str | None = None
    profile: dict[str, Any] = {}


class Application(Resource):
    id: str = ""
    label: str | None = None
    name: str | None = None
    status: str | None = None


class Factor(Resource):
    id: str = ""
    factor_type: Annotated[str | None, Field(alias="factorType")] = None
    provider: str | None = None
    status: str | None = None
    created: str | None = None
    profile: dict[str, Any] | None = None  # which phone, which address


class LogEvent(Resource):
    published: str | None = None
    event_type: Annotated[str | None, Field(alias="eventType")] = None
    severity: str | None = None
    display_message: Annotated[str | None, Field(alias="displayMessage")] = None
    actor: dict[str, Any] | None = None
    target: list[dict[str, Any]] | None = None  # whom or what it was done to
    outcome: dict[str, Any] | None = None
    client: dict[str, Any] | None = None


class Okta(Integration):
    """An organisation at Okta."""

    class Config(Integration.Config):
        """Which organisation, and who signs in."""

        base_url: str = Field(description="https://NAME.okta.com")
        token: SecretStr

    sign_in = Bearer("token", "SSWS")
    rate = Rate(300, per_seconds=60)

    async def health_check(self) -> None:
        await self.list_groups(limit=1)

    @get("/api/v1/users", paging=Linked())
    async def list_users(
        self,
        search: Annotated[
            str | None, Field(description='such as status eq "ACTIVE" and profile.department eq "IT"')
        ] = None,
        q: Annotated[str | None, Field(description="what the name or the address begins with")] = None,
        limit: Size = 50,
    ) -> Page[User]:
        """List people, or find some."""

    @get("/api/v1/users/{user_id}")
    async def get_user(self, user_id: UserId) -> User:
        """Look at a person's account."""

    @operation()
    async def create_user(
        self,
        first_name: str,
        last_name: str,
        email: Email,
        login: Annotated[str | None, Field(min_length=5, description="left out: the address")] = None,
        groups: Annotated[list[str] | None, Field(description="ids of groups")] = None,
        *,
        activate: Annotated[bool, Field(description="and mail them how to sign in")] = True,
    ) -> User:
        """Create an account for a person."""
        profile = {"firstName": first_name, "lastName": last_name, "email": email, "login": login or email}
        return await self._create(profile=profile, group_ids=groups, activate=activate)

    @post("/api/v1/users")
    async def _create(
        self,
        profile: dict[str, str],
        group_ids: Annotated[list[str] | None, Sent("groupIds")] = None,
        activate: Annotated[bool, Sent(where="query")] = True,  # noqa: FBT002
    ) -> User:
        """An account as Okta takes it."""

    @post("/api/v1/users/{user_id}", idempotent=True)
    async def update_user(
        self, user_id: UserId, profile: Annotated[dict[str, Any], Field(description="only what changes")]
    ) -> User:
        """Change a person's profile."""

    @post("/api/v1/users/{user_id}/lifecycle/deactivate", destructive=True)
    async def deactivate_user(self, user_id: UserId) -> None:
        """Deactivate an account; all its applications are taken from it."""

    @post("/api/v1/users/{user_id}/lifecycle/suspend")
    async def suspend_user(self, user_id: UserId) -> None:
        """Suspend an account, so that nobody signs in with it."""

    @post("/api/v1/users/{user_id}/lifecycle/unlock")
    async def unlock_user(self, user_id: UserId) -> None:
        """Unlock an account that too many wrong passwords have locked."""

    @get("/api/v1/groups", paging=Linked())
    async def list_groups(
        self,
        q: Annotated[str | None, Field(description="what the name begins with")] = None,
        limit: Size = 50,
    ) -> Page[Group]:
        """List groups, or find some."""

    @put("/api/v1/groups/{group_id}/users/{user_id}")
    async def add_user_to_group(self, group_id: str, user_id: str) -> None:
        """Put a person into a group."""

    @delete("/api/v1/groups/{group_id}/users/{user_id}", destructive=False)
    async def remove_user_from_group(self, group_id: str, user_id: str) -> None:
        """Take a person out of a group."""

    @get("/api/v1/apps", paging=Linked())
    async def list_applications(self, q: str | None = None, limit: Size = 50) -> Page[Application]:
        """List the applications that people can sign in to."""

    @get("/api/v1/users/{user_id}/factors")
    async def list_factors(self, user_id: UserId) -> list[Factor]:
        """List the second factors of a person."""

    @get("/api/v1/logs", paging=Linked())
    async def query_system_log(
        self,
        since: Annotated[DateTime | None, Field(description="left out: seven days ago")] = None,
        until: DateTime | None = None,
        filter: Annotated[str | None, Field(description='such as eventType eq "user.session.start"')] = None,
        q: Annotated[str | None, Field(description="words")] = None,
        sort_order: Annotated[Literal["ASCENDING", "DESCENDING"], Sent("sortOrder")] = "DESCENDING",
        limit: Size = 50,
    ) -> Page[LogEvent]:
        """Read the system log: who signed in, what was changed, what was refused."""

    @delete("/api/v1/users/{user_id}/sessions")
    async def revoke_user_sessions(self, user_id: UserId) -> None:
        """End all sessions of a person."""
