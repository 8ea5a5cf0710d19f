"""SailPoint Identity Security Cloud's REST API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Counted,
    DateTime,
    Integration,
    OAuth2,
    Page,
    Rate,
    Resource,
    Sent,
    get,
    operation,
    post,
)

Id = Annotated[str, Field(pattern=r"^[0-9a-zA-Z-]{1,64}$", examples=["2c91808a7813090a017814121919ecca"])]
Size = Annotated[int, Field(ge=1, le=250)]
Filters = Annotated[str | None, Field(description='such as name sw "Ann" or id eq "2c91…"')]
Sorters = Annotated[str | None, Field(description="names of fields; -created: the newest first")]
PAGES = Counted(sent_as="offset", size="limit", by_items=True)


class Reference(Resource):
    id: str | None = None
    name: str | None = None
    type: str | None = None


class State(Resource):
    name: Annotated[str | None, Field(alias="stateName")] = None


class Identity(Resource):
    id: str = ""
    name: str = ""
    alias: str | None = None
    email: Annotated[str | None, Field(alias="emailAddress")] = None
    status: Annotated[str | None, Field(alias="identityStatus")] = None
    manager: Annotated[Reference | None, Field(alias="managerRef")] = None
    is_manager: Annotated[bool | None, Field(alias="isManager")] = None
    lifecycle: Annotated[State | None, Field(alias="lifecycleState")] = None
    attributes: dict[str, Any] | None = None


class Account(Resource):
    id: str = ""
    name: str = ""
    native_identity: Annotated[str | None, Field(alias="nativeIdentity")] = None
    source: Annotated[str | None, Field(alias="sourceName")] = None
    identity_id: Annotated[str | None, Field(alias="identityId")] = None
    disabled: bool | None = None
    locked: bool | None = None
    uncorrelated: bool | None = None


class Begun(Resource):
    """A change that has begun; `id` is the task's."""

    id: str = ""


class AccessProfile(Resource):
    id: str = ""
    name: str = ""
    description: str | None = None
    enabled: bool | None = None
    requestable: bool | None = None
    source: Reference | None = None
    owner: Reference | None = None


class Role(Resource):
    id: str = ""
    name: str = ""
    description: str | None = None
    enabled: bool | None = None
    requestable: bool | None = None
    owner: Reference | None = None


class Item(Resource):
    """What is asked for."""

    type: Literal["ACCESS_PROFILE", "ROLE", "ENTITLEMENT"]
    id: Id
    comment: str | None = None
    remove_date: Annotated[DateTime | None, Field(alias="removeDate")] = None


class Requested(Resource):
    requested_for: Annotated[str | None, Field(alias="requestedFor")] = None
    ids: Annotated[list[str] | None, Field(alias="accessRequestIds")] = None


class Requests(Resource):
    new: Annotated[list[Requested], Field(alias="newRequests")] = []
    existing: Annotated[list[Requested], Field(alias="existingRequests")] = []


class RequestStatus(Resource):
    id: str | None = None
    name: str | None = None
    type: str | None = None
    state: str | None = None
    request_type: Annotated[str | None, Field(alias="requestType")] = None
    requested_for: Annotated[Reference | None, Field(alias="requestedFor")] = None
    requester: Reference | None = None
    created: str | None = None


class Approval(Resource):
    id: str | None = None
    name: str | None = None
    request_type: Annotated[str | None, Field(alias="requestType")] = None
    requester: Reference | None = None
    requested_for: Annotated[Reference | None, Field(alias="requestedFor")] = None
    requested_object: Annotated[Reference | None, Field(alias="requestedObject")] = None
    created: str | None = None


class Certification(Resource):
    id: str | None = None
    name: str | None = None
    completed: bool | None = None
    decisions_made: Annotated[int | None, Field(alias="decisionsMade")] = None
    decisions_total: Annotated[int | None, Field(alias="decisionsTotal")] = None
    due: str | None = None
    phase: str | None = None
    reviewer: Reference | None = None


class Source(Resource):
    id: str | None = None
    name: str = ""
    description: str | None = None
    type: str | None = None
    healthy: bool | None = None
    status: str | None = None
    owner: Reference | None = None


class SailPoint(Integration):
    """A tenant of Identity Security Cloud."""

    class Config(Integration.Config):
        """Which tenant, and who signs in."""

        base_url: str = Field(description="https://NAME.api.identitynow.com")
        client_id: str = Field(description="of a personal access token or an API client")
        client_secret: SecretStr

    sign_in = OAuth2(token_url="{base_url}/oauth/token")  # noqa: S106 - no secret
    rate = Rate(100, per_seconds=10)

    async def health_check(self) -> None:
        await self.list_sources(limit=1)

    @get("/v2024/identities", paging=PAGES)
    async def list_identities(
        self, filters: Filters = None, sorters: Sorters = None, limit: Size = 50
    ) -> Page[Identity]:
        """List identities: the people whose access is governed."""

    @get("/v2024/identities/{id}")
    async def get_identity(self, id: Id) -> Identity:
        """Look at an identity: a person's status, manager and attributes."""

    @get("/v2024/accounts", paging=PAGES)
    async def list_accounts(
        self, filters: Filters = None, sorters: Sorters = None, limit: Size = 50
    ) -> Page[Account]:
        """List accounts in the connected systems; of one person by the filter identityId eq "…"."""

    @get("/v2024/accounts/{id}")
    async def get_account(self, id: Id) -> Account:
        """Look at an account in a connected system."""

    @post("/v2024/accounts/{id}/disable", idempotent=True, destructive=True)
    async def disable_account(
        self,
        id: Id,
        force: Annotated[bool, Sent("forceProvisioning")] = False,  # noqa: FBT002
    ) -> Begun:
        """Disable an account in a connected system, so that nobody signs in with it."""

    @post("/v2024/accounts/{id}/enable", idempotent=True)
    async def enable_account(
        self,
        id: Id,
        force: Annotated[bool, Sent("forceProvisioning")] = False,  # noqa: FBT002
    ) -> Begun:
        """Enable an account in a connected system again."""

    @get("/v2024/access-profiles", paging=PAGES)
    async def list_access_profiles(
        self, filters: Filters = None, sorters: Sorters = None, limit: Size = 50
    ) -> Page[AccessProfile]:
        """List access profiles: bundles of entitlements that can be requested."""

    @get("/v2024/roles", paging=PAGES)
    async def list_roles(
        self, filters: Filters = None, sorters: Sorters = None, limit: Annotated[int, Field(ge=1, le=50)] = 50
    ) -> Page[Role]:
        """List roles that people can have or request."""

    @operation()
    async def create_access_request(
        self,
        requested_for: Annotated[
            list[Id], Field(min_length=1, max_length=10, description="ids of identities")
        ],
        items: Annotated[list[Item], Field(min_length=1, max_length=25)],
        request_type: Literal["GRANT_ACCESS", "REVOKE_ACCESS"] = "GRANT_ACCESS",
    ) -> Requests:
        """Request access for people to roles, access profiles or entitlements, or that it is revoked."""
        wanted = [item.model_dump(by_alias=True, exclude_none=True) for item in items]
        return await self._request(
            requestedFor=requested_for, requestType=request_type, requestedItems=wanted
        )

    @post("/v2024/access-requests")
    async def _request(
        self,
        requestedFor: list[str],  # noqa: N803 - the vendor's name
        requestType: str,  # noqa: N803
        requestedItems: list[dict[str, Any]],  # noqa: N803
    ) -> Requests:
        """A request as SailPoint takes it."""

    @get("/v2024/access-request-status", paging=PAGES)
    async def list_access_request_status(
        self,
        requested_for: Annotated[Id | None, Sent("requested-for")] = None,
        requested_by: Annotated[Id | None, Sent("requested-by")] = None,
        filters: Filters = None,
        limit: Size = 50,
    ) -> Page[RequestStatus]:
        """Say how far requests for access have got: pending, approved, rejected, provisioned."""

    @get("/v2024/access-request-approvals/pending", paging=PAGES)
    async def list_pending_approvals(
        self,
        owner_id: Annotated[
            Id | None, Field(description="whose; left out: one's own"), Sent("owner-id")
        ] = None,
        filters: Filters = None,
        limit: Size = 50,
    ) -> Page[Approval]:
        """List requests for access that wait for approval."""

    @post("/v2024/access-request-approvals/{id}/approve", idempotent=True)
    async def approve_access_request(
        self,
        id: Annotated[Id, Field(description="from list_pending_approvals")],
        comment: str = "",
    ) -> None:
        """Approve a pending request for access."""

    @get("/v2024/certifications", paging=PAGES)
    async def list_certifications(
        self,
        reviewer: Annotated[
            str | None, Field(description="id of an identity, or me"), Sent("reviewer-identity")
        ] = None,
        filters: Filters = None,
        limit: Size = 50,
    ) -> Page[Certification]:
        """List certifications: reviews of who has which access, and how far they are."""

    @get("/v2024/sources", paging=PAGES)
    async def list_sources(
        self, filters: Filters = None, sorters: Sorters = None, limit: Size = 50
    ) -> Page[Source]:
        """List sources: the systems that are connected, and whether they are healthy."""

    @operation(read_only=True)
    async def search(
        self,
        query: Annotated[str, Field(min_length=1, description="words, or such as attributes.department:IT")],
        indices: Annotated[
            list[
                Literal[
                    "identities", "accessprofiles", "roles", "entitlements", "events", "accountactivities"
                ]
            ],
            Field(min_length=1),
        ] = ["identities"],
        limit: Annotated[int, Field(ge=1, le=250)] = 25,
        offset: Annotated[int, Field(ge=0, le=10000)] = 0,
    ) -> list[dict[str, Any]]:
        """Search identities, roles, entitlements, events and account activities by words."""
        return await self._search(indices=[*indices], query={"query": query}, limit=limit, offset=offset)

    @post("/v2024/search", read_only=True)
    async def _search(
        self,
        indices: list[str],
        query: dict[str, str],
        limit: Annotated[int, Sent(where="query")],
        offset: Annotated[int, Sent(where="query")],
    ) -> list[dict[str, Any]]:
        """A search as SailPoint takes it."""
