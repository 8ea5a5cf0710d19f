"""Ollama's API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import Bearer, Integration, Resource, Sent, delete, get, post

Name = Annotated[str, Field(description="name of a model, such as gemma3:4b", examples=["gemma3"])]
WHOLE = {"stream": False}  # the answer comes at once, not word by word


class Said(Resource):
    role: Literal["system", "user", "assistant", "tool"] = "user"
    content: str = ""


class Chatted(Resource):
    model: str = ""
    message: Said | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None


class Generated(Resource):
    model: str = ""
    response: str = ""
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None


class Embedded(Resource):
    model: str = ""
    embeddings: list[list[float]] = []


class Model(Resource):
    name: str = ""
    size: int | None = None
    modified_at: str | None = None
    expires_at: str | None = None
    size_vram: int | None = None


class Details(Resource):
    parameters: str | None = None
    template: str | None = None
    capabilities: list[str] = []
    details: dict[str, Any] | None = None


class Status(Resource):
    status: str = ""


class Version(Resource):
    version: str


class Ollama(Integration):
    """Ollama."""

    class Config(Integration.Config):
        """A token, where a proxy asks for one."""

        token: SecretStr | None = None

    base_url = "http://localhost:11434"
    sign_in = Bearer("token")

    async def health_check(self) -> None:
        await self.get_version()

    @post("/api/chat", fixed=WHOLE, read_only=True, seconds=180.0)
    async def chat(
        self,
        model: Name,
        messages: Annotated[list[Said], Field(min_length=1)],
        options: Annotated[
            dict[str, Any] | None, Field(description="temperature, num_ctx and others")
        ] = None,
    ) -> Chatted:
        """Have a model answer in a conversation."""

    @post("/api/generate", fixed=WHOLE, read_only=True, seconds=180.0)
    async def generate_text(
        self, model: Name, prompt: str, system: str | None = None, options: dict[str, Any] | None = None
    ) -> Generated:
        """Have a model go on with a text."""

    @post("/api/embed", read_only=True)
    async def create_embeddings(
        self, model: Name, texts: Annotated[list[str], Field(min_length=1), Sent("input")]
    ) -> Embedded:
        """Make vectors of texts, to compare what they mean."""

    @get("/api/tags", place="models")
    async def list_models(self) -> list[Model]:
        """List the models on that machine."""

    @post("/api/show", read_only=True)
    async def show_model(self, model: Name) -> Details:
        """Look at a model: its parameters, its template, what it can do."""

    @post("/api/pull", fixed=WHOLE, idempotent=True, seconds=180.0)
    async def pull_model(self, model: Name) -> Status:
        """Download a model."""

    @delete("/api/delete")
    async def delete_model(self, model: Annotated[Name, Sent(where="body")]) -> None:
        """Delete a model from that machine."""

    @post("/api/copy", idempotent=True)
    async def copy_model(self, source: Name, destination: str) -> None:
        """Copy a model under another name."""

    @post("/api/create", fixed=WHOLE)
    async def create_model(
        self,
        model: Name,
        base: Annotated[Name, Sent("from")],
        system: str | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> Status:
        """Make a model of another, with its own instructions."""

    @get("/api/ps", place="models")
    async def list_running_models(self) -> list[Model]:
        """List the models that are loaded now."""

    @get("/api/version")
    async def get_version(self) -> Version:
        """Say which version runs."""
