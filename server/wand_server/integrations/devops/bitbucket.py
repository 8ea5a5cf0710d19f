"""Bitbucket Cloud's REST API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Basic,
    Bearer,
    FirstOf,
    Integration,
    Linked,
    Page,
    Request,
    Resource,
    Sent,
    get,
    operation,
    post,
)

_PAGES = Linked(items="values", link="next")
_REPO = "/repositories/{workspace}/{repo_slug}"
Workspace = Annotated[str, Field(description="its id, as in the address")]
Slug = Annotated[str, Field(description="the repository's name, as in the address")]
Size = Annotated[int, Sent("pagelen"), Field(ge=1, le=50)]
Filter = Annotated[str | None, Sent("q"), Field(description='Bitbucket\'s own language: name ~ "web"')]
Sort = Annotated[str | None, Field(description="a field; -field for the other way")]


class Account(Resource):
    display_name: str | None = None
    nickname: str | None = None


class Repository(Resource):
    full_name: str | None = None
    name: str | None = None
    slug: str | None = None
    description: str | None = None
    is_private: bool | None = None
    language: str | None = None
    updated_on: str | None = None


class PullRequest(Resource):
    id: int | None = None
    title: str | None = None
    state: str | None = None
    author: Account | None = None
    comment_count: int | None = None
    task_count: int | None = None
    created_on: str | None = None
    updated_on: str | None = None


class Comment(Resource):
    id: int | None = None
    created_on: str | None = None


class Commit(Resource):
    hash: str | None = None
    date: str | None = None
    message: str | None = None


class Branch(Resource):
    name: str | None = None
    target: Commit | None = None


class Pipeline(Resource):
    uuid: str | None = None
    build_number: int | None = None
    state: dict[str, Any] | None = None
    created_on: str | None = None
    completed_on: str | None = None
    build_seconds_used: int | None = None


class Issue(Resource):
    id: int | None = None
    title: str | None = None
    state: str | None = None
    kind: str | None = None
    priority: str | None = None
    assignee: Account | None = None
    created_on: str | None = None


class Bitbucket(Integration):
    """Bitbucket Cloud."""

    class Config(Integration.Config):
        """A token, or a user with an app password."""

        token: SecretStr | None = None
        username: str = Field(
            default="", description="the account's address, where app_password is an API token"
        )
        app_password: SecretStr | None = None

    base_url = "https://api.bitbucket.org/2.0"
    sign_in = FirstOf(
        (
            (("token",), Bearer("token")),
            (("username", "app_password"), Basic("username", "app_password")),
        )
    )

    async def health_check(self) -> None:
        await self.http.send(Request(method="GET", path="/repositories", query={"pagelen": "1"}))

    @get("/repositories/{workspace}", paging=_PAGES)
    async def list_repositories(
        self,
        workspace: Workspace,
        role: Literal["admin", "contributor", "member", "owner"] | None = None,
        filter: Filter = None,
        sort: Sort = None,
        limit: Size = 20,
    ) -> Page[Repository]:
        """List the repositories of a workspace."""

    @get(_REPO)
    async def get_repository(self, workspace: Workspace, repo_slug: Slug) -> Repository:
        """Look at a repository."""

    @get(f"{_REPO}/pullrequests", paging=_PAGES)
    async def list_pull_requests(
        self,
        workspace: Workspace,
        repo_slug: Slug,
        state: Literal["OPEN", "MERGED", "DECLINED", "SUPERSEDED"] = "OPEN",
        limit: Size = 20,
    ) -> Page[PullRequest]:
        """List the pull requests of a repository."""

    @operation()
    async def create_pull_request(
        self,
        workspace: Workspace,
        repo_slug: Slug,
        title: str,
        source: Annotated[str, Field(description="the branch with the changes")],
        destination: Annotated[str | None, Field(description="the branch to merge into")] = None,
        description: str | None = None,
        *,
        close_source_branch: bool = False,
    ) -> PullRequest:
        """Open a pull request."""
        body: dict[str, Any] = {
            "type": "pullrequest",
            "title": title,
            "source": {"branch": {"name": source}},
            "close_source_branch": close_source_branch,
        }
        if destination:
            body["destination"] = {"branch": {"name": destination}}
        if description:
            body["description"] = description
        return await self._create_pull_request(workspace, repo_slug, body)

    @post(f"{_REPO}/pullrequests")
    async def _create_pull_request(
        self, workspace: str, repo_slug: str, body: Annotated[dict[str, Any], Sent(where="whole_body")]
    ) -> PullRequest:
        """A pull request as Bitbucket takes it."""

    @post(f"{_REPO}/pullrequests/{{pull_request_id}}/merge", fixed={"type": "pullrequest_merge_parameters"})
    async def merge_pull_request(
        self,
        workspace: Workspace,
        repo_slug: Slug,
        pull_request_id: int,
        merge_strategy: Literal["merge_commit", "squash", "fast_forward"] = "merge_commit",
        message: str | None = None,
        *,
        close_source_branch: bool = False,
    ) -> PullRequest:
        """Merge a pull request."""

    @operation()
    async def add_pr_comment(
        self,
        workspace: Workspace,
        repo_slug: Slug,
        pull_request_id: int,
        text: Annotated[str, Field(min_length=1, description="Markdown")],
    ) -> Comment:
        """Comment on a pull request."""
        body = {"type": "pullrequest_comment", "content": {"raw": text}}
        return await self._add_pr_comment(workspace, repo_slug, pull_request_id, body)

    @post(f"{_REPO}/pullrequests/{{pull_request_id}}/comments")
    async def _add_pr_comment(
        self,
        workspace: str,
        repo_slug: str,
        pull_request_id: int,
        body: Annotated[dict[str, Any], Sent(where="whole_body")],
    ) -> Comment:
        """A comment as Bitbucket takes it."""

    @get(f"{_REPO}/src/{{commit}}/{{+path}}")
    async def get_file(
        self,
        workspace: Workspace,
        repo_slug: Slug,
        commit: Annotated[str, Field(description="a commit, or a branch")],
        path: str,
    ) -> str:
        """Read a file of a repository."""

    @get(f"{_REPO}/refs/branches", paging=_PAGES)
    async def list_branches(
        self,
        workspace: Workspace,
        repo_slug: Slug,
        filter: Filter = None,
        sort: Sort = None,
        limit: Size = 20,
    ) -> Page[Branch]:
        """List the branches of a repository."""

    @get(f"{_REPO}/commits", paging=_PAGES)
    async def list_commits(self, workspace: Workspace, repo_slug: Slug, limit: Size = 20) -> Page[Commit]:
        """List the commits of a repository, the newest first."""

    @get(f"{_REPO}/pipelines", paging=_PAGES)
    async def list_pipelines(
        self, workspace: Workspace, repo_slug: Slug, sort: Sort = "-created_on", limit: Size = 20
    ) -> Page[Pipeline]:
        """List the runs of pipelines (CI), the newest first."""

    @operation()
    async def trigger_pipeline(
        self,
        workspace: Workspace,
        repo_slug: Slug,
        branch: str,
        pipeline: Annotated[str | None, Field(description="a custom one of bitbucket-pipelines.yml")] = None,
    ) -> Pipeline:
        """Start a pipeline on a branch."""
        target: dict[str, Any] = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": branch}
        if pipeline:
            target["selector"] = {"type": "custom", "pattern": pipeline}
        return await self._trigger_pipeline(workspace, repo_slug, {"type": "pipeline", "target": target})

    @post(f"{_REPO}/pipelines")
    async def _trigger_pipeline(
        self, workspace: str, repo_slug: str, body: Annotated[dict[str, Any], Sent(where="whole_body")]
    ) -> Pipeline:
        """A pipeline as Bitbucket takes it."""

    @get(f"{_REPO}/issues", paging=_PAGES)
    async def list_issues(
        self, workspace: Workspace, repo_slug: Slug, filter: Filter = None, limit: Size = 20
    ) -> Page[Issue]:
        """List the issues of a repository."""
