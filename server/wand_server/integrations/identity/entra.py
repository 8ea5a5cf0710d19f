"""Microsoft Entra ID: people, groups, applications and logs of a directory, by Microsoft Graph."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from wand_server.integrations.kit import (
    DateTime,
    Page,
    Resource,
    Sent,
    delete,
    get,
    operation,
    patch,
    post,
)
from wand_server.integrations.kit.graph import PAGES, Body, Graph, all_of, quoted
from wand_server.integrations.kit.request import segments

UserId = Annotated[str, Field(description="id, or the name to sign in with (ann@example.com)")]
GroupId = Annotated[str, Field(description="from list_groups")]
Size = Annotated[int, Field(ge=1, le=999), Sent("$top")]
NextCursor = Annotated[str | None, Field(description="next_cursor of the answer before")]
Filter = Annotated[
    str | None, Field(description="as OData, such as accountEnabled eq false"), Sent("$filter")
]
Search = Annotated[str | None, Sent("$search")]
_USER = "id,displayName,userPrincipalName,mail,jobTitle,department,officeLocation,mobilePhone,accountEnabled"

_ADVANCED = {"$count": "true"}  # with the header below: else filters with endsWith, ne or not are refused


class User(Resource):
    id: str = ""
    display_name: Annotated[str | None, Field(alias="displayName")] = None
    user_principal_name: Annotated[str | None, Field(alias="userPrincipalName")] = None
    mail: str | None = None
    job_title: Annotated[str | None, Field(alias="jobTitle")] = None
    department: str | None = None
    office: Annotated[str | None, Field(alias="officeLocation")] = None
    mobile_phone: Annotated[str | None, Field(alias="mobilePhone")] = None
    account_enabled: Annotated[bool | None, Field(alias="accountEnabled")] = None


class Group(Resource):
    id: str = ""
    display_name: Annotated[str | None, Field(alias="displayName")] = None
    description: str | None = None
    mail: str | None = None
    security_enabled: Annotated[bool | None, Field(alias="securityEnabled")] = None
    kinds: Annotated[list[str], Field(alias="groupTypes")] = []


class Member(Resource):
    id: str = ""
    kind: Annotated[str | None, Field(alias="@odata.type")] = None
    display_name: Annotated[str | None, Field(alias="displayName")] = None
    user_principal_name: Annotated[str | None, Field(alias="userPrincipalName")] = None


class Application(Resource):
    id: str = ""
    app_id: Annotated[str | None, Field(alias="appId")] = None
    display_name: Annotated[str | None, Field(alias="displayName")] = None
    audience: Annotated[str | None, Field(alias="signInAudience")] = None
    created: Annotated[str | None, Field(alias="createdDateTime")] = None


class ServicePrincipal(Resource):
    id: str = ""
    app_id: Annotated[str | None, Field(alias="appId")] = None
    display_name: Annotated[str | None, Field(alias="displayName")] = None
    kind: Annotated[str | None, Field(alias="servicePrincipalType")] = None
    account_enabled: Annotated[bool | None, Field(alias="accountEnabled")] = None


class Outcome(Resource):
    code: Annotated[int | None, Field(alias="errorCode")] = None
    reason: Annotated[str | None, Field(alias="failureReason")] = None


class SignInEvent(Resource):
    id: str = ""
    at: Annotated[str | None, Field(alias="createdDateTime")] = None
    user: Annotated[str | None, Field(alias="userPrincipalName")] = None
    app: Annotated[str | None, Field(alias="appDisplayName")] = None
    ip: Annotated[str | None, Field(alias="ipAddress")] = None
    location: dict[str, Any] | None = None
    status: Outcome | None = None
    client: Annotated[str | None, Field(alias="clientAppUsed")] = None
    conditional_access: Annotated[str | None, Field(alias="conditionalAccessStatus")] = None
    device: Annotated[dict[str, Any] | None, Field(alias="deviceDetail")] = None
    risk: Annotated[str | None, Field(alias="riskLevelDuringSignIn")] = None


class Audit(Resource):
    id: str = ""
    at: Annotated[str | None, Field(alias="activityDateTime")] = None
    activity: Annotated[str | None, Field(alias="activityDisplayName")] = None
    category: str | None = None
    result: str | None = None
    by: Annotated[dict[str, Any] | None, Field(alias="initiatedBy")] = None
    targets: Annotated[list[dict[str, Any]], Field(alias="targetResources")] = []


class Role(Resource):
    id: str = ""
    display_name: Annotated[str | None, Field(alias="displayName")] = None
    description: str | None = None


class Entra(Graph):
    """A directory of Microsoft Entra ID."""

    headers: ClassVar[dict[str, str]] = {"ConsistencyLevel": "eventual"}  # without it no search

    async def health_check(self) -> None:
        await self.list_directory_roles()

    @operation(read_only=True)
    async def list_users(
        self,
        search: Annotated[str | None, Field(description="words in the name or the address")] = None,
        filter: Filter = None,
        limit: Annotated[int, Field(ge=1, le=999)] = 50,
        cursor: NextCursor = None,
    ) -> Page[User]:
        """List the people and accounts of the directory, or find some."""
        words = _search(search, "displayName", "mail", "userPrincipalName")
        return await self._users(search=words, filter=filter, limit=limit, cursor=cursor)

    @get("/users", paging=PAGES, fixed={"$select": _USER}, query=_ADVANCED)
    async def _users(
        self, limit: Size, search: Search = None, filter: Filter = None, cursor: str | None = None
    ) -> Page[User]:
        """A search as Graph takes it."""

    @get("/users/{user}", fixed={"$select": _USER})
    async def get_user(self, user: UserId) -> User:
        """Look at a person's account: name, job, department, whether it is enabled."""

    @operation()
    async def create_user(
        self,
        display_name: Annotated[str, Field(min_length=1)],
        user_principal_name: Annotated[
            str, Field(pattern=r"^[^@\s]+@[^@\s]+$", description="the name to sign in with: ann@example.com")
        ],
        password: Annotated[
            str, Field(min_length=8, description="the first one; it is changed at first use")
        ],
        job_title: str | None = None,
        department: str | None = None,
        *,
        account_enabled: bool = True,
    ) -> User:
        """Create an account for a person in the directory."""
        first = {"forceChangePasswordNextSignIn": True, "password": password}
        more = _given(jobTitle=job_title, department=department)
        user = _user(
            accountEnabled=account_enabled,
            displayName=display_name,
            mailNickname=user_principal_name.partition("@")[0],
            userPrincipalName=user_principal_name,
            passwordProfile={"@odata.type": "#microsoft.graph.passwordProfile", **first},
            **more,
        )
        return await self._create(user=user)

    @post("/users")
    async def _create(self, user: Annotated[dict[str, Any], Sent(where="whole_body")]) -> User:
        """An account as Graph takes it."""

    @operation(idempotent=True)
    async def update_user(
        self,
        user: UserId,
        display_name: str | None = None,
        job_title: str | None = None,
        department: str | None = None,
        office: str | None = None,
        mobile_phone: str | None = None,
        account_enabled: Annotated[bool | None, Field(description="false: nobody signs in with it")] = None,
        more: Annotated[
            dict[str, Any] | None, Field(description="other properties, as Graph calls them")
        ] = None,
    ) -> None:
        """Change a person's account: name, job, department, phone; block or allow sign-in."""
        said = _given(
            displayName=display_name,
            jobTitle=job_title,
            department=department,
            officeLocation=office,
            mobilePhone=mobile_phone,
            accountEnabled=account_enabled,
        )
        await self._update(user=user, changes=_user(**said, **(more or {})))

    @patch("/users/{user}", idempotent=True)
    async def _update(self, user: str, changes: Annotated[dict[str, Any], Sent(where="whole_body")]) -> None:
        """Properties as Graph takes them."""

    @delete("/users/{user}")
    async def delete_user(self, user: UserId) -> None:
        """Delete a person's account; for 30 days an administrator can restore it."""

    @operation(read_only=True)
    async def list_groups(
        self,
        search: Annotated[str | None, Field(description="words in the name or the description")] = None,
        filter: Filter = None,
        limit: Annotated[int, Field(ge=1, le=999)] = 50,
        cursor: NextCursor = None,
    ) -> Page[Group]:
        """List the groups of the directory, or find some."""
        words = _search(search, "displayName", "description")
        return await self._groups(search=words, filter=filter, limit=limit, cursor=cursor)

    @get("/groups", paging=PAGES, query=_ADVANCED)
    async def _groups(
        self, limit: Size, search: Search = None, filter: Filter = None, cursor: str | None = None
    ) -> Page[Group]:
        """A search as Graph takes it."""

    @get("/groups/{group}")
    async def get_group(self, group: GroupId) -> Group:
        """Look at a group."""

    @get("/groups/{group}/members", paging=PAGES)
    async def list_group_members(self, group: GroupId, limit: Size = 100) -> Page[Member]:
        """List who is in a group: its members."""

    @operation(idempotent=True)
    async def add_group_member(
        self, group: GroupId, member: Annotated[str, Field(description="id of a user or of a group")]
    ) -> None:
        """Add a person to a group."""
        one = self.link_to(f"/directoryObjects/{segments('member', member, many=False)}")
        await self._add(group=group, reference={"@odata.id": one})

    @post("/groups/{group}/members/$ref")
    async def _add(self, group: str, reference: Body) -> None:
        """A member as Graph takes it."""

    @get("/applications", paging=PAGES, query=_ADVANCED)
    async def list_applications(self, filter: Filter = None, limit: Size = 50) -> Page[Application]:
        """List the applications that are registered in the directory."""

    @get("/servicePrincipals", paging=PAGES, query=_ADVANCED)
    async def list_service_principals(
        self, filter: Filter = None, limit: Size = 50
    ) -> Page[ServicePrincipal]:
        """List the service principals: enterprise applications that are let in."""

    @operation(read_only=True)
    async def list_sign_ins(
        self,
        user: Annotated[str | None, Field(description="the name to sign in with")] = None,
        since: DateTime | None = None,
        until: DateTime | None = None,
        only_failed: bool = False,  # noqa: FBT001, FBT002
        limit: Annotated[int, Field(ge=1, le=999)] = 50,
        cursor: NextCursor = None,
    ) -> Page[SignInEvent]:
        """Read the sign-in log: who signed in when, from where, and what failed."""
        conditions = all_of(
            f"userPrincipalName eq {quoted(user.lower())}" if user else "",
            f"createdDateTime ge {since}" if since else "",
            f"createdDateTime le {until}" if until else "",
            "status/errorCode ne 0" if only_failed else "",
        )
        return await self._sign_ins(filter=conditions, limit=limit, cursor=cursor)

    @get("/auditLogs/signIns", paging=PAGES)
    async def _sign_ins(
        self, limit: Size, filter: Filter = None, cursor: str | None = None
    ) -> Page[SignInEvent]:
        """A search as Graph takes it."""

    @operation(read_only=True)
    async def list_directory_audits(
        self,
        activity: Annotated[str | None, Field(description="such as Add member to group")] = None,
        since: DateTime | None = None,
        until: DateTime | None = None,
        limit: Annotated[int, Field(ge=1, le=999)] = 50,
        cursor: NextCursor = None,
    ) -> Page[Audit]:
        """Read the audit log of the directory: who changed which account, group, role or application."""
        conditions = all_of(
            f"activityDisplayName eq {quoted(activity)}" if activity else "",
            f"activityDateTime ge {since}" if since else "",
            f"activityDateTime le {until}" if until else "",
        )
        return await self._audits(filter=conditions, limit=limit, cursor=cursor)

    @get("/auditLogs/directoryAudits", paging=PAGES)
    async def _audits(self, limit: Size, filter: Filter = None, cursor: str | None = None) -> Page[Audit]:
        """A search as Graph takes it."""

    @post("/users/{user}/microsoft.graph.revokeSignInSessions", idempotent=True)
    async def revoke_sign_in_sessions(self, user: UserId) -> None:
        """Sign a person out everywhere: end all sessions, so that everybody has to sign in again."""

    @get("/directoryRoles", place="value")
    async def list_directory_roles(self) -> list[Role]:
        """List the administrator roles that are in use in the directory."""


def _search(words: str | None, *places: str) -> str | None:
    if not words:
        return None
    safe = words.replace("\\", "\\\\").replace('"', '\\"')
    return " OR ".join(f'"{place}:{safe}"' for place in places)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _user(**properties: Any) -> dict[str, Any]:
    return {"@odata.type": "#microsoft.graph.user", **properties}
