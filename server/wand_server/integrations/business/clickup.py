"""ClickUp's API."""

from typing import Annotated, Any

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    ApiKey,
    Counted,
    Integration,
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

TeamId = Annotated[int, Field(description="from list_workspaces")]
TaskId = Annotated[str, Field(min_length=1)]
Priority = Annotated[int | None, Field(ge=1, le=4, description="1 urgent, 2 high, 3 normal, 4 low")]
Millis = Annotated[int | None, Field(description="milliseconds since 1970")]
People = Annotated[list[int] | None, Field(description="ids of users, from list_workspaces")]
Name = Annotated[str, Field(min_length=1)]


class Place(Resource):
    id: str | int | None = None
    name: str | None = None


class Workspace(Resource):
    id: str = ""
    name: str = ""
    members: list[dict[str, Any]] = []


class Space(Resource):
    id: str = ""
    name: str = ""
    private: bool | None = None
    archived: bool | None = None


class Folder(Resource):
    id: str = ""
    name: str = ""
    task_count: str | int | None = None


class TaskList(Resource):
    id: str = ""
    name: str = ""
    task_count: Any = None
    folder: Place | None = None


class Task(Resource):
    id: str = ""
    name: str = ""
    status: Any = None
    text_content: str | None = None
    priority: Any = None
    assignees: list[Any] = []
    due_date: str | None = None
    parent: str | None = None
    url: str | None = None


class Comment(Resource):
    id: str | int | None = None


class TimeEntry(Resource):
    id: str | int | None = None
    description: str | None = None
    start: str | int | None = None
    end: str | int | None = None
    duration: str | int | None = None
    billable: bool | None = None
    task: Any = None
    user: Any = None


class ClickUp(Integration):
    """ClickUp, as one of its users."""

    class Config(Integration.Config):
        """Who that is."""

        token: SecretStr

    base_url = "https://api.clickup.com/api/v2"
    sign_in = ApiKey("Authorization", "token")
    rate = Rate(100, per_seconds=60)

    async def health_check(self) -> None:
        await self.list_workspaces()

    @get("/team", place="teams")
    async def list_workspaces(self) -> list[Workspace]:
        """List the workspaces, and who is in each."""

    @get("/team/{team}/space", place="spaces")
    async def list_spaces(self, team: TeamId) -> list[Space]:
        """List the spaces of a workspace."""

    @get("/space/{space}/folder", place="folders")
    async def list_folders(
        self, space: Annotated[int, Field(description="from list_spaces")]
    ) -> list[Folder] | Folder:
        """List the folders of a space."""

    @get("/folder/{folder}/list", place="lists")
    async def list_lists(
        self, folder: Annotated[int, Field(description="from list_folders")]
    ) -> list[TaskList]:
        """List the lists of tasks in a folder."""

    @get("/list/{task_list}/task", paging=Counted(items="tasks", size="size", first=0))
    async def list_tasks(
        self,
        task_list: Annotated[int, Field(description="from list_lists")],
        include_closed: bool = False,  # noqa: FBT001, FBT002
        subtasks: bool = False,  # noqa: FBT001, FBT002
    ) -> Page[Task]:
        """List the tasks of a list, the newest first."""

    @get("/task/{task}")
    async def get_task(self, task: TaskId) -> Task:
        """Look at a task."""

    @post("/list/{task_list}/task")
    async def create_task(
        self,
        task_list: Annotated[int, Field(description="from list_lists")],
        name: Name,
        description: str | None = None,
        assignees: People = None,
        status: str | None = None,
        priority: Priority = None,
        due_date: Millis = None,
        parent: Annotated[str | None, Field(description="task that it is a part of")] = None,
        tags: list[str] | None = None,
    ) -> Task:
        """Create a task in a list."""

    @operation(idempotent=True)
    async def update_task(
        self,
        task: TaskId,
        name: Name | None = None,
        description: str | None = None,
        status: str | None = None,
        priority: Priority = None,
        due_date: Millis = None,
        assign: People = None,
        unassign: People = None,
    ) -> Task:
        """Change a task: its status, priority, due date, or who does it."""
        people = {"add": assign or [], "rem": unassign or []} if assign or unassign else None
        return await self._update(
            task=task,
            name=name,
            description=description,
            status=status,
            priority=priority,
            due_date=due_date,
            assignees=people,
        )

    @put("/task/{task}")
    async def _update(
        self,
        task: str,
        name: str | None = None,
        description: str | None = None,
        status: str | None = None,
        priority: int | None = None,
        due_date: int | None = None,
        assignees: dict[str, list[int]] | None = None,
    ) -> Task:
        """A task as ClickUp takes it."""

    @delete("/task/{task}")
    async def delete_task(self, task: TaskId) -> None:
        """Delete a task."""

    @post("/task/{task}/comment")
    async def add_comment(
        self,
        task: TaskId,
        text: Annotated[str, Field(min_length=1), Sent("comment_text")],
        assignee: Annotated[int | None, Field(description="who is to act on it")] = None,
        notify_all: bool = False,  # noqa: FBT001, FBT002
    ) -> Comment:
        """Comment on a task."""

    @get("/team/{team}/time_entries", place="data")
    async def list_time_entries(
        self, team: TeamId, start_date: Millis = None, end_date: Millis = None, assignee: int | None = None
    ) -> list[TimeEntry]:
        """List the time that people have tracked, by default in the last thirty days."""
