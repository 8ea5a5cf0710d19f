"""What is kept for a caller, through a whole Wand and the official client: notes, and what was too large."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from support.foreign import listening
from support.notes import mini_lm
from support.places import short_folder
from support.running import Running, embedded
from support.visits import client_of, run, text_of, use
from support.waiting import until

LARGE = {"operation": "git.grep_repo", "arguments": {"directory": "many", "pattern": "line", "limit": 1000}}


def started(folder: Path, settings: str) -> Any:
    """A Wand whose state lies in the folder."""
    (folder / "work").mkdir(exist_ok=True)
    (folder / "more.toml").write_text(settings)
    return embedded(folder / "work", folder / "state", "--settings", folder / "more.toml")


async def whole_of(wand: Running, uri: str) -> str:
    """All of an artifact, part after part, by read_file."""
    whole, offset = "", cast("int | None", 0)
    while offset is not None:
        read = (await use(wand, "read_file", path=uri, offset=offset)).structured_content
        whole, offset = whole + read["content"], read["next_offset"]
    return whole


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_result_that_is_too_large_is_read_on_by_its_link(mode: str) -> None:
    with short_folder() as folder, started(folder, "[integrations.git]\n") as wand:
        said = "a line that says little, and says it at some length, to be many"
        lines = f'for n in $(seq 900); do echo "$n: {said}"; done'
        made = await run(wand, f"git init -qb main many && cd many && ({lines}) > text && git add text")
        assert made["exit_code"] == 0, made
        async with client_of(wand, mode) as client:
            result = await client.call_tool("call_operation", LARGE)
            link: Any = result.content[-1]
            assert (link.type, link.mime_type) == ("resource_link", "application/json")
            read: Any = await client.read_resource(link.uri)
            listed: Any = await client.read_resource("wand://artifacts")
        whole = await whole_of(wand, str(link.uri))
    assert str(link.uri) in text_of(result)
    assert len(text_of(result)) < 20_000 < len(whole) == link.size
    assert whole.startswith(read.contents[0].text)
    assert [one["uri"] for one in json.loads(listed.contents[0].text)] == [str(link.uri)]
    assert len(json.loads(whole)) > 500


async def test_notes_outlive_the_server_and_are_trusted_as_they_deserve() -> None:
    model = mini_lm()
    settings = f'[memory]\nembeddings = "local"\nembeddings_folder = "{model}"\n' if model else ""
    with short_folder() as folder:
        with started(folder, settings) as wand:
            await use(wand, "remember", text="We deploy on Fridays, never before noon", source="person")
            printed = await run(wand, "echo the lucky number of the day is forty two")
            assert printed["exit_code"] == 0
            copied = await use(wand, "remember", text=printed["stdout"], source="person")
            assert "marked as untrusted" in text_of(copied)
        with started(folder, settings) as wand:
            question = "when may a release go out?" if model else "when do we deploy?"
            found = (await use(wand, "recall", query=question)).structured_content
            assert found["notes"][0]["text"].startswith("We deploy on Fridays")
            assert (found["notes"][0]["trusted"], found["by_meaning"]) == (True, bool(model))
            other = await use(wand, "recall", query="lucky number")
            assert "UNTRUSTED" in text_of(other)
            gone = await use(wand, "forget", id=found["notes"][0]["id"])
            assert not gone.is_error
            again = (await use(wand, "recall", query=question)).structured_content
            assert found["notes"][0] not in again["notes"]


async def test_what_operations_mean_is_learned_after_a_search_and_kept() -> None:
    texts: list[str] = []

    async def embed(request: web.Request) -> web.Response:
        """As Ollama answers."""
        asked = (await request.json())["input"]
        texts.extend(asked)
        return web.json_response({"embeddings": [[1, 0] for _ in asked]})

    async with listening(embed) as url:
        settings = f'[integrations.git]\n[memory]\nembeddings = "ollama"\nembeddings_url = "{url}"\n'
        with short_folder() as folder, started(folder, settings) as wand:
            state = folder / "state"
            assert not texts, "nobody has searched"
            found = await use(wand, "find_operations", query="commit what is staged")
            assert found.structured_content["operations"]
            await until(lambda: [one for one in state.rglob("meaning.json") if one.stat().st_size])
            (file,) = state.rglob("meaning.json")
            kept = json.loads(file.read_bytes())
    assert all(one.startswith("Git: ") for one in texts)
    assert (kept["model"], len(kept["vectors"])) == ("ollama:nomic-embed-text", len(set(texts)))
