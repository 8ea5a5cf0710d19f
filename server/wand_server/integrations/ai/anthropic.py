"""Anthropic's API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import ApiKey, Cursor, Integration, Page, Resource, get, post

Model = Annotated[str, Field(min_length=1, description="id of a model, as list_models tells")]
BatchId = Annotated[str, Field(description="id of a batch (msgbatch_…)")]
Limit = Annotated[int, Field(ge=1, le=1000)]
System = Annotated[str | None, Field(description="who it is and how it has to answer")]
PAGES = Cursor(items="data", mark="last_id", sent_as="after_id", more="has_more")


class Tool(Resource):
    name: str
    description: str | None = None
    input_schema: Annotated[
        dict[str, Any], Field(description="JSON Schema of an object", examples=[{"type": "object"}])
    ]


class Turn(Resource):
    role: Literal["user", "assistant"]
    content: Annotated[
        str | list[dict[str, Any]], Field(description="text, or blocks: text, image, document, tool_result")
    ]


class Usage(Resource):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class Block(Resource):
    type: str = ""
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None


class Message(Resource):
    id: str = ""
    model: str = ""
    content: list[Block] = []
    stop_reason: str | None = None
    usage: Usage | None = None


class Counted(Resource):
    input_tokens: int


class About(Resource):
    id: str = ""
    display_name: str = ""
    created_at: str | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None


class Asked(Resource):
    custom_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    params: Annotated[
        dict[str, Any],
        Field(
            description="what create_message takes",
            examples=[{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}],
        ),
    ]


class Batch(Resource):
    id: str = ""
    processing_status: str = ""
    request_counts: dict[str, int] | None = None
    created_at: str | None = None
    ended_at: str | None = None
    expires_at: str | None = None


class Result(Resource):
    custom_id: str = ""
    result: dict[str, Any] = {}


class Anthropic(Integration):
    """Anthropic, as one workspace."""

    class Config(Integration.Config):
        """Its key."""

        api_key: SecretStr

    base_url = "https://api.anthropic.com"
    sign_in = ApiKey("x-api-key")
    headers = {"anthropic-version": "2023-06-01"}

    async def health_check(self) -> None:
        await self.list_models(limit=1)

    @post("/v1/messages", read_only=True, seconds=180.0)
    async def create_message(
        self,
        model: Model,
        messages: Annotated[list[Turn], Field(min_length=1)],
        max_tokens: Annotated[int, Field(ge=1, description="most that it may write")] = 1024,
        system: System = None,
        temperature: Annotated[float | None, Field(ge=0, le=1)] = None,
        tools: Annotated[list[Tool] | None, Field(description="what it may ask for")] = None,
        tool_choice: Annotated[dict[str, Any] | None, Field(examples=[{"type": "auto"}])] = None,
        stop_sequences: list[str] | None = None,
        thinking: Annotated[
            dict[str, Any] | None, Field(examples=[{"type": "enabled", "budget_tokens": 2048}])
        ] = None,
    ) -> Message:
        """Ask Claude: have it answer a prompt or a conversation, look at images, or choose a tool."""

    @post("/v1/messages/count_tokens", read_only=True)
    async def count_tokens(
        self,
        model: Model,
        messages: Annotated[list[Turn], Field(min_length=1)],
        system: System = None,
        tools: Annotated[list[Tool] | None, Field(description="what it may ask for")] = None,
    ) -> Counted:
        """Count how many tokens a prompt for Claude has, without asking it."""

    @get("/v1/models", paging=PAGES)
    async def list_models(self, limit: Limit = 100) -> Page[About]:
        """List the Claude models that can be used, the newest first."""

    @get("/v1/models/{model}")
    async def get_model(self, model: Model) -> About:
        """Look a Claude model up: its name, and how many tokens it takes and writes."""

    @post("/v1/messages/batches")
    async def create_batch(self, requests: Annotated[list[Asked], Field(min_length=1)]) -> Batch:
        """Have many prompts answered within a day at half the price: hand in a batch of them."""

    @get("/v1/messages/batches/{batch_id}")
    async def get_batch(self, batch_id: BatchId) -> Batch:
        """Look how far a batch of prompts is."""

    @get("/v1/messages/batches", paging=PAGES)
    async def list_batches(self, limit: Limit = 20) -> Page[Batch]:
        """List the batches of prompts of the workspace, the newest first."""

    @post("/v1/messages/batches/{batch_id}/cancel", idempotent=True, destructive=True)
    async def cancel_batch(self, batch_id: BatchId) -> Batch:
        """Stop a batch of prompts; what is answered already stays."""

    @get("/v1/messages/batches/{batch_id}/results")
    async def get_batch_results(self, batch_id: BatchId) -> list[Result]:
        """Read the answers of a batch of prompts that has ended, each by the custom_id of its prompt."""
