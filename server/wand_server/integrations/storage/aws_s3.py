"""Amazon S3, and what speaks like it."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import md5
from typing import Annotated, Any, Literal
from xml.sax.saxutils import escape

from pydantic import Field, SecretStr

from wand_proto.errors import Denied, Unavailable, WandError
from wand_server.integrations.kit import (
    Content,
    Download,
    Integration,
    Request,
    Resource,
    Sent,
    Several,
    SigV4,
    delete,
    get,
    head,
    operation,
)
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.http import Address
from wand_server.integrations.kit.paging import NextCursor, found
from wand_server.integrations.kit.request import segments
from wand_server.integrations.kit.sigv4 import now, presigned_url

SIGN_IN = SigV4(service="s3")
_GIVE_UP_SECONDS = 5.0
PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes of every part but the last

Bucket = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$")]
Key = Annotated[
    str,
    Field(
        pattern=r"^[^/](.*[^/])?$",
        max_length=1024,
        description="name of the object, such as reports/2026.csv",
    ),
]
Version = Annotated[str | None, Field(description="of the object, where the bucket keeps versions")]
Meta = Annotated[
    dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")], str] | None,
    Field(description="what to keep with it, as x-amz-meta-*"),
]
OnlyNew = Annotated[bool, Field(description="do not replace an object of that name")]


class Owned(Resource):
    name: Annotated[str, Field(alias="Name")] = ""
    created: Annotated[str | None, Field(alias="CreationDate")] = None


class Object(Resource):
    key: Annotated[str, Field(alias="Key")] = ""
    size: Annotated[int, Field(alias="Size")] = 0
    modified: Annotated[str | None, Field(alias="LastModified")] = None
    etag: Annotated[str | None, Field(alias="ETag")] = None
    storage_class: Annotated[str | None, Field(alias="StorageClass")] = None


class Listed(Resource):
    """`folders` are what goes on behind the delimiter."""

    items: Several[Object] = []
    folders: list[str] = []
    next_cursor: str | None = None


class About(Resource):
    size: int | None = None
    media_type: str | None = None
    modified: str | None = None
    etag: str | None = None
    version: str | None = None
    storage_class: str | None = None
    metadata: dict[str, str] = {}


class Stored(Resource):
    etag: str | None = None
    version: str | None = None


class Url(Resource):
    url: str
    method: str
    valid_seconds: int


class S3(Integration):
    """S3, with one key."""

    class Config(Integration.Config):
        """The key, and the region of the buckets."""

        access_key_id: str = Field(description="that of secret_access_key")
        secret_access_key: SecretStr
        session_token: SecretStr | None = None
        region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]+$", description="of the buckets")

    base_url = "https://s3.amazonaws.com"
    sign_in = SIGN_IN

    def _address(self) -> Address:
        usual = super()._address()
        if getattr(self.config, "base_url", ""):
            return usual
        return replace(usual, base_url=f"https://s3.{getattr(self.config, 'region', '')}.amazonaws.com")

    async def health_check(self) -> None:
        await self.list_buckets()

    @get("/", place="ListAllMyBucketsResult.Buckets.Bucket")
    async def list_buckets(self) -> Several[Owned]:
        """List the buckets of the account in S3."""

    @operation()
    async def create_bucket(self, bucket: Bucket) -> None:
        """Create a bucket in S3, in the region of the settings."""
        region = getattr(self.config, "region", "")
        body = b""
        if region != "us-east-1":  # which is the one that must not be named
            space = "http://s3.amazonaws.com/doc/2006-03-01/"
            body = (
                f'<CreateBucketConfiguration xmlns="{space}"><LocationConstraint>{region}'
                "</LocationConstraint></CreateBucketConfiguration>"
            ).encode()
        await self.http.send(Request(method="PUT", path=f"/{bucket}", body=body))

    @operation(read_only=True)
    async def list_objects(
        self,
        bucket: Bucket,
        prefix: Annotated[str, Field(description="of their names, such as reports/")] = "",
        delimiter: Annotated[str, Field(description="/ for one folder at a time")] = "",
        limit: Annotated[int, Field(ge=1, le=1000)] = 100,
        cursor: NextCursor = None,
    ) -> Listed:
        """List the objects (files) in a bucket of S3, by the beginning of their names or by folder."""
        given = {
            "prefix": prefix,
            "delimiter": delimiter,
            "continuation-token": cursor,
            "max-keys": str(limit),
        }
        query = {"list-type": "2", **{name: value for name, value in given.items() if value}}
        answered = await self.http.send(Request(method="GET", path=f"/{bucket}", query=query))
        said = found(answered.body, "ListBucketResult") or {}
        folders = said.get("CommonPrefixes") or []
        told = {
            "items": said.get("Contents"),
            "folders": [each["Prefix"] for each in (folders if isinstance(folders, list) else [folders])],
            "next_cursor": said.get("NextContinuationToken") or None,
        }
        return Listed.model_validate(told)

    @get("/{bucket}/{+key}")
    async def get_object(
        self,
        bucket: Bucket,
        key: Key,
        byte_range: Annotated[
            str | None,
            Field(pattern=r"^bytes=[0-9]*-[0-9]*$", examples=["bytes=0-99"]),
            Sent("Range", "header"),
        ] = None,
        version: Annotated[Version, Sent("versionId")] = None,
    ) -> Download:
        """Download an object from S3: read the file, or save it into the workspace."""

    @operation(idempotent=True)
    async def put_object(
        self,
        bucket: Bucket,
        key: Key,
        content: Content,
        metadata: Meta = None,
        *,
        only_new: OnlyNew = False,
    ) -> Stored:
        """Upload a file or a text to S3: store an object under a name."""
        part = await content.part()
        headers = {**_stored_with(part.media_type, metadata), **({"If-None-Match": "*"} if only_new else {})}
        answered = await self.http.send(
            Request(method="PUT", path=_path(bucket, key), headers=headers, body=part.data)
        )
        return _stored(answered)

    @head(
        "/{bucket}/{+key}",
        headers={
            "size": "Content-Length",
            "media_type": "Content-Type",
            "modified": "Last-Modified",
            "etag": "ETag",
            "version": "x-amz-version-id",
            "storage_class": "x-amz-storage-class",
            "metadata": "x-amz-meta-*",
        },
    )
    async def head_object(
        self, bucket: Bucket, key: Key, version: Annotated[Version, Sent("versionId")] = None
    ) -> About:
        """Look whether an object is in S3, without downloading it: its size, type, date, metadata."""

    @operation(idempotent=True)
    async def copy_object(
        self,
        bucket: Bucket,
        key: Key,
        to_bucket: Bucket,
        to_key: Key,
        *,
        only_new: OnlyNew = False,
    ) -> Stored:
        """Copy an object of S3 to another name or into another bucket."""
        headers = {"x-amz-copy-source": _path(bucket, key), **({"If-None-Match": "*"} if only_new else {})}
        path = _path(to_bucket, to_key, "to_key")
        answered = await self.http.send(Request(method="PUT", path=path, headers=headers))
        _check_done(answered)
        return Stored(
            etag=found(answered.body, "CopyObjectResult.ETag"),
            version=answered.headers.get("x-amz-version-id"),
        )

    @delete("/{bucket}/{+key}")
    async def delete_object(
        self, bucket: Bucket, key: Key, version: Annotated[Version, Sent("versionId")] = None
    ) -> None:
        """Delete an object from S3; one that is not there is no error."""

    @operation(idempotent=True)
    async def presign_url(
        self,
        bucket: Bucket,
        key: Key,
        method: Literal["GET", "PUT"] = "GET",
        valid_seconds: Annotated[int, Field(ge=1, le=604800)] = 3600,
    ) -> Url:
        """Make a temporary link to an object in S3, by which anybody can download it, or upload it by PUT."""
        who = SIGN_IN.credentials(self.config)
        if who.session_token:
            raise Denied(
                "the link would hold the session token, which does not leave the server",
                hint="a key without a session token can sign links",
            )
        request = Request(method=method, path=_path(bucket, key), base_url=self.http.base_url)
        return Url(
            url=presigned_url(request, who, now(), valid_seconds), method=method, valid_seconds=valid_seconds
        )

    @operation(read_only=True)
    async def get_bucket_policy(self, bucket: Bucket) -> dict[str, Any]:
        """Read the access policy of a bucket in S3: who may do what with it."""
        answered = await self.http.send(Request(method="GET", path=f"/{bucket}", query={"policy": ""}))
        return dict(json.loads(answered.text))

    @operation(read_only=True)
    async def get_object_tags(self, bucket: Bucket, key: Key) -> dict[str, str]:
        """Read the tags of an object in S3."""
        asking = Request(method="GET", path=_path(bucket, key), query={"tagging": ""})
        tags = found((await self.http.send(asking)).body, "Tagging.TagSet.Tag") or []
        pairs = tags if isinstance(tags, list) else [tags]
        return {str(each["Key"]): str(each.get("Value", "")) for each in pairs}

    @operation(idempotent=True)
    async def put_object_tags(self, bucket: Bucket, key: Key, tags: dict[str, str]) -> None:
        """Tag an object in S3: set its tags, in place of those that it has."""
        each = "<Tag><Key>{}</Key><Value>{}</Value></Tag>"
        pairs = "".join(each.format(escape(name), escape(value)) for name, value in tags.items())
        text = f"<Tagging><TagSet>{pairs}</TagSet></Tagging>"
        await self._put_xml(_path(bucket, key), {"tagging": ""}, text)

    @operation(idempotent=True)
    async def multipart_upload(
        self, bucket: Bucket, key: Key, content: Content, metadata: Meta = None
    ) -> Stored:
        """Upload a large file to S3 in parts, each of which is repeated by itself where it gets lost."""
        part = await content.part()
        path, headers = _path(bucket, key), _stored_with(part.media_type, metadata)
        begun = await self.http.send(
            Request(method="POST", path=path, query={"uploads": ""}, headers=headers), repeatable=True
        )
        upload = {"uploadId": str(found(begun.body, "InitiateMultipartUploadResult.UploadId"))}
        try:
            return await self._send_parts(path, upload, part.data)
        except BaseException:
            with suppress(WandError):  # parts that nobody puts together are billed
                await self.http.send(
                    Request(method="DELETE", path=path, query=upload), seconds=_GIVE_UP_SECONDS
                )
            raise

    async def _send_parts(self, path: str, upload: Mapping[str, str], data: bytes) -> Stored:
        tags = []
        for number, piece in enumerate(_pieces(data), start=1):
            query = {**upload, "partNumber": str(number)}
            sent = await self.http.send(Request(method="PUT", path=path, query=query, body=piece))
            tags.append(
                f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(sent.headers['etag'])}</ETag></Part>"
            )
        whole = f"<CompleteMultipartUpload>{''.join(tags)}</CompleteMultipartUpload>"
        answered = await self._put_xml(path, upload, whole, method="POST")
        return Stored(
            etag=found(answered.body, "CompleteMultipartUploadResult.ETag"),
            version=answered.headers.get("x-amz-version-id"),
        )

    async def _put_xml(
        self, path: str, query: Mapping[str, str], text: str, method: Literal["PUT", "POST"] = "PUT"
    ) -> Answered:
        body = text.encode()
        digest = b64encode(md5(body, usedforsecurity=False).digest()).decode()
        headers = {"Content-Type": "application/xml", "Content-MD5": digest}
        answered = await self.http.send(
            Request(method=method, path=path, query=dict(query), headers=headers, body=body), repeatable=True
        )
        _check_done(answered)
        return answered


def _path(bucket: str, key: str, field: str = "key") -> str:
    return f"/{bucket}/{segments(field, key, many=True)}"


def _pieces(data: bytes) -> Iterator[bytes]:
    for begin in range(0, max(1, len(data)), PART_BYTES):
        yield data[begin : begin + PART_BYTES]


def _stored_with(media_type: str, metadata: Mapping[str, str] | None) -> dict[str, str]:
    named = {f"x-amz-meta-{name.lower()}": value for name, value in (metadata or {}).items()}
    return {"Content-Type": media_type, **named}


def _stored(answered: Answered) -> Stored:
    return Stored(etag=answered.headers.get("etag"), version=answered.headers.get("x-amz-version-id"))


def _check_done(answered: Answered) -> None:
    """S3 begins with 200 what takes it long, and says in the body whether it could."""
    error = found(answered.body, "Error")
    if isinstance(error, dict):
        raise Unavailable(f"it was not done: {error.get('Code')}: {error.get('Message')}", hint="ask again")
