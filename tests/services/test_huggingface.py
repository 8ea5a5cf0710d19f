"""Hugging Face's operations against a Hub of ours, which the vendor's own client understands."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from support import hub
from support.servers import PROGRAMS
from wand_proto.errors import Conflict, Denied, Invalid, NotFound, WandError
from wand_server.integrations.ai.huggingface import HuggingFace

ITS_CLIENT = """
import json, sys
from huggingface_hub import HfApi, InferenceClient, hf_hub_download
api = HfApi()
models = list(api.list_models(search="model", limit=2))
files = [each.path for each in api.list_repo_tree("acme/model-0", recursive=True)]
text = open(hf_hub_download("acme/model-0", "config.json")).read()
url = str(api.create_repo("made-by-its-client", private=True, repo_type="dataset"))
print(json.dumps({
    "who": api.whoami()["name"], "models": [one.id for one in models],
    "info": api.model_info("acme/model-0").downloads, "files": files, "text": text, "url": url,
}))
"""


def config(url: str, token: str = hub.TOKEN) -> HuggingFace.Config:
    return HuggingFace.Config(base_url=url, inference_url=url, token=SecretStr(token))


@pytest.fixture
async def served() -> AsyncIterator[tuple[hub.Hub, HuggingFace]]:
    async with hub.serving() as there:
        service = HuggingFace(config(there.url))
        await service.initialize()
        yield there, service
        await service.cleanup()


Served = tuple[hub.Hub, HuggingFace]


@pytest.mark.skipif(not (PROGRAMS / "hf").exists(), reason="its client is not installed: ./dev services")
async def test_its_own_client_reads_the_same_there(served: Served, tmp_path: Path) -> None:
    there, service = served
    more = {
        "HF_ENDPOINT": there.url,
        "HF_TOKEN": hub.TOKEN,
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_XET": "1",
    }
    client = await asyncio.create_subprocess_exec(
        PROGRAMS / "python", "-c", ITS_CLIENT, env={**os.environ, **more}, stdout=asyncio.subprocess.PIPE
    )
    told = json.loads((await client.communicate())[0])
    page = await service.execute("search_models", {"search": "model", "limit": 2})
    tree = await service.execute("list_repo_files", {"repo_id": "acme/model-0"})
    file = await service.execute("download_file", {"repo_id": "acme/model-0", "path": "config.json"})
    assert told == {
        "who": (await service.execute("whoami", {}))["name"],
        "models": [one["id"] for one in page["items"]],
        "info": (await service.execute("get_model", {"repo_id": "acme/model-0"}))["downloads"],
        "files": [one["path"] for one in tree["items"]],
        "text": file["text"],
        "url": f"{there.url}/datasets/ann/made-by-its-client",
    }
    await service.execute("create_repo", {"name": "made-by-us", "kind": "dataset"})
    by_it, by_us = there.created
    assert {**by_us, "organization": None, "name": by_it["name"]} == by_it


@pytest.mark.parametrize("what", ["models", "datasets", "spaces"])
async def test_a_search_goes_on(served: Served, what: str) -> None:
    _, service = served
    asked = {"search": "model", "author": "acme", "tag": "license:mit", "sort": "downloads", "limit": 2}
    page = await service.execute(f"search_{what}", asked)
    assert [one["id"] for one in page["items"]] == ["acme/model-0", "acme/model-1"]
    rest = await service.execute(f"search_{what}", {**asked, "cursor": page["next_cursor"]})
    assert [one["id"] for one in rest["items"]] == ["acme/model-2"]
    assert "next_cursor" not in rest


async def test_a_model_answers_and_makes_vectors(served: Served) -> None:
    _, service = served
    asked = {
        "model": "acme/model-0:cheapest",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 9,
    }
    answer = await service.execute("run_inference", asked)
    assert answer["choices"][0]["message"]["content"] == "You said: Hi"
    vectors = await service.execute("create_embeddings", {"model": "acme/model-0", "texts": ["a", "bcd"]})
    assert vectors == [[1.0, 0.5], [3.0, 0.5]]


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        (("get_model", {"repo_id": "acme/none"}), NotFound, "Repository not found"),
        (("get_dataset", {"repo_id": "../models"}), Invalid, "cannot be a part of a path"),
        (("download_file", {"repo_id": "acme/model-0", "path": "none"}), NotFound, "Entry not found"),
        (("list_repo_files", {"repo_id": "acme/model-0", "revision": "no"}), NotFound, "Invalid rev"),
        (("create_repo", {"name": "x", "kind": "space"}), Invalid, "sdk is required"),
        (("create_repo", {"name": "a/b"}), Invalid, "name"),
    ],
)
async def test_what_is_refused_is_told(
    served: Served, asked: tuple[str, dict[str, Any]], kind: type[WandError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        await served[1].execute(*asked)


async def test_a_name_that_is_taken_is_told(served: Served) -> None:
    await served[1].execute("create_repo", {"name": "twice"})
    with pytest.raises(Conflict, match="already created"):
        await served[1].execute("create_repo", {"name": "twice"})


async def test_a_wrong_token_is_told_and_not_repeated(served: Served) -> None:
    service = HuggingFace(config(served[0].url, "hf_wrong_token"))
    try:
        with pytest.raises(Denied, match="Invalid credentials") as caught:
            await service.execute("whoami", {})
        assert "hf_wrong_token" not in str(caught.value)
    finally:
        await service.cleanup()
