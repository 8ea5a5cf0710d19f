"""The model that works towards goals, as the settings want it, and what a goal may use."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from wand_proto.errors import Invalid
from wand_server.integrations.kit.secrets import Sources, Strike
from wand_server.orchestrator.work.around import Budget
from wand_server.orchestrator.work.models import anthropic
from wand_server.orchestrator.work.models.anthropic import Anthropic
from wand_server.orchestrator.work.models.chat import Chat
from wand_server.orchestrator.work.models.ollama import Ollama
from wand_server.orchestrator.work.models.port import Mind, Model, Prices
from wand_server.orchestrator.work.models.wire import Address, Wire
from wand_server.settings import Settings
from wand_server.settings.mind import Model as Given


@dataclass(frozen=True, slots=True, kw_only=True)
class _Provider:
    address: str
    context_tokens: int


_PROVIDERS: Mapping[str, _Provider] = {
    "anthropic": _Provider(address="https://api.anthropic.com", context_tokens=200_000),
    "openai": _Provider(address="https://api.openai.com/v1", context_tokens=128_000),
    "ollama": _Provider(address="http://localhost:11434", context_tokens=32_768),
}


@asynccontextmanager
async def opened(read: Settings) -> AsyncIterator[Model | None]:
    """The model, while entered; None where the settings name none.

    Raises:
        NotFound, Invalid: the key, or the certificates, are not where the settings say.
    """
    given = read.model
    if not given.provider:
        yield None
        return
    model = _model(given)
    try:
        yield model
    finally:
        await model.close()


async def summary(read: Settings) -> str:
    """What the settings come to, in words; raises as `opened` does."""
    async with opened(read) as model:
        prices = "with prices" if model and model.mind.prices else "without prices"
        key = "its key is there" if read.model.key else "without a key"
        return f"good, {key}, {prices}; it is not asked"


def budget(read: Settings) -> Budget:
    """The most that any goal may use."""
    return Budget(turns=read.model.turns, tokens=read.model.tokens, cost_usd=read.model.cost_usd)


def _model(given: Given) -> Model:
    provider = _PROVIDERS[given.provider]
    mind = Mind(
        name=given.name,
        most_output_tokens=given.output_tokens,
        context_tokens=given.context_tokens or provider.context_tokens,
        prices=_prices(given),
    )
    key = Sources().read(given.key, "model.key") if given.key else ""
    url = given.address or provider.address
    address = Address(
        url=url,
        hosts=(urlsplit(url).hostname or "",),  # which an administrator has named
        headers=_headers(given.provider, key),
        tls=_trust(given),
    )
    wire = Wire(address, Strike([key] if key else []).out_of)
    match given.provider:
        case "anthropic":
            return Anthropic(mind, wire)
        case "ollama":
            return Ollama(mind, wire)
    return Chat(mind, wire, length_as="max_tokens" if given.address else "max_completion_tokens")


def _headers(provider: str, key: str) -> Mapping[str, str]:
    if provider == "anthropic":
        return {**anthropic.HEADERS, **({"x-api-key": key} if key else {})}
    return {"Authorization": f"Bearer {key}"} if key else {}


def _trust(given: Given) -> ssl.SSLContext | None:
    if given.ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(given.ca))
    except (OSError, ssl.SSLError) as why:
        raise Invalid(f"{given.ca} cannot be read as certificates", field="model.ca") from why


def _prices(given: Given) -> Prices | None:
    """What tokens cost; on a machine of one's own, nothing."""
    if given.input_price is None or given.output_price is None:
        return Prices() if given.provider == "ollama" else None

    def of_cache(said: float | None) -> float:
        return (given.input_price or 0.0) if said is None else said

    return Prices(
        input=given.input_price,
        output=given.output_price,
        cache_read=of_cache(given.cache_read_price),
        cache_write=of_cache(given.cache_write_price),
    )
