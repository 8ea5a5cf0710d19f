"""The settings of the model that works towards goals."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from wand_server.kinds import Frozen

Price = Annotated[float, Field(ge=0)] | None
Most = Annotated[int, Field(ge=1)]


def _address(untrusted: str) -> str:
    parts = urlsplit(untrusted)
    if untrusted and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.query):
        raise ValueError("must be like https://models.example or http://127.0.0.1:11434")
    return untrusted


class Model(Frozen):
    """The model that agents ask, and what a goal may use; without a provider, goals are refused."""

    provider: Literal["", "anthropic", "openai", "ollama"] = ""  # openai: whoever offers chat completions
    name: str = ""
    address: Annotated[str, AfterValidator(_address)] = ""  # else the provider's own
    key: str = ""  # where it is: env:NAME, file:/PATH or cred:NAME
    ca: Path | None = None  # certificates that are believed there, in place of the system's
    output_tokens: Annotated[int, Field(ge=256, le=1_000_000)] = 8192  # of one answer
    context_tokens: Annotated[int, Field(ge=2048, le=10_000_000)] | None = None  # that it can read
    input_price: Price = None  # dollars for a million tokens
    output_price: Price = None
    cache_read_price: Price = None  # else as those that are read
    cache_write_price: Price = None
    turns: Most = 50  # the most that any goal may use
    tokens: Most | None = None
    cost_usd: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> "Model":
        if not self.provider:
            return self
        if not self.name:
            raise ValueError("name must say which model it is")
        if not self.key and self.provider != "ollama" and not self.address:
            raise ValueError("key must say where the key is, as cred:NAME")
        if self.key and _is_overheard(self.address):
            raise ValueError("address must begin with https, or the key would go there for all to read")
        if (self.input_price is None) is not (self.output_price is None):
            raise ValueError("input_price and output_price go together")
        if self.cost_usd is not None and self.output_price is None and self.provider != "ollama":
            raise ValueError("cost_usd needs input_price and output_price")
        return self


def _is_overheard(address: str) -> bool:
    """Whether what goes there crosses a network as it is."""
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname == "localhost":
        return False
    try:
        return not ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True
