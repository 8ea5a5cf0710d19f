"""Shortcut's REST API."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    ApiKey,
    Date,
    Integration,
    Linked,
    Page,
    Rate,
    Resource,
    Sent,
    get,
    operation,
    post,
    put,
)

StoryId = Annotated[int, Field(ge=1, description="number of the story, as in sc-123")]
StateId = Annotated[
    int | None, Field(description="of a workflow, from list_workflows"), Sent("workflow_state_id")
]
Kind = Annotated[Literal["feature", "bug", "chore"], Sent("story_type")]
PersonId = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", json_schema_extra={"format": "uuid"}),
]
Owners = Annotated[list[PersonId] | None, Field(description="ids, from list_members"), Sent("owner_ids")]
Name = Annotated[str, Field(min_length=1, max_length=512)]
Text = Annotated[str, Field(max_length=100_000)]
FOUND = Linked(items="data", link="next")


class Story(Resource):
    id: int | None = None
    name: str = ""
    description: str | None = None
    story_type: str | None = None
    workflow_state_id: int | None = None
    epic_id: int | None = None
    iteration_id: int | None = None
    owner_ids: list[str] = []
    estimate: int | None = None
    deadline: str | None = None
    completed: bool | None = None
    app_url: str | None = None


class Comment(Resource):
    id: int | None = None
    text: str | None = None
    author_id: str | None = None
    created_at: str | None = None


class Epic(Resource):
    id: int | None = None
    name: str = ""
    state: str | None = None
    deadline: str | None = None
    completed: bool | None = None
    app_url: str | None = None


class Iteration(Resource):
    id: int | None = None
    name: str = ""
    status: str | None = None
    start_date: str | None = None
    end_date: str | None = None


class Profile(Resource):
    name: str | None = None
    mention_name: str | None = None
    email_address: str | None = None


class Member(Resource):
    id: str = ""
    role: str | None = None
    disabled: bool | None = None
    profile: Profile | None = None


class State(Resource):
    id: int | None = None
    name: str = ""
    type: str | None = None


class Workflow(Resource):
    id: int | None = None
    name: str = ""
    states: list[State] = []


class Shortcut(Integration):
    """A workspace of Shortcut."""

    class Config(Integration.Config):
        """Who signs in."""

        token: SecretStr

    base_url = "https://api.app.shortcut.com"
    sign_in = ApiKey("Shortcut-Token", "token")
    rate = Rate(200, per_seconds=60)

    async def health_check(self) -> None:
        await self.list_workflows()

    @get("/api/v3/search/stories", paging=FOUND)
    async def search_stories(
        self,
        query: Annotated[
            str, Field(min_length=1, description="such as owner:ann state:started is:bug words")
        ],
        page_size: Annotated[int, Field(ge=1, le=25)] = 20,
        detail: Literal["full", "slim"] = "slim",
    ) -> Page[Story]:
        """Search stories: features, bugs and chores, by words, owner, state or label."""

    @get("/api/v3/stories/{story}")
    async def get_story(self, story: StoryId) -> Story:
        """Look at a story."""

    @post("/api/v3/stories")
    async def create_story(
        self,
        name: Name,
        state: StateId = None,
        description: Text | None = None,
        kind: Kind = "feature",
        epic_id: int | None = None,
        iteration_id: int | None = None,
        owners: Owners = None,
        estimate: int | None = None,
    ) -> Story:
        """Create a story: a feature, a bug or a chore."""

    @put("/api/v3/stories/{story}")
    async def update_story(
        self,
        story: StoryId,
        name: Name | None = None,
        state: StateId = None,
        description: Text | None = None,
        kind: Kind | None = None,
        epic_id: int | None = None,
        iteration_id: int | None = None,
        owners: Owners = None,
        estimate: int | None = None,
    ) -> Story:
        """Change a story: move it to another state, give it to somebody, estimate it."""

    @post("/api/v3/stories/{story}/comments")
    async def add_comment(self, story: StoryId, text: Annotated[Text, Field(min_length=1)]) -> Comment:
        """Comment on a story."""

    @get("/api/v3/epics")
    async def list_epics(self) -> list[Epic]:
        """List the epics."""

    @operation()
    async def create_epic(
        self, name: Annotated[str, Field(min_length=1, max_length=256)], description: Text | None = None,
        deadline: Date | None = None,
    ) -> Epic:  # fmt: skip
        """Create an epic."""
        end = f"{deadline}T00:00:00Z" if deadline else None
        return await self._create(name=name, description=description, deadline=end)

    @post("/api/v3/epics")
    async def _create(self, name: str, description: str | None = None, deadline: str | None = None) -> Epic:
        """An epic as Shortcut takes it."""

    @get("/api/v3/iterations")
    async def list_iterations(self) -> list[Iteration]:
        """List the iterations: the sprints."""

    @get("/api/v3/members")
    async def list_members(self) -> list[Member]:
        """List the people of the workspace."""

    @get("/api/v3/workflows")
    async def list_workflows(self) -> list[Workflow]:
        """List the workflows, and the states that stories go through."""
