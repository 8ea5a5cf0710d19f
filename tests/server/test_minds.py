"""The model that the settings want."""

from pathlib import Path
from typing import Any

import pytest

from support.modelserver import says, serving
from wand_proto.errors import Invalid, NotFound
from wand_server import minds, settings
from wand_server.orchestrator.work.models.port import Asked, Mind, Prices, Turn
from wand_server.settings import Settings

FORMS = {"anthropic": "anthropic", "openai": "chat", "ollama": "ollama"}
ASKED = Asked(
    system="You are.",
    turns=[Turn(role="user", content=[{"type": "text", "text": "Hi"}])],
    tools=[],
    most_tokens=300,
)


def read(folder: Path, **model: Any) -> Settings:
    file = folder / "server.toml"
    lines = [
        f"{name} = {value if isinstance(value, int | float) else repr(value)}"
        for name, value in model.items()
    ]
    file.write_text("\n".join(["[model]", *lines]))
    return settings.load(file, {})


async def hear(_piece: str) -> None:
    """Nobody listens."""


@pytest.mark.parametrize("provider", FORMS)
async def test_each_provider_is_asked_in_its_own_form_with_the_key(tmp_path: Path, provider: str) -> None:
    key = tmp_path / "key"
    key.write_text("sk-0123456789\n")
    async with serving(FORMS[provider], says("Hello.")) as server:
        told = read(tmp_path, provider=provider, name="m", address=server.url, key=f"file:{key}")
        async with minds.opened(told) as model:
            assert model is not None
            answered = await model.answer(ASKED, hear)
    assert answered.content == [{"type": "text", "text": "Hello."}]
    assert "sk-0123456789" in (
        server.headers[0].get("x-api-key"),
        server.headers[0].get("authorization", "")[7:],
    )


async def test_without_a_provider_there_is_no_model(tmp_path: Path) -> None:
    async with minds.opened(read(tmp_path)) as model:
        assert model is None
    assert minds.budget(read(tmp_path)).turns == 50


async def test_prices_and_bounds_are_those_of_the_settings(tmp_path: Path) -> None:
    told = read(
        tmp_path, provider="ollama", name="m", input_price=1, output_price=2, cache_read_price=0.5,
        tokens=1000, output_tokens=512,
    )  # fmt: skip
    async with minds.opened(told) as model:
        assert model is not None
        prices = Prices(input=1, output=2, cache_read=0.5, cache_write=1)
        assert model.mind == Mind(name="m", most_output_tokens=512, context_tokens=32_768, prices=prices)
    assert minds.budget(told).tokens == 1000


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"provider": "claude"}, "anthropic"),
        ({"provider": "anthropic", "key": "env:K"}, "name must say"),
        ({"provider": "anthropic", "name": "m"}, "key must say"),
        ({"provider": "openai", "name": "m", "key": "env:K", "address": "http://models.lan/v1"}, "https"),
        ({"provider": "openai", "name": "m", "address": "models.lan"}, "must be like"),
        ({"provider": "anthropic", "name": "m", "key": "env:K", "input_price": 1}, "go together"),
        ({"provider": "anthropic", "name": "m", "key": "env:K", "cost_usd": 1}, "cost_usd needs"),
    ],
)
def test_what_cannot_be_is_said_at_the_start(tmp_path: Path, model: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as wrong:
        read(tmp_path, **model)
    assert said in str(wrong.value)


async def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    told = read(tmp_path, provider="anthropic", name="m", key="env:WAND_NO_SUCH_KEY")
    with pytest.raises(NotFound) as gone:
        async with minds.opened(told):
            pass
    assert gone.value.field == "model.key"


async def test_what_the_settings_come_to_is_said_without_the_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-0123456789")
    told = read(tmp_path, provider="anthropic", name="m", key=f"file:{tmp_path / 'key'}")
    assert await minds.summary(told) == "good, its key is there, without prices; it is not asked"


async def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    told = read(tmp_path, provider="ollama", name="m", ca="ca.pem")
    with pytest.raises(Invalid) as wrong:
        async with minds.opened(told):
            pass
    assert wrong.value.field == "model.ca"
