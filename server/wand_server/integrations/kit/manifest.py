"""What a service is, read from the TOML beside its module: no code of it is loaded for that."""

import tomllib
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Any, Literal

from pydantic import Field, ValidationError

from wand_proto.errors import Broken
from wand_server.kinds import Frozen

Category = Literal["ai", "business", "chat", "data", "devops", "identity", "storage"]
Checked = Literal["server", "document", "contract"]


class Tests(Frozen):
    """Against what foreign thing its operations are tried.

    `server` is a real one, `document` what the vendor has written down, `contract` what we wrote ourselves
    because there is neither. Where a document says nothing of answers, those that a test reads are ours.
    """

    against: Checked
    what: str = Field(min_length=1)  # its package, the file of the document, where the contract is from
    server: str = ""  # a real one against which it is tried as well: its package
    answers: Literal["document", "ours"] = "document"  # whose they are
    prefix: str = ""  # of every path, where the document leaves out what sign-in puts there
    settings: Mapping[str, str] = Field(default_factory=dict)  # for the tests; {url} stands for the server's
    tokens: str = ""  # the path where sign-in asks for a token, which the document does not know
    given: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)  # arguments, by operation
    without: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)  # those that the document lacks
    elsewhere: Mapping[str, str] = Field(default_factory=dict)  # operations that a server is for, and which
    excused: Mapping[str, str] = Field(default_factory=dict)  # operations that are not tried there, and why


class Manifest(Frozen):
    """One service."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{1,31}$")
    name: str = Field(min_length=1)
    category: Category
    summary: str = Field(min_length=1, max_length=120)
    docs: str = Field(pattern=r"^https://")
    api_version: str = Field(min_length=1)
    sign_in: str = Field(min_length=1)  # how one signs in there, and where the secret comes from
    scopes: tuple[str, ...] = ()  # the least that its operations need, as the vendor calls them
    limits: str = ""  # what the vendor says of how often one may ask
    keywords: tuple[str, ...] = ()  # words that people use for what it does
    also: tuple[str, ...] = ()  # what people call it beside its name and its id
    words: Mapping[str, str] = Field(default_factory=dict)  # what people say who want an operation
    extra: str = ""  # the optional dependency of `wand-server` that it needs
    tests: Tests


def read(file: Traversable) -> Manifest:
    """The manifest in a file; its id is the file's name.

    Raises:
        Broken: it cannot be read; the message says which, and why.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        return Manifest.model_validate({"id": file.name.removesuffix(".toml"), **table})
    except (OSError, ValueError, ValidationError) as why:
        raise Broken(f"the manifest {file.name} cannot be read: {why}") from why
