"""Asana's API, version 1."""

from typing import Annotated

from pydantic import Field, SecretStr

from wand_server.integrations import kit
from wand_server.integrations.kit import Page, Resource, Sent, at, get, post

PAGES = kit.Cursor(items="data", mark="next_page.offset", sent_as="offset")
FIELDS = {"opt_fields": "name,completed,due_on,assignee.name,notes,permalink_url"}
Size = Annotated[int, Field(ge=1, le=100)]
Id = Annotated[str | None, Field(description="gid, as the lists have it")]
Who = Annotated[str | None, Field(description="gid, e-mail address, or me")]
With = Annotated[Who, Sent("assignee.any")]
Text = str | None
Day = kit.Date | None


class Named(Resource):
    gid: str = ""
    name: str | None = None


class Task(Named):
    completed: bool | None = None
    due_on: str | None = None
    assignee: Annotated[str | None, at("assignee.name")] = None
    notes: str | None = None
    link: Annotated[str | None, at("permalink_url")] = None


class Asana(kit.Integration):
    """Asana, as one of its users."""

    class Config(kit.Integration.Config):
        token: SecretStr

    base_url = "https://app.asana.com/api/1.0"
    sign_in = kit.Bearer("token")
    rate = kit.Rate(150, per_seconds=60)

    async def health_check(self) -> None:
        await self.list_workspaces(limit=1)

    @get("/tasks", paging=PAGES, query=FIELDS)
    async def list_tasks(
        self, project: Id = None, section: Id = None, assignee: Who = None, workspace: Id = None,
        limit: Size = 50,
    ) -> Page[Task]:  # fmt: skip
        """List the tasks of a project, of a section, or of a person in a workspace."""

    @get("/tasks/{task}", place="data", query=FIELDS)
    async def get_task(self, task: str) -> Task:
        """Read a task of Asana: its text, who has it, when it is due."""

    @post("/tasks", place="data", inside="data")
    async def create_task(
        self, name: str, workspace: Id = None, projects: list[str] | None = None, notes: Text = None,
        assignee: Who = None, due_on: Day = None,
    ) -> Task:  # fmt: skip
        """Create a task in projects, or in a workspace alone."""

    @kit.put("/tasks/{task}", place="data", inside="data")
    async def update_task(
        self, task: str, name: Text = None, notes: Text = None, assignee: Who = None, due_on: Day = None,
        *, completed: bool | None = None,
    ) -> Task:  # fmt: skip
        """Change a task: its text, its person, its day, or that it is done."""

    @kit.delete("/tasks/{task}")
    async def delete_task(self, task: str) -> None:
        """Delete a task: it is in the trash for 30 days."""

    @get("/workspaces/{workspace}/tasks/search", place="data", query=FIELDS)
    async def search_tasks(self, workspace: str, text: str, assignee: With = None) -> list[Task]:
        """Search the tasks of a workspace, which has to be of a plan that is paid for."""

    @post("/tasks/{task}/stories", place="data", inside="data")
    async def add_comment(self, task: str, text: str) -> Named:
        """Comment on a task of Asana."""

    @get("/tasks/{task}/subtasks", paging=PAGES, query=FIELDS)
    async def list_subtasks(self, task: str, limit: Size = 50) -> Page[Task]:
        """List the subtasks of a task."""

    @get("/projects", paging=PAGES, query={"archived": "false"})
    async def list_projects(self, workspace: Id = None, limit: Size = 50) -> Page[Named]:
        """List the projects of Asana, or those of a workspace."""

    @post("/projects", place="data", inside="data")
    async def create_project(self, name: str, workspace: str, team: Id = None, notes: Text = None) -> Named:
        """Create a project in a workspace, for a team."""

    @get("/workspaces", paging=PAGES)
    async def list_workspaces(self, limit: Size = 50) -> Page[Named]:
        """List the workspaces and organizations of Asana."""

    @get("/users", paging=PAGES)
    async def list_users(self, workspace: str, limit: Size = 50) -> Page[Named]:
        """List the people of a workspace of Asana."""

    @get("/projects/{project}/sections", paging=PAGES)
    async def list_sections(self, project: str, limit: Size = 50) -> Page[Named]:
        """List the sections (columns) of a project."""

    @post("/sections/{section}/addTask", inside="data", idempotent=True)
    async def add_task_to_section(self, section: str, task: str) -> None:
        """Move a task into a section (column) of its project."""
