"""What is found by words and by meaning together, and that words alone do where meaning cannot be had."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from support.notes import Topics, mini_lm
from wand_proto.errors import Denied
from wand_server.memory import ranking
from wand_server.memory.embeddings.local import MiniLm
from wand_server.memory.meaning import ByMeaning
from wand_server.ports import Embeddings

TEXTS = {"pets.feed": "feed the cat", "cars.start": "start the engine", "ci.ship": "deploy a release"}
BY_WORDS = ["cars.start"]


async def settled(embeddings: Embeddings, file: Path, texts: Mapping[str, str] = TEXTS) -> ByMeaning:
    """One whose vectors are there."""
    meaning = ByMeaning(embeddings, file)
    meaning.take_up(texts)
    assert await meaning.joined("a kitten", BY_WORDS, texts) == BY_WORDS, "nobody waits for vectors"
    await meaning.settled()
    return meaning


@pytest.mark.parametrize(
    ("rankings", "weights", "best"),
    [
        ((["a", "b"], []), (1, 0.5), ["a", "b"]),
        (([], ["b", "a"]), (1, 0.5), ["b", "a"]),
        ((["a"], ["b"]), (1, 0.5), ["a", "b"]),  # the first of the words is worth more
        ((["a"], ["b"]), (0.5, 1), ["b", "a"]),
        ((["a", "b"], ["b"]), (1, 0.5), ["b", "a"]),  # 1/7 + 0.5/6 and 1/6
        ((["a", "b", "c", "d"], ["d", "b"]), (1, 0.5), ["b", "d", "a", "c"]),
    ],
)
def test_rankings_are_joined_by_what_each_is_worth(
    rankings: Sequence[Sequence[str]], weights: Sequence[float], best: Sequence[str]
) -> None:
    assert ranking.joined(rankings, 5, weights) == best


async def test_what_means_the_same_is_found_without_its_words(tmp_path: Path) -> None:
    meaning = await settled(Topics(), tmp_path / "meaning.json")
    assert await meaning.joined("a kitten", [], TEXTS) == ["pets.feed"]
    assert await meaning.joined("a kitten", BY_WORDS, TEXTS) == ["cars.start", "pets.feed"]
    assert await meaning.joined("a kitten", [], ["ci.ship"]) == [], "only those are meant that may be seen"


async def test_what_looks_like_a_secret_does_not_go_to_the_model(tmp_path: Path) -> None:
    topics = Topics()
    meaning = await settled(topics, tmp_path / "meaning.json")
    await meaning.joined("log in with password=hunter2hunter2", [], TEXTS)
    assert "log in" in topics.asked[-1]
    assert "hunter2" not in topics.asked[-1]


async def test_a_restart_reads_the_file_and_asks_for_one_vector_only(tmp_path: Path) -> None:
    file, topics = tmp_path / "new" / "meaning.json", Topics()
    await settled(topics, file)
    assert sorted(topics.asked) == sorted(TEXTS.values())
    assert file.stat().st_mode & 0o777 == 0o600
    topics.asked.clear()
    meaning = await settled(topics, file)
    assert topics.asked == ["feed the cat"]
    assert await meaning.joined("a kitten", [], TEXTS) == ["pets.feed"]


async def test_what_is_configured_later_gets_its_vector_then(tmp_path: Path) -> None:
    file, topics = tmp_path / "meaning.json", Topics()
    meaning = await settled(topics, file)
    topics.asked.clear()
    later = {"dogs.walk": "walk the dog", "ci.ship": TEXTS["ci.ship"], "ci:two.ship": TEXTS["ci.ship"]}
    meaning.take_up(later)
    assert await meaning.joined("a pet", BY_WORDS, later) == BY_WORDS
    await meaning.settled()
    assert topics.asked == ["walk the dog"]
    assert await meaning.joined("a pet", [], later) == ["dogs.walk"]
    assert set(await meaning.joined("our deploy", [], later)) == {"ci.ship", "ci:two.ship"}
    assert len(json.loads(file.read_bytes())["vectors"]) == 2, "what is gone is not kept"


class Other(Topics):
    """Has another name."""

    model = "others"


class Longer(Topics):
    """The same name, and longer vectors."""

    zeros: Sequence[float] = (0.0,)

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return [[*vector, *self.zeros] for vector in await super().embed(texts)]


@pytest.mark.parametrize("model", [Other, Longer])
async def test_vectors_of_another_model_are_made_anew(tmp_path: Path, model: type[Topics]) -> None:
    file, other = tmp_path / "meaning.json", model()
    await settled(Topics(), file)
    meaning = await settled(other, file)
    assert sorted(other.asked) == sorted(TEXTS.values())
    assert await meaning.joined("a kitten", [], TEXTS) == ["pets.feed"]
    assert json.loads(file.read_bytes())["model"] == other.model


async def test_a_model_that_is_another_one_meanwhile_is_noticed(tmp_path: Path) -> None:
    longer = Longer()
    longer.zeros = []
    meaning = await settled(longer, tmp_path / "meaning.json")
    longer.zeros = [0.0]
    longer.asked.clear()
    assert await meaning.joined("a kitten", BY_WORDS, TEXTS) == BY_WORDS
    assert await meaning.joined("a kitten", BY_WORDS, TEXTS) == BY_WORDS
    await meaning.settled()
    assert sorted(longer.asked) == sorted(["a kitten", *TEXTS.values()])
    assert await meaning.joined("a kitten", [], TEXTS) == ["pets.feed"]


async def test_vectors_of_several_lengths_are_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Mixed(Longer):
        """Longer from the second answer on."""

        async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
            self.zeros = [0.0] if self.asked else []
            return await super().embed(texts)

    meaning = await settled(Mixed(), tmp_path / "meaning.json")
    assert await meaning.joined("a kitten", BY_WORDS, TEXTS) == BY_WORDS
    assert "of several lengths" in caplog.records[0].why  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"model": "topics"}',
        b'{"model": "topics", "vectors": []}',
        b'{"model": "topics", "vectors": {"a": "?"}}',
        b'{"model": "topics", "vectors": {"a": 1}}',
    ],
)
async def test_a_file_that_is_broken_is_made_anew(tmp_path: Path, broken: bytes) -> None:
    file = tmp_path / "meaning.json"
    file.write_bytes(broken)
    file.chmod(0o600)
    meaning = await settled(Topics(), file)
    assert await meaning.joined("a kitten", [], TEXTS) == ["pets.feed"]
    assert len(json.loads(file.read_bytes())["vectors"]) == len(TEXTS)


async def test_a_file_that_others_may_read_is_not_used_and_that_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "meaning.json"
    file.touch()
    file.chmod(0o644)
    meaning = await settled(Topics(), file)
    assert await meaning.joined("a kitten", [], TEXTS) == []
    assert [one.kind for one in caplog.records] == [Denied.__name__]  # type: ignore[attr-defined]


async def test_a_model_that_fails_is_left_alone_for_a_while_and_that_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    topics, now = Topics(), [1000.0]
    meaning = ByMeaning(topics, tmp_path / "meaning.json", now=lambda: now[0])
    meaning.take_up(TEXTS)
    topics.gone = True
    for _ in range(3):
        now[0] += 100
        assert await meaning.joined("a kitten", BY_WORDS, TEXTS) == BY_WORDS
        await meaning.settled()
    topics.gone = False
    assert await meaning.joined("a kitten", BY_WORDS, TEXTS) == BY_WORDS
    assert topics.asked == [], "not yet"
    now[0] += 100
    assert await meaning.joined("a kitten", BY_WORDS, TEXTS) == BY_WORDS
    await meaning.settled()
    assert await meaning.joined("a kitten", [], TEXTS) == ["pets.feed"]
    topics.gone = True
    assert await meaning.joined("a kitten", BY_WORDS, TEXTS) == BY_WORDS
    assert [one.getMessage() for one in caplog.records] == ["no search by meaning"] * 2


class Slow(Topics):
    """Never answers a request, once that is set."""

    is_slow = False

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        if self.is_slow:
            await asyncio.Event().wait()
        return await super().embed(texts)


async def test_a_model_that_is_slow_holds_no_search_up(tmp_path: Path) -> None:
    slow = Slow()
    meaning = ByMeaning(slow, tmp_path / "meaning.json", seconds=0)
    meaning.take_up(TEXTS)
    await meaning.joined("a kitten", [], TEXTS)
    await meaning.settled()
    slow.is_slow = True
    assert await meaning.joined("a kitten", BY_WORDS, TEXTS) == BY_WORDS


async def test_what_still_learns_ends_with_it(tmp_path: Path) -> None:
    slow = Slow()
    slow.is_slow = True
    meaning = ByMeaning(slow, tmp_path / "meaning.json")
    meaning.take_up(TEXTS)
    await meaning.joined("a kitten", [], TEXTS)
    await meaning.close()
    await meaning.settled()
    assert slow.asked == []


async def test_the_local_model_finds_what_shares_no_word(tmp_path: Path) -> None:
    folder = mini_lm()
    if folder is None:
        pytest.skip("the model's files are not there: ./dev services")
    model = MiniLm(folder)
    meaning = ByMeaning(model, tmp_path / "meaning.json", seconds=60)
    meaning.take_up(TEXTS)
    await meaning.joined("", [], [])
    await meaning.settled()
    assert (await meaning.joined("give my pet its dinner", [], TEXTS))[0] == "pets.feed"
    await meaning.close()
    await model.close()
