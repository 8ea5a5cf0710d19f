"""Replicate's HTTP API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Bearer,
    DateTime,
    Integration,
    Linked,
    Page,
    Rate,
    Resource,
    Sent,
    get,
    post,
)

Owner = Annotated[str, Field(description="whose model it is, such as meta", examples=["meta"])]
Name = Annotated[str, Field(description="name of the model below its owner", examples=["sam-2"])]
Id = Annotated[str, Field(description="id of a prediction")]
Inputs = Annotated[
    dict[str, Any], Field(description="what the model takes, as the openapi_schema of its version says")
]
Wait = Annotated[
    str | None,
    Field(
        pattern=r"^wait(=([1-9]|[1-5][0-9]|60))?$",
        description="wait=20: answer when done, after 20 s at most",
        examples=["wait=20"],
    ),
    Sent("Prefer", "header"),
]
PAGES = Linked(items="results", link="next")


class Prediction(Resource):
    id: str = ""
    status: str = ""
    model: str = ""
    version: str | None = None
    output: Any = None
    error: str | None = None
    logs: str | None = None
    created_at: str | None = None
    completed_at: str | None = None


class Brief(Resource):
    id: str = ""
    status: str = ""
    model: str = ""
    created_at: str | None = None
    error: str | None = None


class Version(Resource):
    id: str = ""
    created_at: str | None = None
    openapi_schema: dict[str, Any] | None = None


class About(Resource):
    owner: str = ""
    name: str = ""
    description: str | None = None
    run_count: int | None = None
    visibility: str | None = None
    url: str | None = None


class Model(About):
    latest_version: Version | None = None


class Released(Resource):
    id: str = ""
    created_at: str | None = None


class Collection(Resource):
    slug: str = ""
    name: str = ""
    description: str | None = None


class Hardware(Resource):
    sku: str = ""
    name: str = ""


class Deployment(Resource):
    owner: str = ""
    name: str = ""
    current_release: dict[str, Any] | None = None


class Account(Resource):
    type: str = ""
    username: str = ""
    name: str | None = None


class Replicate(Integration):
    """Replicate, as one account."""

    class Config(Integration.Config):
        """Its token."""

        token: SecretStr

    base_url = "https://api.replicate.com/v1"
    sign_in = Bearer("token")
    rate = Rate(600, per_seconds=60)

    async def health_check(self) -> None:
        await self.get_account()

    @post("/predictions", seconds=90.0)
    async def create_prediction(
        self,
        version: Annotated[
            str, Field(description="id of a version of a model, or owner/name of an official one")
        ],
        input: Inputs,
        prefer: Wait = None,
        webhook: Annotated[str | None, Field(description="told when it is done")] = None,
    ) -> Prediction:
        """Run a version of a model on Replicate: start a prediction, such as an image from a prompt."""

    @get("/predictions/{prediction_id}")
    async def get_prediction(self, prediction_id: Id) -> Prediction:
        """Look at a prediction: whether the model is done, its output or its error."""

    @get("/predictions", paging=PAGES)
    async def list_predictions(
        self, created_after: DateTime | None = None, created_before: DateTime | None = None
    ) -> Page[Brief]:
        """List the account's predictions, the newest first."""

    @post("/predictions/{prediction_id}/cancel", destructive=True, idempotent=True)
    async def cancel_prediction(self, prediction_id: Id) -> Prediction:
        """Cancel a prediction that runs."""

    @post("/models/{owner}/{name}/predictions", seconds=90.0)
    async def run_model(
        self,
        owner: Owner,
        name: Name,
        input: Inputs,
        prefer: Wait = None,
        webhook: str | None = None,
    ) -> Prediction:
        """Run an official model on Replicate by its name: generate an image, a video, speech or text."""

    @get("/models/{owner}/{name}")
    async def get_model(self, owner: Owner, name: Name) -> Model:
        """Look a model on Replicate up: what it does, its newest version, and which inputs that takes."""

    @get("/models", paging=PAGES)
    async def list_models(
        self,
        sort_by: Literal["model_created_at", "latest_version_created_at"] | None = None,
        sort_direction: Literal["asc", "desc"] | None = None,
    ) -> Page[About]:
        """List the public models on Replicate."""

    @get("/models/{owner}/{name}/versions", paging=PAGES)
    async def list_model_versions(self, owner: Owner, name: Name) -> Page[Released]:
        """List the versions of a model on Replicate, the newest first."""

    @get("/collections", paging=PAGES)
    async def list_collections(self) -> Page[Collection]:
        """List the collections of models on Replicate by what they are for, such as text to image."""

    @get("/hardware")
    async def list_hardware(self) -> list[Hardware]:
        """List the kinds of hardware (CPU, GPU) that models run on at Replicate."""

    @get("/deployments", paging=PAGES)
    async def list_deployments(self) -> Page[Deployment]:
        """List the account's deployments of models on Replicate, and their scaling."""

    @get("/account")
    async def get_account(self) -> Account:
        """Say whose account of Replicate the token belongs to."""
