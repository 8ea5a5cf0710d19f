"""The settings of the server: one frozen model, read from TOML files and from WAND_* variables.

An empty file is a good file, and the files of the folder `server.d` beside it stand over it.
`WAND_HTTP__PORT=8002` stands over `port` in the table `[http]`; a list is written with commas. Relative paths
begin at the file's folder.
"""

import difflib
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wand_proto import layers
from wand_proto.errors import Invalid, NotFound
from wand_proto.layers import Layers
from wand_server.kinds import Frozen
from wand_server.settings.agents import Agents
from wand_server.settings.problems import words
from wand_server.settings.signin import Client, Issuer, OAuth, Tls
from wand_server.settings.tables import Http, Settings, Stdio, Transports

__all__ = [
    "DEFAULT_PATH", "Agents", "Client", "Http", "Issuer", "OAuth", "Settings", "Stdio", "Tls", "Transports",
    "load", "names", "option", "place_of", "set_by",
]  # fmt: skip
DEFAULT_PATH = Path("/etc/wand/server.toml")
_PREFIX = "WAND_"
_SAID = "what an administrator set"
_NOT_OURS = frozenset({"WAND_SOCKET"})  # of the pipe, `wand-server stdio`


def option(path: Path) -> str:
    """What a command line needs at its end to be about the settings in that file."""
    return "" if path == DEFAULT_PATH else f" --settings {shlex.quote(str(path))}"


Place = tuple[str, str]  # the table and the key of a setting


@dataclass(frozen=True, slots=True)
class _Source:
    """The files, and what stands over them."""

    files: Layers
    over: Mapping[Place, str]  # values as text
    names: Mapping[Place, str]  # who said so

    def of(self, place: list[str]) -> str:
        """Where the value of that key comes from, in words."""
        pair = (place[0], place[1]) if len(place) > 1 else ("", "")
        if pair in self.names:
            return self.names[pair]
        return self.files.where(place)


def load(path: Path, environment: Mapping[str, str], said: Mapping[str, str] | None = None) -> Settings:
    """The settings in a file and the folder beside it, the variables over them, and over those what was said.

    `said` is what an administrator said: dotted names, and values as in a variable.

    Raises:
        NotFound, Denied: the file is not there, or somebody else could have written one of them.
        Invalid: a key is unknown or wrong; the message names it, where it stands, and what would be right.
    """
    try:
        files = layers.read(path, owners={0, os.geteuid()})
    except NotFound as error:
        raise NotFound(
            error.message, hint="--settings FILE names another; an empty file is good too"
        ) from error
    source, table = _source(files, environment, said or {}), files.table()
    for (section, key), value in source.over.items():
        inside = table.setdefault(section, {})
        if isinstance(inside, dict):
            inside[key] = value
    try:
        read = Settings.model_validate(table)
    except ValidationError as error:
        raise _explained(error.errors(include_url=False), source) from error
    return _anchored(read, path.absolute().parent)


def _source(files: Layers, environment: Mapping[str, str], said: Mapping[str, str]) -> _Source:
    variables = dict(_variables(environment))
    spoken = {place_of(name): value for name, value in said.items()}
    names = {place: _variable_name(*place) for place in variables}
    names |= dict.fromkeys(spoken, _SAID)
    return _Source(files, variables | spoken, names)


def names() -> tuple[str, ...]:
    """The dotted name of every setting."""
    sections = Settings.model_fields.items()
    return tuple(f"{section}.{key}" for section, about in sections for key in _keys(about.annotation))


def place_of(name: str) -> Place:
    """Where the setting of a dotted name stands.

    Raises:
        Invalid: there is none of that name.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(names())}"
        raise Invalid("is not a setting", field=name, hint=hint)
    section, _, key = name.partition(".")
    return section, key


def set_by(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Which settings a variable stands over, by their dotted names."""
    return {f"{section}.{key}": _variable_name(section, key) for (section, key), _ in _variables(environment)}


def _variables(environment: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], str]]:
    known = {
        _variable_name(section, key): (section, key)
        for section, field in Settings.model_fields.items()
        for key in _keys(field.annotation)
    }
    for name, value in environment.items():
        if not name.startswith(_PREFIX) or name in _NOT_OURS:
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
            raise Invalid("is a variable that names no setting", field=name, hint=hint)
        yield known[name], value


def _keys(section: Any) -> list[str]:
    return list(section.model_fields)


def _variable_name(section: str, key: str) -> str:
    return f"{_PREFIX}{section.upper()}__{key.upper()}"


def _explained(problems: list[ErrorDetails], source: _Source) -> Invalid:
    lines = [_problem(problem, source) for problem in problems]
    hint = f"see {source.files.paths[0]} and the {_PREFIX}* variables"
    if all(source.of([str(part) for part in one["loc"]]) == _SAID for one in problems):
        hint = "nothing has changed; wand-server config show tells what holds"
    return Invalid("; ".join(lines), field="", hint=hint)


def _problem(problem: ErrorDetails, source: _Source) -> str:
    place = [str(part) for part in problem["loc"]]
    dotted = ".".join(place)
    if problem["type"] == "extra_forbidden":
        return f"{dotted}: is not a setting, in {source.of(place)}; {_near(place)}"
    if place[:2] in (
        ["transports", "options"],
        ["integrations", "instances"],
    ):  # of somebody else's: it may hold a secret
        return f"{dotted}: {words(problem)}, in {source.of(place)}"
    return f"{dotted}: {words(problem)}, not {problem['input']!r:.80}, in {source.of(place)}"


def _near(place: list[str]) -> str:
    section = Settings.model_fields.get(place[0]) if len(place) > 1 else None
    known = _keys(section.annotation) if section else list(Settings.model_fields)
    near = difflib.get_close_matches(place[-1], known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"


def _anchored(read: Settings, folder: Path) -> Settings:
    """The same, with relative paths taken from the file's folder."""
    agent = read.hostagent
    address = agent.address
    if address.startswith("unix:"):
        address = f"unix:{folder / address.removeprefix('unix:')}"
    paths = {"ca": folder / agent.ca, "certificate": folder / agent.certificate, "key": folder / agent.key}
    control = read.control.socket
    return read.model_copy(
        update={
            "control": read.control.model_copy(update={"socket": folder / control if control else None}),
            "http": read.http.model_copy(update={"keys_file": folder / read.http.keys_file}),
            "stdio": read.stdio.model_copy(update={"socket": folder / read.stdio.socket}),
            "issuer": read.issuer.model_copy(update={"folder": folder / read.issuer.folder}),
            "tls": read.tls.model_copy(update=_beside(folder, read.tls)),
            "integrations": read.integrations.model_copy(update=_beside(folder, read.integrations)),
            "state": read.state.model_copy(update=_beside(folder, read.state)),
            "artifacts": read.artifacts.model_copy(update=_beside(folder, read.artifacts)),
            "model": read.model.model_copy(update=_beside(folder, read.model)),
            "memory": read.memory.model_copy(update=_beside(folder, read.memory)),
            "oauth": read.oauth.model_copy(update=_beside(folder, read.oauth)),
            "hostagent": agent.model_copy(update={"address": address, **paths}),
        }
    )


def _beside(folder: Path, table: Frozen) -> dict[str, Path]:
    """The optional paths of a table, taken from that folder."""
    return {name: folder / value for name, value in table if isinstance(value, Path)}
