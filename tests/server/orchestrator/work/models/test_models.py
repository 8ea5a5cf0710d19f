"""Each kind of model is asked in its own form, and its answer is read however it comes."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.modelserver import Said, calls, says, text, use
from support.work import thinking
from wand_server.orchestrator.work.models import lines
from wand_server.orchestrator.work.models.port import Answered, Asked, Mind, Prices, ToolShown, Turn, Usage
from wand_server.orchestrator.work.models.trouble import Trouble

FORMS = ("anthropic", "chat", "ollama")
GET = ToolShown(name="get", description="Read it.", input_schema={"type": "object", "properties": {}})
USE = {"type": "tool_use", "id": "toolu_1", "name": "get", "input": {"name": "x"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "no x", "is_error": True}
TALK = (
    Turn(role="user", content=[text("Read x.")]),
    Turn(role="assistant", content=[text("So be it."), USE]),
    Turn(role="user", content=[RESULT, text("Go on.")]),
)


async def asked(
    *plays: Any, form: str, turns: tuple[Turn, ...] = TALK
) -> tuple[Answered, dict[str, Any], str]:
    """The answer, the body of the last request, and what was heard while it came."""
    heard: list[str] = []

    async def told(piece: str) -> None:
        heard.append(piece)

    async with thinking(*plays, form=form) as (mind, server):
        question = Asked(system="You are.", turns=turns, tools=[GET], most_tokens=99)
        return await mind.answer(question, told), server.asked[-1], "".join(heard)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_an_answer_is_the_same_however_it_is_cut_into_pieces(form: str, size: int) -> None:
    said = "Grüße, 世界 🎉\n\ndata: end"
    play = Said([text(said), use("get", name="ü")], "tool_use", piece_bytes=size)
    answered, _, heard = await asked(play, form=form)
    assert (answered.stop, heard) == ("tools", said)
    assert answered.content[0] == text(said)
    assert (answered.content[1]["name"], answered.content[1]["input"]) == ("get", {"name": "ü"})
    assert (answered.usage.input_tokens, answered.usage.output_tokens) == (100, 10)


async def test_chat_completions_get_each_result_as_a_message_of_a_tool() -> None:
    _, body, _ = await asked(says("x"), form="chat")
    assert body["max_completion_tokens"] == 99
    assert body["stream_options"] == {"include_usage": True}
    function = {"name": "get", "description": "Read it.", "parameters": GET.input_schema}
    assert body["tools"] == [{"type": "function", "function": function}]
    call = {"id": "toolu_1", "type": "function", "function": {"name": "get", "arguments": '{"name": "x"}'}}
    assert body["messages"] == [
        {"role": "system", "content": "You are."},
        {"role": "user", "content": "Read x."},
        {"role": "assistant", "content": "So be it.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "The call failed.\nno x"},
        {"role": "user", "content": "Go on."},
    ]


async def test_ollama_is_told_the_name_of_the_tool_and_how_much_to_read() -> None:
    _, body, _ = await asked(says("x"), form="ollama")
    assert body["options"] == {"num_ctx": 200_000, "num_predict": 99}
    assert body["messages"][2:4] == [
        {
            "role": "assistant",
            "content": "So be it.",
            "tool_calls": [{"function": {"name": "get", "arguments": {"name": "x"}}}],
        },
        {"role": "tool", "tool_name": "get", "content": "The call failed.\nno x"},
    ]


async def test_a_server_that_does_not_count_is_counted_for() -> None:
    answered, body, _ = await asked(Said([text("x" * 300)], usage={}), form="chat")
    assert answered.usage.input_tokens > len(json.dumps(body)) // 4
    assert answered.usage.output_tokens >= 100
    assert answered.usage.cost_usd > 0


async def test_what_came_from_the_cache_is_not_counted_twice() -> None:
    used = {"input_tokens": 100, "output_tokens": 5, "cache_read_input_tokens": 80}
    answered, _, _ = await asked(Said([text("x")], usage=used), form="chat")
    assert (answered.usage.input_tokens, answered.usage.cache_read_tokens) == (20, 80)


@pytest.mark.parametrize("form", ["anthropic", "chat"])
async def test_calls_without_arguments_have_none(form: str) -> None:
    answered, _, _ = await asked(calls(use("get", raw="")), form=form)
    assert answered.content[0]["input"] == {}
    assert "unread" not in answered.content[0]


async def test_thoughts_go_back_as_they_came() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s1"}
    answered, _, _ = await asked(Said([thought, use("get")], "tool_use"), form="anthropic")
    assert answered.content[0] == thought


def test_prices_are_those_of_a_million_tokens() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=500_000, cache_read_tokens=10, cache_write_tokens=0)
    assert usage.priced(Prices(input=2, output=4, cache_read=100_000)).cost_usd == 5.0
    assert usage.priced(None).cost_usd == 0
    assert Mind(name="m").prices is None


# -- pieces of an answer -----------------------------------------------------------------------------------


async def pieces(*some: bytes) -> AsyncIterator[bytes]:
    for one in some:
        yield one


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([b"data: a\n\n"], ["a"]),
        ([b"data: a\r\n\r\ndata:b\r\n\r\n"], ["a", "b"]),
        ([b": ping\n\nevent: x\nid: 1\ndata: a\ndata: b\n\n"], ["a\nb"]),
        ([b"da", b"ta: \xc3", b"\xa4\n", b"\n"], ["ä"]),
        ([b"data: a"], []),
        ([b"\n\n\n"], []),
    ],
)
async def test_events_are_read_out_of_pieces(given: list[bytes], found: list[str]) -> None:
    assert [event async for event in lines.events(pieces(*given))] == found


@pytest.mark.parametrize("given", [[b"data: \xff\n\n"], [b"x" * 20_000_000] * 2])
async def test_what_is_no_text_or_has_no_end_is_given_up(given: list[bytes]) -> None:
    with pytest.raises(Trouble):
        [event async for event in lines.events(pieces(*given))]


@pytest.mark.parametrize("given", ["", "[]", "{", "1", "[" * 100_000])
def test_what_is_no_object_is_trouble(given: str) -> None:
    with pytest.raises(Trouble):
        lines.parsed(given)
