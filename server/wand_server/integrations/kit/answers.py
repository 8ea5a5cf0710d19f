"""What operations give back: of an answer the parts that are declared, so that results stay small."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field

AnyItem = TypeVar("AnyItem")


class Resource(BaseModel):
    """A thing of the service; what it says beyond the declared fields is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Page(Resource, Generic[AnyItem]):
    """Some of many things; `next_cursor` asks for those that follow, and is absent after the last."""

    items: tuple[AnyItem, ...]
    next_cursor: str | None = None


def at(place: str) -> Any:
    """Beside a member's type: where in the answer it stands, with dots, if not under its own name."""
    return Field(validation_alias=AliasPath(*place.split(".")))


def _several(value: Any) -> Any:
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


Several = Annotated[list[AnyItem], BeforeValidator(_several)]
"""A list, in answers of XML, where one of many looks like one alone."""
