"""GitHub's REST API."""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator

from wand_server.integrations.kit import (
    Bearer,
    Consent,
    Counted,
    DateTime,
    FirstOf,
    GitHubApp,
    Page,
    Personal,
    Rate,
    Request,
    Resource,
    Sent,
    get,
    operation,
    patch,
    post,
    put,
)

Owner = Annotated[str, Field(description="user or organisation")]
Size = Annotated[int, Field(ge=1, le=100)]
OAUTH_APP = Consent(
    authorize_url="{web_url}/login/oauth/authorize",
    token_url="{web_url}/login/oauth/access_token",  # noqa: S106 - an address
    scope="repo workflow read:user",
)
PAGES = Counted(size="per_page")
FOUND = Counted(size="per_page", items="items")


class Repository(Resource):
    full_name: str = ""
    description: str | None = None
    private: bool | None = None
    default_branch: str | None = None
    html_url: str | None = None
    open_issues_count: int | None = None
    stargazers_count: int | None = None
    updated_at: str | None = None


class User(Resource):
    login: str = ""
    name: str | None = None


class Label(Resource):
    name: str = ""


class Issue(Resource):
    number: int
    title: str = ""
    state: str = ""
    body: str | None = None
    user: User | None = None
    labels: list[Label | str] = []
    assignees: list[User] = []
    comments: int | None = None
    html_url: str | None = None
    updated_at: str | None = None


class Comment(Resource):
    id: int
    body: str | None = None
    user: User | None = None
    created_at: str | None = None
    html_url: str | None = None


class Branch(Resource):
    ref: str = ""
    sha: str = ""


class PullRequest(Resource):
    number: int
    title: str = ""
    state: str = ""
    draft: bool | None = None
    merged: bool | None = None
    mergeable_state: str | None = None
    body: str | None = None
    user: User | None = None
    head: Branch | None = None
    base: Branch | None = None
    html_url: str | None = None


class ChangedFile(Resource):
    filename: str
    status: str = ""
    additions: int = 0
    deletions: int = 0
    patch: str | None = None


class Review(Resource):
    id: int
    state: str = ""
    body: str | None = None
    html_url: str | None = None


class Merged(Resource):
    merged: bool
    sha: str = ""
    message: str = ""


class FileContents(Resource):
    """A file, its text decoded; of a folder or a binary file, what there is."""

    path: str = ""
    sha: str = ""
    size: int | None = None
    text: str | None = None
    entries: list[str] = []


class Committed(Resource):
    sha: str = ""
    html_url: str | None = None


class Run(Resource):
    id: int
    name: str | None = None
    head_branch: str | None = None
    head_sha: str | None = None
    event: str | None = None
    status: str | None = None
    conclusion: str | None = None
    html_url: str | None = None
    created_at: str | None = None


class CodeFound(Resource):
    path: str = ""
    html_url: str | None = None
    repository: Repository | None = None


class GitHub(Personal):
    """GitHub, as one of its users, as an app, or each person as themselves."""

    class Config(Personal.Config):
        """A token, an app, or an OAuth app by which each person signs in."""

        token: SecretStr | None = None
        app_id: str = Field(default="", description="of a GitHub App")
        installation_id: str = Field(default="", description="of it: where it may act")
        private_key: SecretStr | None = Field(default=None, description="of the app, in PEM")
        client_id: str = Field(default="", description="of an OAuth app, by which each person signs in")
        client_secret: SecretStr | None = None
        web_url: str = Field(default="https://github.com", description="where they do")

        @field_validator("app_id", "installation_id", mode="before")
        @classmethod
        def _numbers_are_text(cls, untrusted: Any) -> Any:
            return str(untrusted) if isinstance(untrusted, int) else untrusted

    base_url = "https://api.github.com"
    sign_in = FirstOf(
        (
            (("token",), Bearer("token")),
            (("app_id", "installation_id", "private_key"), GitHubApp()),
            (("client_id", "client_secret"), OAUTH_APP),
        )
    )
    rate = Rate(80, per_seconds=60)
    headers = {"Accept": "application/vnd.github+json,application/json", "X-GitHub-Api-Version": "2022-11-28"}

    async def health_check(self) -> None:
        await self.http.send(Request(method="GET", path="/rate_limit"))

    @get("/search/repositories", paging=FOUND)
    async def search_repositories(
        self,
        query: Annotated[str, Sent("q"), Field(description="as in GitHub's own search")],
        sort: Literal["stars", "forks", "help-wanted-issues", "updated"] | None = None,
        per_page: Size = 20,
    ) -> Page[Repository]:
        """Search for repositories."""

    @get("/repos/{owner}/{repo}", kept=0.0)
    async def get_repository(self, owner: Owner, repo: str) -> Repository:
        """Look at a repository."""

    @get("/repos/{owner}/{repo}/issues", paging=PAGES)
    async def list_issues(
        self,
        owner: Owner,
        repo: str,
        state: Literal["open", "closed", "all"] = "open",
        labels: Annotated[str | None, Field(description="names with commas between")] = None,
        assignee: str | None = None,
        since: DateTime | None = None,
        per_page: Size = 30,
    ) -> Page[Issue]:
        """List the issues of a repository; pull requests are among them."""

    @get("/repos/{owner}/{repo}/issues/{issue_number}")
    async def get_issue(self, owner: Owner, repo: str, issue_number: int) -> Issue:
        """Read an issue."""

    @post("/repos/{owner}/{repo}/issues")
    async def create_issue(
        self,
        owner: Owner,
        repo: str,
        title: str,
        body: Annotated[str | None, Field(description="Markdown")] = None,
        labels: list[str] | None = None,
        assignees: list[str] | None = None,
    ) -> Issue:
        """Open an issue, to report a bug or to ask for something."""

    @patch("/repos/{owner}/{repo}/issues/{issue_number}", idempotent=True)
    async def update_issue(
        self,
        owner: Owner,
        repo: str,
        issue_number: int,
        title: str | None = None,
        body: str | None = None,
        state: Literal["open", "closed"] | None = None,
        state_reason: Literal["completed", "not_planned", "reopened"] | None = None,
        labels: list[str] | None = None,
        assignees: list[str] | None = None,
    ) -> Issue:
        """Change an issue, close it or open it again."""

    @get("/repos/{owner}/{repo}/issues/{issue_number}/comments", paging=PAGES)
    async def list_issue_comments(
        self, owner: Owner, repo: str, issue_number: int, per_page: Size = 30
    ) -> Page[Comment]:
        """Read the comments on an issue or a pull request, the oldest first."""

    @post("/repos/{owner}/{repo}/issues/{issue_number}/comments")
    async def add_issue_comment(self, owner: Owner, repo: str, issue_number: int, body: str) -> Comment:
        """Comment on an issue or a pull request."""

    @get("/repos/{owner}/{repo}/pulls", paging=PAGES)
    async def list_pull_requests(
        self,
        owner: Owner,
        repo: str,
        state: Literal["open", "closed", "all"] = "open",
        head: Annotated[str | None, Field(description="USER:BRANCH")] = None,
        base: Annotated[str | None, Field(description="the branch to merge into")] = None,
        per_page: Size = 30,
    ) -> Page[PullRequest]:
        """List the pull requests of a repository."""

    @get("/repos/{owner}/{repo}/pulls/{pull_number}")
    async def get_pull_request(self, owner: Owner, repo: str, pull_number: int) -> PullRequest:
        """Read a pull request, and whether it can be merged."""

    @post("/repos/{owner}/{repo}/pulls")
    async def create_pull_request(
        self,
        owner: Owner,
        repo: str,
        title: str,
        head: Annotated[str, Field(description="the branch with the changes; USER:BRANCH from a fork")],
        base: Annotated[str, Field(description="the branch to merge into")],
        body: Annotated[str | None, Field(description="Markdown")] = None,
        *,
        draft: bool = False,
    ) -> PullRequest:
        """Open a pull request."""

    @get("/repos/{owner}/{repo}/pulls/{pull_number}/files", paging=PAGES)
    async def get_pull_request_files(
        self, owner: Owner, repo: str, pull_number: int, per_page: Size = 30
    ) -> Page[ChangedFile]:
        """Read what a pull request changes, file by file."""

    @post("/repos/{owner}/{repo}/pulls/{pull_number}/reviews")
    async def create_review(
        self,
        owner: Owner,
        repo: str,
        pull_number: int,
        event: Literal["APPROVE", "REQUEST_CHANGES", "COMMENT"],
        body: str | None = None,
    ) -> Review:
        """Review a pull request: approve it, ask for changes or comment."""

    @put("/repos/{owner}/{repo}/pulls/{pull_number}/merge")
    async def merge_pull_request(
        self,
        owner: Owner,
        repo: str,
        pull_number: int,
        merge_method: Literal["merge", "squash", "rebase"] = "merge",
        commit_title: str | None = None,
        commit_message: str | None = None,
        sha: Annotated[str | None, Field(description="merge only if this is still its last commit")] = None,
    ) -> Merged:
        """Merge a pull request."""

    @operation(read_only=True)
    async def get_file_contents(
        self, owner: Owner, repo: str, path: str, ref: str | None = None
    ) -> FileContents:
        """Read a file of a repository, or list a folder."""
        found = await self._contents(owner=owner, repo=repo, path=path, ref=ref)
        if isinstance(found, list):
            return FileContents(path=path, entries=[str(one.get("path", "")) for one in found])
        return FileContents.model_validate({**found, "text": _text(found.get("content", ""))})

    @get("/repos/{owner}/{repo}/contents/{+path}")
    async def _contents(self, owner: str, repo: str, path: str, ref: str | None = None) -> Any:
        """A file or a folder as GitHub tells it."""

    @operation(idempotent=True)
    async def put_file_contents(
        self,
        owner: Owner,
        repo: str,
        path: str,
        message: Annotated[str, Field(description="of the commit")],
        text: str,
        branch: str | None = None,
        sha: Annotated[str | None, Field(description="of the file that it replaces")] = None,
    ) -> Committed:
        """Write a file into a repository, as a commit."""
        content = base64.b64encode(text.encode()).decode()
        given = {"owner": owner, "repo": repo, "path": path, "message": message, "branch": branch, "sha": sha}
        return await self._put_contents(content=content, **given)  # type: ignore[arg-type]

    @put("/repos/{owner}/{repo}/contents/{+path}", place="commit")
    async def _put_contents(
        self,
        owner: str,
        repo: str,
        path: str,
        message: str,
        content: str,
        branch: str | None = None,
        sha: str | None = None,
    ) -> Committed:
        """A file as GitHub takes it."""

    @get("/repos/{owner}/{repo}/actions/runs", paging=Counted(size="per_page", items="workflow_runs"))
    async def list_workflow_runs(
        self,
        owner: Owner,
        repo: str,
        branch: str | None = None,
        event: str | None = None,
        status: Literal["queued", "in_progress", "completed", "success", "failure", "cancelled"]
        | None = None,
        per_page: Size = 20,
    ) -> Page[Run]:
        """List the runs of workflows (CI), the newest first."""

    @post("/repos/{owner}/{repo}/actions/workflows/{workflow}/dispatches")
    async def dispatch_workflow(
        self,
        owner: Owner,
        repo: str,
        workflow: Annotated[str, Field(description="its file, such as build.yml, or its id")],
        ref: Annotated[str, Field(description="branch or tag")],
        inputs: dict[str, str] | None = None,
    ) -> None:
        """Start a workflow."""

    @get("/search/code", paging=FOUND)
    async def search_code(
        self,
        query: Annotated[str, Sent("q"), Field(description="as in GitHub's own: words repo:OWNER/NAME")],
        per_page: Size = 20,
    ) -> Page[CodeFound]:
        """Search in code."""

    @get("/user")
    async def get_me(self) -> User:
        """Say who the token belongs to."""


def _text(content: str) -> str | None:
    try:
        return base64.b64decode(content).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
