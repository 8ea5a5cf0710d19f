"""The index: what can be found and set, of every service, without loading it. Made by `./dev index`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from wand_server.integrations.kit.base import BaseIntegration
from wand_server.integrations.kit.secrets import secret_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One operation."""

    summary: str
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of an instance."""

    required: bool = False
    secret: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One service."""

    module: str
    class_name: str
    settings: Mapping[str, Setting]
    operations: Mapping[str, Entry]
    reads_unless_said: bool = False  # what changes something is offered only with read_only = false


def known(kind: type[BaseIntegration]) -> Known:
    """What the index says of a class."""
    secrets = secret_names(kind.Config)
    return Known(
        module=kind.__module__,
        class_name=kind.__qualname__,
        settings={
            name: Setting(
                required=field.is_required(), secret=name in secrets, description=field.description or ""
            )
            for name, field in kind.Config.model_fields.items()
        },
        operations={
            name: Entry(
                summary=each.summary,
                read_only=each.plan.marks.read_only,
                destructive=each.plan.marks.destructive,
                idempotent=each.plan.marks.idempotent,
            )
            for name, each in kind.operations.items()
        },
        reads_unless_said=_reads_unless_said(kind),
    )


def _reads_unless_said(kind: type[BaseIntegration]) -> bool:
    field = kind.Config.model_fields.get("read_only")
    return field is not None and field.default is True


def read(table: Mapping[str, Any]) -> Mapping[str, Known]:
    """An index that was written."""
    return {
        service: Known(
            module=one["module"],
            class_name=one["class_name"],
            settings={name: Setting(**about) for name, about in one["settings"].items()},
            operations={name: Entry(**about) for name, about in one["operations"].items()},
            reads_unless_said=one.get("reads_unless_said", False),
        )
        for service, one in table.items()
    }


def written(modules: Mapping[str, str]) -> str:
    """The index of the services in those modules, as text."""
    table = {service: _said(asdict(known(_class_in(name)))) for service, name in sorted(modules.items())}
    return json.dumps(table, indent=1, ensure_ascii=False) + "\n"


def _said(value: Any) -> Any:
    """What is not as usual."""
    if not isinstance(value, dict):
        return value
    return {name: _said(inner) for name, inner in value.items() if inner not in (False, "")}


def _class_in(module: str) -> type[BaseIntegration]:
    """The one integration that a module defines."""
    names = vars(import_module(module)).values()
    (kind,) = (
        each
        for each in names
        if isinstance(each, type) and issubclass(each, BaseIntegration) and each.__module__ == module
    )
    return kind


def write(modules: Mapping[str, str]) -> Path:
    """Write the index of Wand's own services anew; where it is."""
    path = Path(__file__).with_name("index.json")
    path.write_text(written(modules), encoding="utf-8")
    return path
