"""OpenAI's and Anthropic's operations against a server that speaks like both, and repeats what it hears."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from support.places import free_port
from support.servers import PROGRAMS, running
from wand_server.integrations.ai.anthropic import Anthropic
from wand_server.integrations.ai.huggingface import HuggingFace
from wand_server.integrations.ai.openai import OpenAI
from wand_server.integrations.kit import Integration

SAID = [{"role": "user", "content": "Good morning"}]
KEY = SecretStr("sk-of-a-test")

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not (PROGRAMS / "llm-katan").exists(), reason="llm-katan is not installed: ./dev services"
    ),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    words = [str(PROGRAMS / "llm-katan"), "-m", "echo", "-b", "echo", "-h", "127.0.0.1", "-p", str(port)]
    with running(
        [*words, "--providers", "openai,anthropic"], f"{url}/health", tmp_path_factory.mktemp("llm")
    ):
        yield url


async def ask(service: Integration, name: str, given: dict[str, Any]) -> Any:
    try:
        await service.initialize()
        return await service.execute(name, given)
    finally:
        await service.cleanup()


async def test_gpt_answers(url: str) -> None:
    gpt = OpenAI(OpenAI.Config(base_url=f"{url}/v1", api_key=KEY))
    answer = await ask(gpt, "create_chat_completion", {"model": "echo", "messages": SAID})
    assert "Good morning" in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["total_tokens"] > 0


async def test_the_models_of_a_server_of_ones_own_are_listed(url: str) -> None:
    gpt = OpenAI(OpenAI.Config(base_url=f"{url}/v1", api_key=KEY))
    assert [one["id"] for one in await ask(gpt, "list_models", {})] == ["echo"]


async def test_claude_answers(url: str) -> None:
    claude = Anthropic(Anthropic.Config(base_url=url, api_key=KEY))
    answer = await ask(claude, "create_message", {"model": "echo", "messages": SAID})
    assert "Good morning" in answer["content"][0]["text"]
    assert (answer["stop_reason"], answer["usage"]["output_tokens"] > 0) == ("end_turn", True)


async def test_an_open_model_answers(url: str) -> None:
    hub = HuggingFace(HuggingFace.Config(base_url=url, inference_url=url, token=SecretStr("hf_of_a_test")))
    answer = await ask(hub, "run_inference", {"model": "echo", "messages": SAID})
    assert "Good morning" in answer["choices"][0]["message"]["content"]
