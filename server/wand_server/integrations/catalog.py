"""All the services there are: what is known of them is read from files, their code loads when it is used."""

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module, metadata, resources
from importlib.resources.abc import Traversable

from wand_proto.errors import Broken, NotFound
from wand_server.integrations import index
from wand_server.integrations.index import Entry, Known
from wand_server.integrations.kit import manifest
from wand_server.integrations.kit.base import BaseIntegration
from wand_server.integrations.kit.manifest import Manifest

GROUP = "wand_server.integrations"
"""The group of entry points by which packages beside Wand add services; the name is the service's id."""

_FOLDERS = ("ai", "business", "chat", "data", "devops", "identity", "storage")


class Catalog:
    """Those of Wand, and those that other packages bring."""

    @cached_property
    def manifests(self) -> Mapping[str, Manifest]:
        """Every service of Wand's own, by id, in order."""
        found = {one.name.removesuffix(".toml"): manifest.read(one) for _, one in _files()}
        return dict(sorted(found.items()))

    @cached_property
    def known(self) -> Mapping[str, Known]:
        """What the index tells of each: its settings and its operations."""
        text = resources.files(__package__).joinpath("index.json").read_text(encoding="utf-8")
        return index.read(json.loads(text))

    @property
    def added(self) -> tuple[str, ...]:
        """The ids of services that other packages bring."""
        return tuple(sorted(set(_entry_points()) - set(self.known)))

    def check(self, service: str, field: str) -> None:
        """Let the id of a service pass that there is.

        Raises:
            NotFound: there is none; the hint names the nearest.
        """
        ids = (*self.known, *self.added)
        if service not in ids:
            near = difflib.get_close_matches(service, ids, n=1, cutoff=0.5)
            hint = (
                f"did you mean {near[0]}?" if near else "wand-server integrations list tells which there are"
            )
            raise NotFound(f"there is no service {service!r:.80}", hint=hint, field=field)

    def load(self, service: str) -> type[BaseIntegration]:
        """The class of a service.

        Raises:
            NotFound: there is none of that id.
            Broken: it cannot be loaded.
        """
        self.check(service, "service")
        known = self.known.get(service)
        try:
            if known is None:
                kind = _entry_points()[service].load()
            else:
                kind = getattr(import_module(known.module), known.class_name)
        except Exception as why:
            raise Broken(f"the service {service} cannot be loaded: {type(why).__name__}: {why}") from why
        if not (isinstance(kind, type) and issubclass(kind, BaseIntegration)):
            raise Broken(f"the service {service} is no BaseIntegration")
        return kind

    def entry(self, service: str) -> Known:
        """What is known of a service; one that another package brings is loaded for that."""
        return self.known.get(service) or index.known(self.load(service))

    def entries(self) -> tuple[Entry, ...]:
        """Every operation of Wand's own services."""
        return tuple(entry for known in self.known.values() for entry in known.operations.values())


def _files() -> Iterator[tuple[str, Traversable]]:
    """The folder and the manifest of each service."""
    home = resources.files(__package__)
    for folder in _FOLDERS:
        for file in home.joinpath(folder).iterdir() if home.joinpath(folder).is_dir() else ():
            if file.name.endswith(".toml"):
                yield folder, file


def module_names() -> Mapping[str, str]:
    """The module of each service of Wand's own, by its id."""
    return {
        file.name.removesuffix(".toml"): f"{__package__}.{folder}.{file.name.removesuffix('.toml')}"
        for folder, file in _files()
    }


def _entry_points() -> Mapping[str, metadata.EntryPoint]:
    return {each.name: each for each in metadata.entry_points(group=GROUP)}
