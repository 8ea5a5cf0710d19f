"""Britive's API: access that is checked out for a while."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_proto.errors import Invalid, NotFound
from wand_server.integrations.kit import (
    Bearer,
    Counted,
    DateTime,
    Integration,
    Page,
    Rate,
    Resource,
    Sent,
    get,
    operation,
    post,
    put,
)
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.paging import NextCursor, Paging, found
from wand_server.integrations.kit.request import Request

ProfileId = Annotated[str, Field(min_length=1, description="from list_my_access")]
EnvironmentId = Annotated[str, Field(min_length=1, description="from list_my_access")]
TransactionId = Annotated[
    str, Field(min_length=1, description="from checkout_profile or list_checked_out_profiles")
]
Size = Annotated[int, Field(ge=1, le=100)]
Filter = Annotated[str | None, Field(description='such as name co "ann"')]
PAGES = Counted(items="data", size="size", first=0)
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class NextPage(Paging):
    """A header of the answer says what follows, and the next request brings it back in one."""

    def ask(self, request: Request, cursor: str) -> None:
        if not (cursor.isascii() and cursor.isprintable() and len(cursor) <= 4096):
            raise Invalid("must be the next_cursor of an answer before", field="cursor")
        request.headers["next-page"] = cursor

    def read(self, request: Request, answered: Answered) -> tuple[Any, str | None]:  # noqa: ARG002
        return found(answered.body, "records"), answered.headers.get("next-page") or None


class Environment(Resource):
    id: Annotated[str, Field(alias="environmentId")] = ""
    name: Annotated[str | None, Field(alias="environmentName")] = None


class MyProfile(Resource):
    id: Annotated[str, Field(alias="profileId")] = ""
    name: Annotated[str | None, Field(alias="profileName")] = None
    environments: list[Environment] = []


class MyApplication(Resource):
    id: Annotated[str, Field(alias="appContainerId")] = ""
    name: Annotated[str | None, Field(alias="appName")] = None
    kind: Annotated[str | None, Field(alias="catalogAppName")] = None
    profiles: list[MyProfile] = []


class Transaction(Resource):
    id: Annotated[str, Field(alias="transactionId")] = ""
    status: str | None = None
    profile_id: Annotated[str | None, Field(alias="papId")] = None
    environment_id: Annotated[str | None, Field(alias="environmentId")] = None
    access_type: Annotated[str | None, Field(alias="accessType")] = None
    checked_out: Annotated[str | None, Field(alias="checkedOut")] = None
    expiration: str | None = None


class ApprovalRequest(Resource):
    id: Annotated[str | None, Field(alias="requestId")] = None
    is_approved: bool = False  # before it was asked for


class Application(Resource):
    id: Annotated[str, Field(alias="appContainerId")] = ""
    name: Annotated[str | None, Field(alias="catalogAppDisplayName")] = None
    status: str | None = None


class Profile(Resource):
    id: Annotated[str, Field(alias="papId")] = ""
    name: str | None = None
    description: str | None = None
    status: str | None = None


class User(Resource):
    id: Annotated[str, Field(alias="userId")] = ""
    username: str | None = None
    name: str | None = None
    email: str | None = None
    status: str | None = None


class Tag(Resource):
    id: Annotated[str, Field(alias="userTagId")] = ""
    name: str | None = None
    description: str | None = None
    status: str | None = None


class Britive(Integration):
    """A tenant of Britive."""

    class Config(Integration.Config):
        """Which tenant, and who signs in."""

        base_url: str = Field(description="https://NAME.britive-app.com")
        token: SecretStr = Field(description="an API token of a user or a service identity")

    sign_in = Bearer("token", "TOKEN")
    rate = Rate(5)

    async def health_check(self) -> None:
        await self.list_checked_out_profiles()

    @get("/api/access")
    async def list_my_access(self) -> list[MyApplication]:
        """List what I may check out: applications, their profiles and environments."""

    @operation()
    async def checkout_profile(
        self,
        profile_id: ProfileId,
        environment_id: EnvironmentId,
        access_type: Annotated[
            Literal["PROGRAMMATIC", "CONSOLE"],
            Field(description="keys for programs, or a link to sign in by"),
        ] = "PROGRAMMATIC",
        justification: str | None = None,
        ticket_id: str | None = None,
        ticket_type: str | None = None,
    ) -> Transaction:
        """Check out a profile: get temporary privileged access to an environment."""
        said = {"justification": justification, "ticketId": ticket_id, "ticketType": ticket_type}
        return await self._check_out(
            profile_id=profile_id,
            environment_id=environment_id,
            access_type=access_type,
            said={name: value for name, value in said.items() if value},
        )

    @post("/api/access/{profile_id}/environments/{environment_id}")
    async def _check_out(
        self,
        profile_id: str,
        environment_id: str,
        access_type: Annotated[str, Sent("accessType", "query")],
        said: Annotated[dict[str, str], Sent(where="whole_body")],
    ) -> Transaction:
        """A check-out as Britive takes it."""

    @operation(read_only=True)
    async def get_checkout_status(self, transaction_id: TransactionId) -> Transaction:
        """Say how far a check-out is: submitted, or checked out, and when it expires."""
        for one in await self.list_checked_out_profiles():
            if one.id == transaction_id:
                return one
        hint = "it has been checked in, or has expired"
        raise NotFound("nothing is checked out by that id", hint=hint, field="transaction_id")

    @operation(read_only=True)
    async def get_credentials(self, transaction_id: TransactionId) -> dict[str, Any]:
        """Get the temporary credentials of a profile that is checked out: keys, or a link to sign in by."""
        there = await self.get_checkout_status(transaction_id)
        if there.access_type == "CONSOLE":
            return await self._url(transaction_id=transaction_id)
        return await self._tokens(transaction_id=transaction_id)

    @get("/api/access/{transaction_id}/tokens")
    async def _tokens(self, transaction_id: str) -> dict[str, Any]:
        """Keys."""

    @get("/api/access/{transaction_id}/url")
    async def _url(self, transaction_id: str) -> dict[str, Any]:
        """A link."""

    @put("/api/access/{transaction_id}")
    async def checkin_profile(
        self,
        transaction_id: TransactionId,
        kind: Annotated[Literal["API"], Sent("type", "query")] = "API",
    ) -> Transaction:
        """Check in a profile: give temporary access back before it expires."""

    @get("/api/access/app-access-status")
    async def list_checked_out_profiles(self) -> list[Transaction]:
        """List the profiles that I have checked out now."""

    @get("/api/apps")
    async def list_applications(self) -> list[Application]:
        """List the applications that the tenant governs."""

    @get("/api/apps/{application_id}/paps")
    async def list_profiles(
        self, application_id: Annotated[str, Field(min_length=1, description="from list_applications")]
    ) -> list[Profile]:
        """List the profiles of an application that people can check out."""

    @get("/api/users", paging=PAGES, fixed={"type": "User"})
    async def list_users(self, filter: Filter = None, size: Size = 50) -> Page[User]:
        """List the people of the tenant, or find some."""

    @get("/api/user-tags", paging=PAGES)
    async def list_groups(self, filter: Filter = None, size: Size = 50) -> Page[Tag]:
        """List the groups of people, which Britive calls tags."""

    @operation()
    async def request_approval(
        self,
        profile_id: ProfileId,
        environment_id: EnvironmentId,
        justification: Annotated[str, Field(min_length=1, description="why it is needed")],
        ticket_id: str | None = None,
        ticket_type: str | None = None,
    ) -> ApprovalRequest:
        """Request approval to check out a profile, from those who may grant it."""
        asked = await self._request(
            profile_id=profile_id,
            environment_id=environment_id,
            justification=justification,
            ticketId=ticket_id,
            ticketType=ticket_type,
        )
        return asked or ApprovalRequest(is_approved=True)

    @post("/api/access/{profile_id}/environments/{environment_id}/approvalRequest")
    async def _request(
        self,
        profile_id: str,
        environment_id: str,
        justification: str,
        ticketId: str | None = None,  # noqa: N803 - the vendor's names
        ticketType: str | None = None,  # noqa: N803
    ) -> ApprovalRequest | None:
        """A request as Britive takes it; nothing comes back where it has been approved."""

    @operation(read_only=True)
    async def query_audit_logs(
        self,
        since: Annotated[DateTime | None, Field(description="at most seven days before until")] = None,
        until: Annotated[DateTime | None, Field(description="left out: now")] = None,
        filter: Annotated[
            str | None,
            Field(description='such as actor.displayName co "ann" and event.eventType eq "checkout"'),
        ] = None,
        cursor: NextCursor = None,
    ) -> Page[dict[str, Any]]:
        """Read the audit log: who checked out, approved or changed what."""
        end = datetime.fromisoformat(until) if until else datetime.now(UTC)
        begin = datetime.fromisoformat(since) if since else end - _WEEK
        return await self._logs(begin=begin.isoformat(), end=end.isoformat(), filter=filter, cursor=cursor)

    @get("/api/logs/v2", paging=NextPage())
    async def _logs(
        self,
        begin: Annotated[str, Sent("from")],
        end: Annotated[str, Sent("to")],
        filter: str | None = None,
        cursor: str | None = None,
    ) -> Page[dict[str, Any]]:
        """A query as Britive takes it."""
