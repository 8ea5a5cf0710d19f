"""All the services there are: what is known of them is read from files, their code loads when it is used."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module, resources
from importlib.resources.abc import Traversable

from wand_proto.errors import Invalid, NotFound
from wand_server import arguments
from wand_server.integrations import index
from wand_server.integrations.index import Known
from wand_server.integrations.kit import manifest
from wand_server.integrations.kit.base import BaseIntegration
from wand_server.integrations.kit.manifest import Manifest
from wand_server.packages import Kind, origin

_ADDED = Kind(group="wand_server.integrations", word="service", setting="integrations")  # by the service's id
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

    def check(self, service: str, field: str) -> None:
        """Let the id of a service pass that there is.

        Raises:
            NotFound: there is none; the hint names the nearest.
        """
        if service in self.known:
            return
        ids = (*self.known, *_ADDED.names)
        if service not in ids:
            hint = arguments.nearest(service, ids) or "wand-server integrations list tells which there are"
            raise NotFound(f"there is no service {service!r:.80}", hint=hint, field=field)

    def load(self, service: str) -> type[BaseIntegration]:
        """The class of a service.

        Raises:
            NotFound: there is none of that id.
            Conflict, Invalid: packages bring it twice, or it does not load, or is none.
        """
        self.check(service, "service")
        known = self.known.get(service)
        if known is not None:
            own: type[BaseIntegration] = getattr(import_module(known.module), known.class_name)
            return own
        (point,) = _ADDED.found((service,))
        kind = _ADDED.loaded(point)
        if not (isinstance(kind, type) and issubclass(kind, BaseIntegration)):
            said = f"{point.value} of {origin(point)} is no BaseIntegration"
            raise Invalid(said, field=_ADDED.setting, hint="mend the package, or take the service out")
        return kind

    def entry(self, service: str) -> Known:
        """What is known of a service; one that another package brings is loaded for that."""
        return self.known.get(service) or index.known(self.load(service))


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
