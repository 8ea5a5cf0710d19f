"""GitLab's REST API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    ApiKey,
    Consent,
    Counted,
    FirstOf,
    Page,
    Personal,
    Request,
    Resource,
    Sent,
    get,
    post,
    put,
)

_PAGES = Counted(size="per_page")
Project = Annotated[str, Field(description="its id, or its path: group/web")]
Size = Annotated[int, Field(ge=1, le=100)]
Labels = Annotated[str | None, Field(description="names with commas between")]
NewLabels = Annotated[list[str] | None, Field(description="all that it is to have")]


class User(Resource):
    username: str | None = None
    name: str | None = None


class ProjectAbout(Resource):
    id: int | str | None = None
    path_with_namespace: str | None = None
    description: str | None = None
    default_branch: str | None = None
    visibility: str | None = None
    web_url: str | None = None
    star_count: int | None = None
    last_activity_at: str | None = None


class Issue(Resource):
    iid: int | None = None
    title: str | None = None
    state: str | None = None
    description: str | None = None
    labels: list[Any] | None = None
    author: User | None = None
    assignees: list[User] | None = None
    due_date: str | None = None
    web_url: str | None = None
    updated_at: str | None = None


class MergeRequest(Resource):
    iid: int | None = None
    title: str | None = None
    state: str | None = None
    draft: bool | None = None
    description: str | None = None
    source_branch: str | None = None
    target_branch: str | None = None
    author: User | None = None
    detailed_merge_status: str | None = None
    merge_commit_sha: str | None = None
    web_url: str | None = None
    updated_at: str | None = None


class Pipeline(Resource):
    id: int | None = None
    status: str | None = None
    ref: str | None = None
    sha: str | None = None
    source: str | None = None
    created_at: str | None = None
    web_url: str | None = None


class Job(Resource):
    id: int | None = None
    name: str | None = None
    stage: str | None = None
    status: str | None = None
    failure_reason: str | None = None
    allow_failure: bool | None = None
    web_url: str | None = None


class Branch(Resource):
    name: str | None = None
    merged: bool | None = None
    protected: bool | None = None
    default: bool | None = None
    web_url: str | None = None


class Variable(Resource):
    key: str
    value: str


BY_PEOPLE = Consent(
    authorize_url="{web_url}/oauth/authorize",
    token_url="{web_url}/oauth/token",  # noqa: S106 - an address
    scope="api",
)


class GitLab(Personal):
    """GitLab.com, or a GitLab of yours."""

    class Config(Personal.Config):
        """The token, or an application by which each person signs in."""

        token: SecretStr | None = None
        client_id: str = Field(default="", description="of an application, by which each person signs in")
        client_secret: SecretStr | None = None
        web_url: str = Field(default="https://gitlab.com", description="where they do")

    base_url = "https://gitlab.com/api/v4"
    sign_in = FirstOf(
        (
            (("token",), ApiKey("PRIVATE-TOKEN", setting="token")),
            (("client_id", "client_secret"), BY_PEOPLE),
        )
    )

    async def health_check(self) -> None:
        await self.http.send(
            Request(method="GET", path="/projects", query={"membership": "true", "per_page": "1"})
        )

    @get("/projects", paging=_PAGES)
    async def list_projects(
        self,
        search: str | None = None,
        per_page: Size = 20,
        *,
        membership: Annotated[bool, Field(description="only those that we are a member of")] = True,
        archived: bool | None = None,
    ) -> Page[ProjectAbout]:
        """List or search projects."""

    @get("/projects/{id}")
    async def get_project(self, id: Project) -> ProjectAbout:
        """Look at a project."""

    @get("/projects/{id}/issues", paging=_PAGES)
    async def list_issues(
        self,
        id: Project,
        state: Literal["opened", "closed", "all"] = "opened",
        labels: Labels = None,
        search: str | None = None,
        assignee_username: str | None = None,
        per_page: Size = 20,
    ) -> Page[Issue]:
        """List or search the issues of a project."""

    @post("/projects/{id}/issues")
    async def create_issue(
        self,
        id: Project,
        title: str,
        description: Annotated[str | None, Field(description="Markdown")] = None,
        labels: NewLabels = None,
        *,
        confidential: bool | None = None,
    ) -> Issue:
        """Open an issue, to report a bug or to ask for something."""

    @put("/projects/{id}/issues/{iid}")
    async def update_issue(
        self,
        id: Project,
        iid: Annotated[int, Field(description="the number that people see")],
        title: str | None = None,
        description: str | None = None,
        labels: NewLabels = None,
        state_event: Literal["close", "reopen"] | None = None,
    ) -> Issue:
        """Change an issue, close it or open it again."""

    @get("/projects/{id}/merge_requests", paging=_PAGES)
    async def list_merge_requests(
        self,
        id: Project,
        state: Literal["opened", "closed", "merged", "all"] = "opened",
        source_branch: str | None = None,
        target_branch: str | None = None,
        per_page: Size = 20,
    ) -> Page[MergeRequest]:
        """List the merge requests of a project."""

    @post("/projects/{id}/merge_requests")
    async def create_merge_request(
        self,
        id: Project,
        source_branch: Annotated[str, Field(description="the branch with the changes")],
        target_branch: Annotated[str, Field(description="the branch to merge into")],
        title: Annotated[str, Field(description="Draft: at its beginning makes it a draft")],
        description: Annotated[str | None, Field(description="Markdown")] = None,
        labels: Labels = None,
        *,
        remove_source_branch: bool | None = None,
        squash: bool | None = None,
    ) -> MergeRequest:
        """Open a merge request."""

    @put("/projects/{id}/merge_requests/{iid}/merge")
    async def merge_merge_request(
        self,
        id: Project,
        iid: Annotated[int, Field(description="the number that people see")],
        sha: Annotated[str | None, Field(description="merge only if this is still its last commit")] = None,
        merge_commit_message: str | None = None,
        *,
        squash: bool | None = None,
        should_remove_source_branch: bool | None = None,
        auto_merge: Annotated[bool | None, Field(description="when its pipeline has succeeded")] = None,
    ) -> MergeRequest:
        """Merge a merge request."""

    @get("/projects/{id}/pipelines", paging=_PAGES)
    async def list_pipelines(
        self,
        id: Project,
        ref: str | None = None,
        status: Literal["created", "pending", "running", "success", "failed", "canceled", "skipped", "manual"]
        | None = None,
        per_page: Size = 20,
    ) -> Page[Pipeline]:
        """List the pipelines (CI) of a project, the newest first."""

    @post("/projects/{id}/pipeline")
    async def trigger_pipeline(
        self,
        id: Project,
        ref: Annotated[str, Field(description="branch or tag")],
        variables: list[Variable] | None = None,
    ) -> Pipeline:
        """Start a pipeline."""

    @get("/projects/{id}/pipelines/{pipeline_id}/jobs", paging=_PAGES)
    async def list_pipeline_jobs(self, id: Project, pipeline_id: int, per_page: Size = 20) -> Page[Job]:
        """List the jobs of a pipeline: which failed, and their ids."""

    @get("/projects/{id}/jobs/{job_id}/trace")
    async def get_job_log(self, id: Project, job_id: int) -> str:
        """Read the log of a job of a pipeline."""

    @get("/projects/{id}/repository/files/{file_path}/raw")
    async def get_file(
        self,
        id: Project,
        file_path: str,
        ref: Annotated[str, Field(description="branch, tag or commit")] = "HEAD",
    ) -> str:
        """Read a file of a project's repository."""

    @get("/projects/{id}/repository/branches", paging=_PAGES)
    async def list_branches(
        self, id: Project, search: str | None = None, per_page: Size = 20
    ) -> Page[Branch]:
        """List the branches of a project."""

    @get("/search", paging=_PAGES)
    async def search(
        self,
        text: Annotated[str, Sent("search"), Field(min_length=1)],
        scope: Literal[
            "projects", "issues", "merge_requests", "milestones", "users", "blobs", "commits"
        ] = "projects",
        per_page: Size = 20,
    ) -> Page[dict[str, Any]]:
        """Search all of GitLab: projects, issues, merge requests, people, code and commits."""
