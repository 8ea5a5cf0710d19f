"""OpenAI's API, and that of servers that speak like it."""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_proto.errors import Broken
from wand_server.integrations.kit import (
    Bearer,
    Content,
    Cursor,
    Download,
    Integration,
    Page,
    Request,
    Resource,
    Sent,
    delete,
    get,
    operation,
    post,
)
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.content import SaveAs, kept
from wand_server.integrations.kit.paging import found

THINKING_SECONDS = 180.0

Model = Annotated[str, Field(min_length=1, description="id of a model, as list_models tells")]
FileId = Annotated[str, Field(description="id of a file (file-…)")]
BatchId = Annotated[str, Field(description="id of a batch (batch_…)")]
Texts = Annotated[list[str], Field(min_length=1, max_length=2048), Sent("input")]
Effort = Annotated[str | None, Field(description="how long it thinks: low, medium, high", examples=["low"])]
Warmth = Annotated[float | None, Field(ge=0, le=2)]


class Said(Resource):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] = ""
    tool_call_id: str | None = None
    tool_calls: Annotated[list[dict[str, Any]] | None, Field(description="as they were answered")] = None


class Function(Resource):
    name: str
    description: str | None = None
    parameters: Annotated[
        dict[str, Any], Field(description="JSON Schema of an object", examples=[{"type": "object"}])
    ]


class Tool(Resource):
    type: Literal["function"] = "function"
    function: Function


class Piece(Resource):
    type: str = ""
    text: str | None = None
    refusal: str | None = None


class Item(Resource):
    type: str = ""
    content: list[Piece] | None = None
    name: str | None = None
    arguments: str | None = None
    call_id: str | None = None


class Answer(Resource):
    id: str = ""
    model: str = ""
    status: str | None = None
    output: list[Item] = []
    usage: dict[str, Any] | None = None
    incomplete_details: dict[str, Any] | None = None


class Message(Resource):
    role: str = ""
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class Choice(Resource):
    message: Message
    finish_reason: str | None = None


class Completion(Resource):
    id: str = ""
    model: str = ""
    choices: list[Choice] = []
    usage: dict[str, Any] | None = None


class Vector(Resource):
    index: int = 0
    embedding: list[float] = []


class Judged(Resource):
    flagged: bool
    categories: dict[str, bool] = {}
    category_scores: dict[str, float] = {}


class Picture(Download):
    url: str | None = None
    revised_prompt: str | None = None


class Transcript(Resource):
    text: str = ""


class About(Resource):
    id: str = ""
    owned_by: str | None = None
    created: int | None = None


class File(Resource):
    id: str = ""
    filename: str = ""
    purpose: str = ""
    bytes: int | None = None
    created_at: int | None = None
    status: str | None = None


class Deleted(Resource):
    id: str = ""
    deleted: bool = False


class Batch(Resource):
    id: str = ""
    status: str = ""
    endpoint: str = ""
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    request_counts: dict[str, int] | None = None
    errors: dict[str, Any] | None = None


class OpenAI(Integration):
    """OpenAI, or a server of one's own that speaks like it."""

    class Config(Integration.Config):
        """The key, and for which organization and project it asks."""

        api_key: SecretStr
        organization: str = Field(default="", description="org-…, where the key reaches several")
        project: str = Field(default="", description="proj_…, where the key reaches several")

    base_url = "https://api.openai.com/v1"
    sign_in = Bearer("api_key")
    setting_headers = {"OpenAI-Organization": "organization", "OpenAI-Project": "project"}

    async def health_check(self) -> None:
        await self.list_models()

    @post("/responses", read_only=True, seconds=THINKING_SECONDS, fixed={"store": False})
    async def create_response(
        self,
        model: Model,
        prompt: Annotated[
            str | list[dict[str, Any]],
            Field(description="a text, or messages as {role, content}"),
            Sent("input"),
        ],
        instructions: str | None = None,
        max_output_tokens: Annotated[int | None, Field(ge=16)] = None,
        temperature: Warmth = None,
        tools: Annotated[
            list[dict[str, Any]] | None,
            Field(description="what it may use or ask for", examples=[[{"type": "web_search"}]]),
        ] = None,
        text: Annotated[
            dict[str, Any] | None,
            Field(description="the form of the answer", examples=[{"format": {"type": "json_object"}}]),
        ] = None,
        reasoning: Annotated[dict[str, Any] | None, Field(examples=[{"effort": "low"}])] = None,
    ) -> Answer:
        """Ask GPT: have a model of OpenAI answer a prompt, with tools such as web search."""

    @post("/chat/completions", read_only=True, seconds=THINKING_SECONDS)
    async def create_chat_completion(
        self,
        model: Model,
        messages: Annotated[list[Said], Field(min_length=1)],
        max_completion_tokens: Annotated[int | None, Field(ge=1)] = None,
        temperature: Warmth = None,
        tools: Annotated[list[Tool] | None, Field(description="what it may ask for")] = None,
        response_format: Annotated[dict[str, Any] | None, Field(examples=[{"type": "json_object"}])] = None,
        reasoning_effort: Effort = None,
        stop: list[str] | None = None,
        seed: int | None = None,
    ) -> Completion:
        """Have GPT, or another chat model, answer in a conversation: the reply to a list of messages."""

    @post("/embeddings", read_only=True, place="data")
    async def create_embeddings(
        self, model: Model, texts: Texts, dimensions: Annotated[int | None, Field(ge=1)] = None
    ) -> list[Vector]:
        """Make vectors (embeddings) of texts, to search or compare them by what they mean."""

    @post("/moderations", read_only=True, place="results")
    async def create_moderation(self, texts: Texts, model: Model | None = None) -> list[Judged]:
        """Check texts for what is harmful: hate, violence, self-harm, sexual content (moderation)."""

    @operation(read_only=True)
    async def create_image(
        self,
        model: Model,
        prompt: Annotated[str, Field(min_length=1)],
        size: Annotated[str | None, Field(examples=["1024x1024"])] = None,
        quality: Annotated[str | None, Field(description="such as low, high, auto", examples=["low"])] = None,
        background: Literal["transparent", "opaque", "auto"] | None = None,
        save_as: SaveAs = None,
    ) -> Picture:
        """Generate an image (picture, drawing, logo) from a description, and save it into the workspace."""
        given = {"size": size, "quality": quality, "background": background}
        body = {"model": model, "prompt": prompt, "n": 1} | {n: each for n, each in given.items() if each}
        request = Request(method="POST", path="/images/generations", json=body)
        answered = await self.http.send(request, seconds=THINKING_SECONDS)
        return await _picture(answered, save_as)

    @post("/audio/speech", read_only=True, seconds=THINKING_SECONDS)
    async def create_speech(
        self,
        model: Model,
        text: Annotated[str, Field(min_length=1, max_length=4096), Sent("input")],
        voice: Annotated[str, Field(description="such as alloy, coral, sage", examples=["alloy"])],
        instructions: Annotated[str | None, Field(description="how to say it")] = None,
        response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] | None = None,
        speed: Annotated[float | None, Field(ge=0.25, le=4)] = None,
    ) -> Download:
        """Have a text read aloud (text to speech): an audio file, to save into the workspace."""

    @post(
        "/audio/transcriptions",
        multipart="form-data",
        fixed={"response_format": "json"},
        read_only=True,
        seconds=THINKING_SECONDS,
    )
    async def create_transcription(
        self,
        file: Annotated[Content, Field(description="the recording: mp3, m4a, wav, webm and others")],
        model: Model,
        language: Annotated[str | None, Field(description="of the recording, such as en")] = None,
        prompt: Annotated[str | None, Field(description="words that occur in it")] = None,
    ) -> Transcript:
        """Transcribe a recording (speech to text): what is said in an audio file."""

    @get("/models", place="data")
    async def list_models(self) -> list[About]:
        """List the models that the key may use at OpenAI."""

    @get("/models/{model}")
    async def get_model(self, model: Model) -> About:
        """Look a model of OpenAI up: whether it is there, and whose it is."""

    @post("/files", multipart="form-data")
    async def upload_file(
        self,
        file: Content,
        purpose: Annotated[
            str, Field(description="batch, fine-tune, user_data, vision or evals", examples=["batch"])
        ],
    ) -> File:
        """Upload a file to OpenAI, for a batch, for fine-tuning, or to be asked about."""

    @get("/files", paging=Cursor(items="data", mark="last_id", sent_as="after", more="has_more"))
    async def list_files(
        self,
        purpose: Annotated[
            str | None, Field(description="such as batch, fine-tune, user_data", examples=["batch"])
        ] = None,
        limit: Annotated[int, Field(ge=1, le=10000)] = 100,
        order: Literal["asc", "desc"] | None = None,
    ) -> Page[File]:
        """List the files that were uploaded to OpenAI."""

    @delete("/files/{file_id}")
    async def delete_file(self, file_id: FileId) -> Deleted:
        """Delete a file at OpenAI."""

    @post("/batches", fixed={"completion_window": "24h"})
    async def create_batch(
        self,
        input_file_id: FileId,
        endpoint: Annotated[
            str, Field(description="what each line asks", examples=["/v1/chat/completions", "/v1/embeddings"])
        ],
        metadata: dict[str, str] | None = None,
    ) -> Batch:
        """Have many requests to GPT done within a day at half the price: a batch, from an uploaded file."""

    @get("/batches/{batch_id}")
    async def get_batch(self, batch_id: BatchId) -> Batch:
        """Look how far a batch at OpenAI is, and which file has its results."""


async def _picture(answered: Answered, save_as: str | None) -> Picture:
    """The image in an answer; older models only say where it is."""
    images = found(answered.body, "data")
    first = images[0] if isinstance(images, list) and images and isinstance(images[0], dict) else {}
    about = {"url": first.get("url"), "revised_prompt": first.get("revised_prompt")}
    try:
        raw = base64.b64decode(first.get("b64_json") or "", validate=True)
    except (binascii.Error, TypeError, ValueError) as why:
        raise Broken("the service's image is no base64") from why
    if not raw:
        return Picture.model_validate(about)
    got = await kept(raw, f"image/{found(answered.body, 'output_format') or 'png'}", save_as)
    return Picture.model_validate(got.model_dump() | about)
