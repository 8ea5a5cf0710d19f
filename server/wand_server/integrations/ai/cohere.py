"""Cohere's API, version 2 where there is one."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Bearer,
    Counted,
    Cursor,
    Integration,
    Page,
    Resource,
    Sent,
    get,
    post,
)

Model = Annotated[str, Field(min_length=1, description="name of a model, as list_models tells")]
Truncate = Annotated[
    Literal["NONE", "START", "END"] | None, Field(description="where too long a text is cut; NONE: an error")
]
Texts = Annotated[list[str], Field(min_length=1, max_length=96)]


class Function(Resource):
    name: str
    description: str | None = None
    parameters: Annotated[
        dict[str, Any], Field(description="JSON Schema of an object", examples=[{"type": "object"}])
    ]


class Tool(Resource):
    type: Literal["function"] = "function"
    function: Function


class Turn(Resource):
    role: Literal["user", "assistant", "system", "tool"] = "user"
    content: str | list[dict[str, Any]] = ""
    tool_call_id: str | None = None


class Part(Resource):
    type: str = ""
    text: str | None = None


class Said(Resource):
    role: str = ""
    content: list[Part] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    citations: list[dict[str, Any]] | None = None


class Chatted(Resource):
    id: str = ""
    finish_reason: str = ""
    message: Said | None = None
    usage: dict[str, Any] | None = None


class Vectors(Resource):
    embeddings: Annotated[dict[str, list[Any]], Field(description="by type, such as float")] = {}


class Rank(Resource):
    index: Annotated[int, Field(description="of the document, from 0")]
    relevance_score: float


class Tokens(Resource):
    tokens: list[int] = []
    token_strings: list[str] = []


class Text(Resource):
    text: str = ""


class About(Resource):
    name: str = ""
    endpoints: list[str] = []
    context_length: float | None = None
    is_deprecated: bool | None = None
    features: list[str] | None = None


class Example(Resource):
    text: str
    label: str


class Class(Resource):
    input: str | None = None
    prediction: str | None = None
    confidence: float | None = None
    labels: dict[str, Any] | None = None


class Dataset(Resource):
    id: str = ""
    name: str = ""
    dataset_type: str = ""
    validation_status: str = ""
    created_at: str | None = None


class Checked(Resource):
    valid: bool
    organization_id: str | None = None


class Cohere(Integration):
    """Cohere, by one key."""

    class Config(Integration.Config):
        """The key."""

        api_key: SecretStr

    base_url = "https://api.cohere.com"
    sign_in = Bearer("api_key")

    async def health_check(self) -> None:
        await self.check_api_key()

    @post("/v2/chat", read_only=True, seconds=180.0, fixed={"stream": False})
    async def chat(
        self,
        model: Model,
        messages: Annotated[list[Turn], Field(min_length=1)],
        documents: Annotated[
            list[str] | None, Field(description="texts that the answer has to rest on, and to cite")
        ] = None,
        tools: Annotated[list[Tool] | None, Field(description="what it may ask for")] = None,
        max_tokens: Annotated[int | None, Field(ge=1)] = None,
        temperature: Annotated[float | None, Field(ge=0, le=1)] = None,
    ) -> Chatted:
        """Have a Command model answer in a conversation, on documents of one's own if given."""

    @post("/v2/embed", read_only=True)
    async def create_embeddings(
        self,
        model: Model,
        texts: Texts,
        input_type: Annotated[
            Literal["search_document", "search_query", "classification", "clustering"],
            Field(description="what the vectors are for"),
        ],
        embedding_types: list[Literal["float", "int8", "uint8", "binary", "ubinary", "base64"]] | None = None,
        output_dimension: Annotated[int | None, Field(ge=1)] = None,
        truncate: Truncate = None,
    ) -> Vectors:
        """Make vectors of texts, to search or compare them by what they mean."""

    @post("/v2/rerank", read_only=True, place="results")
    async def rerank_documents(
        self,
        model: Model,
        query: str,
        documents: Annotated[list[str], Field(min_length=1)],
        top_n: Annotated[int | None, Field(ge=1)] = None,
    ) -> list[Rank]:
        """Order documents or search results by how well they answer a question, the most relevant first."""

    @post("/v1/tokenize", read_only=True)
    async def tokenize_text(
        self, model: Model, text: Annotated[str, Field(min_length=1, max_length=65536)]
    ) -> Tokens:
        """Split a text into the tokens that a model sees, to count them."""

    @post("/v1/detokenize", read_only=True, place="")
    async def detokenize_text(
        self, model: Model, tokens: Annotated[list[int], Field(min_length=1, max_length=65536)]
    ) -> Text:
        """Join the numbers of tokens to the text that they stand for."""

    @get("/v1/models", paging=Cursor(items="models", mark="next_page_token", sent_as="page_token"))
    async def list_models(
        self,
        endpoint: Annotated[
            str | None,
            Field(description="what they can do: chat, embed, rerank, classify", examples=["chat"]),
        ] = None,
        page_size: Annotated[int, Field(ge=1, le=1000)] = 50,
    ) -> Page[About]:
        """List the models of Cohere, and what each can be asked for."""

    @get("/v1/models/{model}")
    async def get_model(self, model: Model) -> About:
        """Look a model of Cohere up: what it can do, and how long a context it takes."""

    @post("/v1/classify", read_only=True, place="classifications")
    async def classify_text(
        self,
        inputs: Texts,
        model: Model,
        examples: Annotated[
            list[Example] | None,
            Field(max_length=2500, description="at least two of each label; not with a model trained for it"),
        ] = None,
        truncate: Truncate = None,
    ) -> list[Class]:
        """Sort texts into classes that examples show: which label fits each, and how surely."""

    @get("/v1/datasets", paging=Counted(items="datasets", sent_as="offset", size="limit", by_items=True))
    async def list_datasets(
        self,
        dataset_type: Annotated[str | None, Sent("datasetType")] = None,
        validation_status: Annotated[
            str | None, Sent("validationStatus"), Field(examples=["validated"])
        ] = None,
        limit: Annotated[int, Field(ge=1, le=100)] = 50,
    ) -> Page[Dataset]:
        """List the datasets that were uploaded to Cohere for embedding or training."""

    @post("/v1/check-api-key", read_only=True)
    async def check_api_key(self) -> Checked:
        """Check whether the API key of Cohere is valid."""
