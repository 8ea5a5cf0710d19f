"""Jira's REST API, version 3."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr

from wand_proto.errors import NotFound
from wand_server.integrations.kit import (
    Basic,
    Bearer,
    Counted,
    Cursor,
    Date,
    FirstOf,
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

IssueKey = Annotated[str, Field(description="key such as OPS-12, or id")]
AccountId = Annotated[str, Field(description="accountId, from search_users")]
More = Annotated[dict[str, Any], Field(description="other fields by id, as Jira takes them")]
Size = Annotated[int, Field(ge=1, le=100)]
_FIELDS = [
    "summary", "status", "assignee", "reporter", "priority", "issuetype", "labels", "parent", "created",
    "updated", "duedate",
]  # fmt: skip
_BLOCKS = {"paragraph", "heading", "listItem", "codeBlock", "blockquote", "tableRow", "rule"}


def document(text: str) -> dict[str, Any]:
    """A text in Atlassian's document format: an empty line begins a paragraph."""
    paragraphs = [part for part in text.split("\n\n") if part.strip()] or [" "]
    content = [{"type": "paragraph", "content": list(_lines(part))} for part in paragraphs]
    return {"type": "doc", "version": 1, "content": content}


def _lines(text: str) -> Iterable[dict[str, Any]]:
    for number, line in enumerate(text.strip("\n").split("\n")):
        if number:
            yield {"type": "hardBreak"}
        if line:
            yield {"type": "text", "text": line}


def plain(node: Any) -> Any:
    """The text of a document of Atlassian; what is none is given back as it is."""
    if not isinstance(node, dict) or "type" not in node:
        return node
    return "".join(_texts(node)).strip()


def _texts(node: Any) -> Iterable[str]:
    kind, attributes = node.get("type"), node.get("attrs") or {}
    if kind == "text":
        yield str(node.get("text", ""))
    elif kind == "hardBreak":
        yield "\n"
    elif kind in {"mention", "emoji", "inlineCard", "status", "date"}:
        yield str(
            next((attributes[name] for name in ("text", "url", "timestamp") if attributes.get(name)), "")
        )
    for inner in node.get("content") or ():
        if isinstance(inner, dict):
            yield from _texts(inner)
    if kind in _BLOCKS:
        yield "\n"


Text = Annotated[str | None, BeforeValidator(plain)]


class Named(Resource):
    id: str | None = None
    name: str = ""


class User(Resource):
    account_id: Annotated[str | None, Field(alias="accountId")] = None
    display_name: Annotated[str, Field(alias="displayName")] = ""
    email: Annotated[str | None, Field(alias="emailAddress")] = None
    active: bool | None = None


class Parent(Resource):
    key: str = ""


class Fields(Resource):
    """The usual ones; others stand here under their ids when they were asked for."""

    model_config = ConfigDict(extra="allow")

    summary: str | None = None
    description: Text = None
    status: Named | None = None
    assignee: User | None = None
    reporter: User | None = None
    priority: Named | None = None
    issue_type: Annotated[Named | None, Field(alias="issuetype")] = None
    labels: list[str] = []
    parent: Parent | None = None
    created: str | None = None
    updated: str | None = None
    due: Annotated[str | None, Field(alias="duedate")] = None


class Issue(Resource):
    id: str = ""
    key: str = ""
    fields: Fields | None = None


class Created(Resource):
    id: str = ""
    key: str = ""


class Comment(Resource):
    id: str = ""
    author: User | None = None
    body: Text = None
    created: str | None = None


class Transition(Resource):
    id: str = ""
    name: str = ""
    to: Named | None = None


class Worklog(Resource):
    id: str = ""
    time_spent: Annotated[str | None, Field(alias="timeSpent")] = None
    started: str | None = None


class Project(Resource):
    id: str = ""
    key: str = ""
    name: str = ""
    kind: Annotated[str | None, Field(alias="projectTypeKey")] = None


class IssueField(Resource):
    id: str = ""
    name: str = ""
    custom: bool | None = None


class Jira(Integration):
    """Jira in Atlassian's cloud, as one of its users."""

    class Config(Integration.Config):
        """Which site, and who signs in there."""

        base_url: str = Field(
            description="https://NAME.atlassian.net; with a token of OAuth https://api.atlassian.com/ex/jira/ID"
        )
        email: str = Field(default="", description="of the account whose API token this is; none with OAuth")
        token: SecretStr

    sign_in = FirstOf(((("email", "token"), Basic("email", "token")), (("token",), Bearer("token"))))
    rate = Rate(10)

    async def health_check(self) -> None:
        await self.get_myself()

    @post(
        "/rest/api/3/search/jql",
        read_only=True,
        paging=Cursor(items="issues", mark="nextPageToken", sent_as="nextPageToken"),
    )
    async def search_issues(
        self,
        jql: Annotated[
            str, Field(min_length=1, description="such as project = OPS AND status != Done ORDER BY updated")
        ],
        fields: Annotated[list[str], Field(description="ids of fields; *all: every one")] = [*_FIELDS],
        limit: Annotated[Size, Sent("maxResults")] = 20,
    ) -> Page[Issue]:
        """Search issues, tickets, bugs and tasks by a query (JQL)."""

    @get("/rest/api/3/issue/{issue}")
    async def get_issue(
        self,
        issue: IssueKey,
        fields: Annotated[list[str], Field(description="ids of fields; *all: every one")] = [
            *_FIELDS,
            "description",
        ],
    ) -> Issue:
        """Look at an issue or ticket: show what it says, its status, who works on it."""

    @operation()
    async def create_issue(
        self,
        project: Annotated[str, Field(description="key, such as OPS")],
        summary: Annotated[str, Field(min_length=1, max_length=255)],
        issue_type: Annotated[str, Field(description="such as Task, Bug, Story, Epic")] = "Task",
        description: str | None = None,
        assignee: AccountId | None = None,
        priority: Annotated[str | None, Field(description="such as High")] = None,
        labels: list[str] | None = None,
        parent: Annotated[
            str | None, Field(description="key of the epic, or of what it is a part of")
        ] = None,
        due: Date | None = None,
        more: More | None = None,
    ) -> Created:
        """Create an issue: a task, a bug, a story or an epic."""
        said = _fields(summary, description, priority, labels, due)
        said |= {"project": {"key": project}, "issuetype": {"name": issue_type}}
        said |= {"assignee": {"accountId": assignee}} if assignee else {}
        said |= {"parent": {"key": parent}} if parent else {}
        return await self._create(fields=said | (more or {}))

    @post("/rest/api/3/issue")
    async def _create(self, fields: dict[str, Any]) -> Created:
        """An issue as Jira takes it."""

    @operation(idempotent=True)
    async def update_issue(
        self,
        issue: IssueKey,
        summary: Annotated[str | None, Field(min_length=1, max_length=255)] = None,
        description: str | None = None,
        priority: Annotated[str | None, Field(description="such as High")] = None,
        labels: Annotated[list[str] | None, Field(description="all of them; the others go")] = None,
        due: Date | None = None,
        more: More | None = None,
    ) -> None:
        """Change an issue: its summary, description, priority, labels or due date."""
        said = _fields(summary, description, priority, labels, due)
        await self._update(issue=issue, fields=said | (more or {}))

    @put("/rest/api/3/issue/{issue}")
    async def _update(self, issue: str, fields: dict[str, Any]) -> None:
        """An issue's fields as Jira takes them."""

    @operation(idempotent=True)
    async def assign_issue(
        self,
        issue: IssueKey,
        account_id: Annotated[
            str, Field(min_length=1, description="from search_users; or nobody; or -1: as the project says")
        ],
    ) -> None:
        """Assign an issue: give a ticket to a person, or to nobody."""
        await self._assign(issue=issue, to={"accountId": None if account_id == "nobody" else account_id})

    @put("/rest/api/3/issue/{issue}/assignee")
    async def _assign(
        self, issue: str, to: Annotated[dict[str, str | None], Sent(where="whole_body")]
    ) -> None:
        """A person as Jira takes it; null is nobody."""

    @operation()
    async def add_comment(self, issue: IssueKey, text: Annotated[str, Field(min_length=1)]) -> Comment:
        """Comment on an issue."""
        return await self._comment(issue=issue, body=document(text))

    @post("/rest/api/3/issue/{issue}/comment")
    async def _comment(self, issue: str, body: dict[str, Any]) -> Comment:
        """A comment as Jira takes it."""

    @get("/rest/api/3/issue/{issue}/transitions", place="transitions")
    async def list_transitions(self, issue: IssueKey) -> list[Transition]:
        """List the states that an issue can be moved to from where it is."""

    @operation()
    async def transition_issue(
        self,
        issue: IssueKey,
        transition: Annotated[
            str, Field(min_length=1, description="id or name, from list_transitions", examples=["31"])
        ],
        comment: str | None = None,
        resolution: Annotated[str | None, Field(description="such as Done or Won't Do")] = None,
    ) -> None:
        """Move an issue to another state: start it, close it, resolve it, open it again."""
        number = transition if transition.isdecimal() else await self._numbered(issue, transition)
        said = {"comment": [{"add": {"body": document(comment)}}]} if comment else None
        fields = {"resolution": {"name": resolution}} if resolution else None
        await self._move(issue=issue, transition={"id": number}, update=said, fields=fields)

    @post("/rest/api/3/issue/{issue}/transitions")
    async def _move(
        self,
        issue: str,
        transition: dict[str, str],
        update: dict[str, Any] | None = None,
        fields: dict[str, Any] | None = None,
    ) -> None:
        """A transition as Jira takes it."""

    async def _numbered(self, issue: str, name: str) -> str:
        """The id of the transition of that name, or to the state of that name."""
        there = await self.list_transitions(issue)
        for one in there:
            if name.casefold() in {one.name.casefold(), one.to.name.casefold() if one.to else ""}:
                return one.id
        hint = "there are: " + (", ".join(f"{one.name} ({one.id})" for one in there) or "none")
        raise NotFound(f"there is no transition {name!r:.80} from where it is", hint=hint, field="transition")

    @operation()
    async def add_worklog(
        self,
        issue: IssueKey,
        time_spent: Annotated[
            str, Field(pattern=r"^(\d+[wdhm] ?)+$", description="such as 1d 4h 30m", examples=["1h 30m"])
        ],
        comment: str | None = None,
    ) -> Worklog:
        """Log time that was worked on an issue."""
        said = document(comment) if comment else None
        return await self._log(issue=issue, timeSpent=time_spent, comment=said)

    @post("/rest/api/3/issue/{issue}/worklog")
    async def _log(
        self,
        issue: str,
        timeSpent: str,  # noqa: N803 - the vendor's name
        comment: dict[str, Any] | None = None,
    ) -> Worklog:
        """Time as Jira takes it."""

    @operation()
    async def link_issues(
        self,
        issue: Annotated[IssueKey, Field(description="key of the one that blocks, duplicates, relates")],
        to: Annotated[IssueKey, Field(description="key of the one that is blocked, duplicated, related")],
        kind: Annotated[str, Field(description="such as Blocks, Duplicate, Relates, Cloners")] = "Relates",
    ) -> None:
        """Link two issues: one blocks, duplicates or relates to the other."""
        await self._link(type={"name": kind}, inwardIssue={"key": issue}, outwardIssue={"key": to})

    @post("/rest/api/3/issueLink")
    async def _link(
        self,
        type: dict[str, str],
        inwardIssue: dict[str, str],  # noqa: N803
        outwardIssue: dict[str, str],  # noqa: N803
    ) -> None:
        """A link as Jira takes it."""

    @get(
        "/rest/api/3/project/search",
        paging=Counted(items="values", sent_as="startAt", size="maxResults", by_items=True),
    )
    async def search_projects(
        self,
        query: Annotated[str | None, Field(description="what the key or the name holds")] = None,
        limit: Annotated[Size, Sent("maxResults")] = 50,
    ) -> Page[Project]:
        """List projects, or find some by name."""

    @get("/rest/api/3/user/search", paging=Counted(sent_as="startAt", size="maxResults", by_items=True))
    async def search_users(
        self,
        query: Annotated[str, Field(description="what the name or the e-mail address begins with")],
        limit: Annotated[Size, Sent("maxResults")] = 20,
    ) -> Page[User]:
        """Find people by name or e-mail address, for the id that an assignment needs."""

    @get("/rest/api/3/field")
    async def list_fields(self) -> list[IssueField]:
        """List the fields that issues have, custom ones too, with their ids."""

    @get("/rest/api/3/myself")
    async def get_myself(self) -> User:
        """Say whose sign-in this is."""


def _fields(
    summary: str | None,
    description: str | None,
    priority: str | None,
    labels: list[str] | None,
    due: str | None,
) -> dict[str, Any]:
    """What both creating and changing say."""
    said = {
        "summary": summary,
        "description": document(description) if description is not None else None,
        "priority": {"name": priority} if priority else None,
        "labels": labels,
        "duedate": due,
    }
    return {name: value for name, value in said.items() if value is not None}
