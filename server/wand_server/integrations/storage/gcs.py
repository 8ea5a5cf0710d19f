"""Google Cloud Storage's JSON API."""

from typing import Annotated, Any

from pydantic import Field

from wand_server.integrations.kit import (
    Content,
    Cursor,
    Download,
    Page,
    Personal,
    Request,
    Resource,
    Sent,
    delete,
    get,
    operation,
    patch,
    post,
)
from wand_server.integrations.kit.google import GoogleConfig, google, upload_url
from wand_server.integrations.kit.multipart import Multipart

Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")]
Name = Annotated[
    str, Field(min_length=1, max_length=1024, description="of the object, such as reports/2026.csv")
]
Many = Annotated[int, Sent("maxResults"), Field(ge=1, le=1000)]
PAGES = Cursor(items="items", mark="nextPageToken", sent_as="pageToken")
Metadata = Annotated[dict[str, str] | None, Field(description="what to keep with it, by name")]


class BucketInfo(Resource):
    name: str = ""
    location: str | None = None
    storageClass: str | None = None  # noqa: N815 - the service's own words
    timeCreated: str | None = None  # noqa: N815


class Object(Resource):
    name: str = ""
    bucket: str = ""
    size: str | None = None
    contentType: str | None = None  # noqa: N815
    updated: str | None = None
    generation: str | None = None
    md5Hash: str | None = None  # noqa: N815
    metadata: dict[str, str] | None = None


class GCS(Personal):
    """Google Cloud Storage, for one project."""

    class Config(GoogleConfig):
        """Which project, and who signs in."""

        project: str = Field(
            default="", description="id of the project, whose buckets are listed and created"
        )

    base_url = "https://storage.googleapis.com/storage/v1"
    sign_in = google("devstorage.read_write")

    async def health_check(self) -> None:
        await self.list_buckets(limit=1)

    def _project(self) -> str:
        return str(getattr(self.config, "project", ""))

    @operation(read_only=True)
    async def list_buckets(self, limit: Annotated[int, Field(ge=1, le=1000)] = 100) -> list[BucketInfo]:
        """List the buckets of the project in Google Cloud Storage."""
        query = {"project": self._project(), "maxResults": str(limit)}
        answered = await self.http.send(Request(method="GET", path="/b", query=query))
        items = answered.body.get("items") if isinstance(answered.body, dict) else None
        return [BucketInfo.model_validate(each) for each in items or []]

    @operation()
    async def create_bucket(
        self, bucket: Bucket, location: Annotated[str, Field(description="such as EU or us-central1")] = "US"
    ) -> BucketInfo:
        """Create a bucket in Google Cloud Storage."""
        body = {"name": bucket, "location": location}
        request = Request(method="POST", path="/b", query={"project": self._project()}, json=body)
        return BucketInfo.model_validate((await self.http.send(request)).body)

    @get("/b/{bucket}")
    async def get_bucket(self, bucket: Bucket) -> BucketInfo:
        """Look a bucket in Google Cloud Storage up: where it is, and of which class."""

    @get("/b/{bucket}/o", paging=PAGES)
    async def list_objects(
        self,
        bucket: Bucket,
        prefix: Annotated[str | None, Field(description="of their names, such as reports/")] = None,
        limit: Many = 100,
    ) -> Page[Object]:
        """List the objects (files) in a bucket of Google Cloud Storage."""

    @get("/b/{bucket}/o/{name}", query={"alt": "media"})
    async def get_object(self, bucket: Bucket, name: Name) -> Download:
        """Download an object from Google Cloud Storage: read the file, or save it into the workspace."""

    @operation(idempotent=True)
    async def upload_object(
        self, bucket: Bucket, name: Name, content: Content, metadata: Metadata = None
    ) -> Object:
        """Upload a file or a text to Google Cloud Storage: store an object under a name."""
        part = await content.part()
        about: dict[str, Any] = {"name": name, "contentType": part.media_type}
        request = Request(
            method="POST",
            path=upload_url(self.http.base_url, f"/b/{bucket}/o"),
            query={"uploadType": "multipart"},
            multipart=Multipart(
                kind="related",
                about=about | ({"metadata": metadata} if metadata else {}),
                values={"content": part},
            ),
        )
        return Object.model_validate((await self.http.send(request, repeatable=True)).body)

    @delete("/b/{bucket}/o/{name}")
    async def delete_object(self, bucket: Bucket, name: Name) -> None:
        """Delete an object from Google Cloud Storage."""

    @post("/b/{bucket}/o/{name}/copyTo/b/{to_bucket}/o/{to_name}", idempotent=True)
    async def copy_object(self, bucket: Bucket, name: Name, to_bucket: Bucket, to_name: Name) -> Object:
        """Copy an object of Google Cloud Storage to another name or into another bucket."""

    @patch("/b/{bucket}/o/{name}", idempotent=True)
    async def update_metadata(
        self,
        bucket: Bucket,
        name: Name,
        metadata: Metadata = None,
        content_type: Annotated[str | None, Sent("contentType")] = None,
        cache_control: Annotated[str | None, Sent("cacheControl"), Field(examples=["no-cache"])] = None,
    ) -> Object:
        """Change what is kept with an object of Google Cloud Storage: its metadata, type or caching."""
