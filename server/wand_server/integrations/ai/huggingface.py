"""The Hugging Face Hub, and inference by the providers behind its router."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, TypeAdapter

from wand_server.integrations.kit import (
    Bearer,
    Download,
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
from wand_server.integrations.kit.request import segments

THINKING_SECONDS = 180.0
RepoId = Annotated[
    str, Field(description="owner/name, such as google/gemma-3-4b-it", examples=["google/gemma"])
]
Words = Annotated[str | None, Field(description="words in its name")]
Author = Annotated[str | None, Field(description="the user or organization whose they are")]
Tag = Annotated[
    str | None, Field(description="such as text-generation, license:mit, language:en"), Sent("filter")
]
Sort = Annotated[
    Literal["downloads", "likes", "lastModified", "createdAt", "trendingScore"] | None,
    Field(description="the most first"),
]
Many = Annotated[int, Field(ge=1, le=100)]
Revision = Annotated[str, Field(description="branch, tag or commit")]
PAGES = Linked()
_VECTORS = TypeAdapter(list[list[float]])


class Repo(Resource):
    id: str = ""
    author: str | None = None
    private: bool | None = None
    downloads: int | None = None
    likes: int | None = None
    tags: list[str] | None = None
    pipeline_tag: str | None = None
    lastModified: str | None = None  # noqa: N815 - the service's own word


class File(Resource):
    rfilename: str = ""


class Model(Repo):
    sha: str | None = None
    library_name: str | None = None
    gated: bool | str | None = None
    cardData: dict[str, Any] | None = None  # noqa: N815
    siblings: list[File] | None = None


class Dataset(Repo):
    sha: str | None = None
    description: str | None = None
    gated: bool | str | None = None
    cardData: dict[str, Any] | None = None  # noqa: N815
    siblings: list[File] | None = None


class Entry(Resource):
    type: str = ""
    path: str = ""
    size: int | None = None
    oid: str | None = None


class Turn(Resource):
    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]]


class Said(Resource):
    role: str = ""
    content: str | None = None


class Choice(Resource):
    message: Said
    finish_reason: str | None = None


class Completion(Resource):
    model: str = ""
    choices: list[Choice] = []
    usage: dict[str, Any] | None = None


class Created(Resource):
    url: str = ""


class Who(Resource):
    name: str = ""
    type: str = ""
    fullname: str | None = None
    orgs: list[dict[str, Any]] | None = None


class HuggingFace(Integration):
    """The Hub and its router, by one token."""

    class Config(Integration.Config):
        """The token, and where inference is asked for."""

        token: SecretStr
        inference_url: str = Field(
            default="https://router.huggingface.co", description="another router, or a server of one's own"
        )

    base_url = "https://huggingface.co"
    sign_in = Bearer("token")

    async def initialize(self) -> None:
        self.http.also_at(self._inference())

    def _inference(self) -> str:
        return str(getattr(self.config, "inference_url", "")).rstrip("/")

    async def health_check(self) -> None:
        await self.whoami()

    @get("/api/models", paging=PAGES)
    async def search_models(
        self,
        search: Words = None,
        author: Author = None,
        tag: Tag = None,
        sort: Sort = None,
        limit: Many = 20,
    ) -> Page[Repo]:
        """Search the models on Hugging Face: by words, author, task, license or language."""

    @get("/api/models/{+repo_id}")
    async def get_model(self, repo_id: RepoId) -> Model:
        """Look a model on Hugging Face up: its task, license, downloads, files and card."""

    @get("/api/datasets", paging=PAGES)
    async def search_datasets(
        self,
        search: Words = None,
        author: Author = None,
        tag: Tag = None,
        sort: Sort = None,
        limit: Many = 20,
    ) -> Page[Repo]:
        """Search the datasets on Hugging Face: by words, author, task, license or language."""

    @get("/api/datasets/{+repo_id}")
    async def get_dataset(self, repo_id: RepoId) -> Dataset:
        """Look a dataset on Hugging Face up: what it is, its license, size and files."""

    @get("/api/spaces", paging=PAGES)
    async def search_spaces(
        self,
        search: Words = None,
        author: Author = None,
        tag: Tag = None,
        sort: Sort = None,
        limit: Many = 20,
    ) -> Page[Repo]:
        """Search the Spaces (demo apps) on Hugging Face."""

    @get("/api/{kind}/{+repo_id}/tree/{revision}", paging=PAGES)
    async def list_repo_files(
        self,
        repo_id: RepoId,
        kind: Literal["models", "datasets", "spaces"] = "models",
        revision: Revision = "main",
        *,
        recursive: bool = True,
    ) -> Page[Entry]:
        """List the files in a repository on Hugging Face, with their sizes."""

    @get("/{+repo_id}/resolve/{revision}/{+path}")
    async def download_file(
        self,
        repo_id: Annotated[
            str, Field(description="owner/name of a model; datasets/owner/name, spaces/owner/name")
        ],
        path: Annotated[str, Field(description="of the file, such as config.json")],
        revision: Revision = "main",
    ) -> Download:
        """Download a file of a model, dataset or Space from Hugging Face."""

    @operation(read_only=True)
    async def run_inference(
        self,
        model: Annotated[
            str, Field(min_length=1, description="repo id; with :provider or :cheapest behind it")
        ],
        messages: Annotated[list[Turn], Field(min_length=1)],
        max_tokens: Annotated[int | None, Field(ge=1)] = None,
        temperature: Annotated[float | None, Field(ge=0, le=2)] = None,
    ) -> Completion:
        """Ask an open model through Hugging Face: run inference on a conversation."""
        body = {
            "model": model,
            "messages": [turn.model_dump(mode="json") for turn in messages],
            **({"max_tokens": max_tokens} if max_tokens is not None else {}),
            **({"temperature": temperature} if temperature is not None else {}),
        }
        answer = await self._infer("/v1/chat/completions", body)
        return Completion.model_validate(answer if isinstance(answer, dict) else {})

    @operation(read_only=True)
    async def create_embeddings(
        self, model: RepoId, texts: Annotated[list[str], Field(min_length=1)]
    ) -> list[list[float]]:
        """Make vectors (embeddings) of texts by a model on Hugging Face, to compare what they mean."""
        path = f"/hf-inference/models/{segments('model', model, many=True)}/pipeline/feature-extraction"
        return _VECTORS.validate_python(await self._infer(path, {"inputs": texts}))

    async def _infer(self, path: str, body: dict[str, Any]) -> Any:
        request = Request(method="POST", path=f"{self._inference()}{path}", json=body)
        return (await self.http.send(request, repeatable=True, seconds=THINKING_SECONDS)).body

    @post("/api/repos/create")
    async def create_repo(
        self,
        name: Annotated[str, Field(pattern=r"^[\w.-]{1,96}$", description="without its owner")],
        organization: Annotated[str | None, Field(description="whose it will be; else one's own")] = None,
        kind: Annotated[Literal["model", "dataset", "space"], Sent("type")] = "model",
        sdk: Annotated[
            Literal["gradio", "docker", "static"] | None, Field(description="of a Space, which needs one")
        ] = None,
        visibility: Literal["private", "public"] = "private",
    ) -> Created:
        """Create a repository for a model, a dataset or a Space on Hugging Face."""

    @get("/api/whoami-v2")
    async def whoami(self) -> Who:
        """Say whose token it is at Hugging Face, and in which organizations."""
