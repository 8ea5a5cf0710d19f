"""Content: files and texts that an operation sends, and those that it gives back."""

import base64
import binascii
import mimetypes
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wand_proto.errors import Invalid
from wand_server.integrations.kit import workspace
from wand_server.integrations.kit.answers import Resource
from wand_server.integrations.kit.bodies import Answered, charset
from wand_server.integrations.kit.multipart import Part

SAVE_AS = "save_as"
_TYPES = mimetypes.MimeTypes()  # its own table; the system's files are none of our business
_UNKNOWN = "application/octet-stream"
_TEXTUAL = ("text/", "application/json", "application/xml", "application/yaml", "application/javascript")


class Content(BaseModel):
    """What to send, as one of text, base64 and file."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"text": "a", "name": "a.txt"}]}
    )

    text: str | None = None
    base64: str | None = None
    file: str | None = Field(default=None, description="path of a file in the workspace")
    name: str = Field(default="", description="what the file is to be called")
    media_type: str = Field(default="", pattern=r"^([\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w-]+)*)?$")

    @model_validator(mode="after")
    def _has_one(self) -> "Content":
        if [self.text, self.base64, self.file].count(None) != 2:
            raise ValueError("must have one of text, base64 and file")
        return self

    async def part(self, field: str = "content") -> Part:
        """It, read; `field` is the argument that an error names.

        Raises:
            Invalid: it is no base64, or too large.
            WandError: the file cannot be had.
        """
        name = self.name or (self.file or "").rpartition("/")[2]
        data = await self._data(field)
        if len(data) > workspace.MOST_BYTES:
            raise Invalid(f"must have at most {workspace.MOST_BYTES // 1024 // 1024} MiB", field=field)
        return Part(
            data=data, name=name, media_type=self.media_type or _guessed(name, is_text=self.text is not None)
        )

    async def _data(self, field: str) -> bytes:
        if self.text is not None:
            return self.text.encode("utf-8", "surrogatepass")
        if self.file is not None:
            return await workspace.current().read(self.file, f"{field}.file")
        try:
            return base64.b64decode("".join((self.base64 or "").split()), validate=True)
        except (binascii.Error, ValueError) as why:
            raise Invalid("is no base64", field=f"{field}.base64") from why


def _guessed(name: str, *, is_text: bool) -> str:
    known, packed = _TYPES.guess_type(name)
    usual = "text/plain; charset=utf-8" if is_text else _UNKNOWN
    return usual if known is None or packed else known


async def parts_of(arguments: BaseModel) -> Mapping[str, Part]:
    """Those arguments that are content, read."""
    given = ((name, getattr(arguments, name)) for name in type(arguments).model_fields)
    return {name: await value.part(name) for name, value in given if isinstance(value, Content)}


class Download(Resource):
    """What a service gave: as text where it is text, else as base64; or where it was kept."""

    media_type: str = ""
    size: int = 0  # bytes
    name: str | None = None
    text: str | None = None
    base64: str | None = None
    file: str | None = None  # in the workspace


SaveAs = Annotated[
    str | None, Field(description="path in the workspace: keep it there, instead of giving it back")
]


async def downloaded(answered: Answered, save_as: str | None = None) -> dict[str, Any]:
    """An answer as a Download.

    Raises:
        Denied: it is to be kept in the workspace, and the call may change nothing.
        WandError: it cannot be kept there.
    """
    kind = answered.headers.get("content-type", "") or _UNKNOWN
    about: dict[str, Any] = {"media_type": kind, "size": len(answered.raw), "name": _name(answered)}
    if save_as is not None:
        return {**about, "file": await workspace.current().write(save_as, answered.raw, SAVE_AS)}
    text = _as_text(answered.raw, kind)
    return {**about, "text": text} if text is not None else {**about, "base64": _encoded(answered.raw)}


async def kept(raw: bytes, media_type: str, save_as: str | None = None) -> Download:
    """A file that came in another way as a Download; raises as `downloaded`."""
    answered = Answered(status=200, headers={"content-type": media_type}, body=None, raw=raw)
    return Download(**await downloaded(answered, save_as))


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _as_text(raw: bytes, kind: str) -> str | None:
    """Text where it says so, or where it can be nothing else."""
    try:
        text = raw.decode(charset(kind))
    except (UnicodeDecodeError, LookupError):
        return raw.decode("utf-8", "replace") if kind.startswith(_TEXTUAL) else None
    return None if "\0" in text and not kind.startswith("text/") else text


def _name(answered: Answered) -> str | None:
    """The file's name in Content-Disposition (RFC 6266), without a folder."""
    header = answered.headers.get("content-disposition", "")
    if not header:
        return None
    message = EmailMessage()
    try:
        message["Content-Disposition"] = header
        name = message.get_filename()
    except (ValueError, LookupError):
        return None
    return name.replace("\\", "/").rpartition("/")[2] or None if name else None
