"""What the vendors' descriptions leave out: images, audio, files, and lines of JSON."""

import base64
import json
from typing import Any

import pytest

from support.foreign import Asked, Says, serving
from wand_proto.errors import Broken, Unavailable
from wand_server.integrations.ai.anthropic import Anthropic
from wand_server.integrations.ai.openai import OpenAI
from wand_server.integrations.kit import Integration

PNG = b"\x89PNG\r\n\x1a\n of a test"


async def ask(
    kind: type[Integration], name: str, given: dict[str, Any], answer: Says, **more: str
) -> tuple[Any, Asked]:
    async with serving(answer) as service:
        asking = kind(
            kind.Config.model_validate({"base_url": service.url, "api_key": "sk-of-a-test", **more})
        )
        await asking.initialize()
        try:
            return await asking.execute(name, given), service.asked[0]
        finally:
            await asking.cleanup()


async def test_an_image_is_given_back_with_its_type() -> None:
    said = {
        "data": [{"b64_json": base64.b64encode(PNG).decode(), "revised_prompt": "a red fox"}],
        "output_format": "webp",
    }
    given = {"model": "gpt-image-1", "prompt": "a fox", "size": "1024x1024"}
    picture, asked = await ask(OpenAI, "create_image", given, Says(body=said))
    assert (picture["media_type"], base64.b64decode(picture["base64"])) == ("image/webp", PNG)
    assert (picture["size"], picture["revised_prompt"]) == (len(PNG), "a red fox")
    assert (asked.method, asked.path, json.loads(asked.body)) == (
        "POST",
        "/images/generations",
        {**given, "n": 1},
    )


async def test_an_image_that_is_only_linked_is_told_by_its_link() -> None:
    said = Says(body={"data": [{"url": "https://a.example/1.png"}]})
    picture, _ = await ask(OpenAI, "create_image", {"model": "dall-e-3", "prompt": "a fox"}, said)
    assert picture["url"] == "https://a.example/1.png"


async def test_an_image_that_is_none_is_a_fault_of_the_service() -> None:
    with pytest.raises(Broken, match="no base64"):
        await ask(
            OpenAI, "create_image", {"model": "m", "prompt": "p"}, Says(body={"data": [{"b64_json": "!"}]})
        )


async def test_without_a_workspace_nothing_is_saved() -> None:
    said = Says(body={"data": [{"b64_json": base64.b64encode(PNG).decode()}]})
    with pytest.raises(Unavailable, match="no workspace"):
        await ask(OpenAI, "create_image", {"model": "m", "prompt": "p", "save_as": "fox.png"}, said)


async def test_speech_is_audio() -> None:
    said = Says(raw=b"ID3\x00\xff", headers={"Content-Type": "audio/mpeg"})
    given = {"model": "tts-1", "text": "Good morning", "voice": "alloy"}
    spoken, asked = await ask(OpenAI, "create_speech", given, said)
    assert (spoken["media_type"], base64.b64decode(spoken["base64"])) == ("audio/mpeg", b"ID3\x00\xff")
    assert json.loads(asked.body) == {"model": "tts-1", "input": "Good morning", "voice": "alloy"}


async def test_a_recording_goes_as_a_file_of_a_form() -> None:
    file = {"text": "RIFF", "name": "talk.wav", "media_type": "audio/wav"}
    given = {"model": "whisper-1", "file": file, "language": "en"}
    told, asked = await ask(OpenAI, "create_transcription", given, Says(body={"text": "Good morning"}))
    assert told == {"text": "Good morning"}
    assert asked.headers["content-type"].startswith("multipart/form-data; boundary=")
    for part in (
        'name="file"; filename="talk.wav"\r\nContent-Type: audio/wav\r\n\r\nRIFF',
        '"language"\r\n\r\nen',
    ):
        assert part in asked.body


async def test_a_request_names_organization_and_project_where_they_are_set() -> None:
    more = {"organization": "org-1", "project": "proj_2"}
    _, asked = await ask(OpenAI, "list_models", {}, Says(body={"data": []}), **more)
    told = {name: asked.headers.get(f"openai-{name}") for name in more}
    assert told == more
    assert asked.headers["authorization"] == "Bearer sk-of-a-test"


async def test_the_results_of_a_batch_are_read_line_by_line() -> None:
    lines = [
        {"custom_id": name, "result": {"type": "succeeded", "message": {"id": name}}} for name in ("a", "b")
    ]
    said = Says(
        text="\n".join(map(json.dumps, lines)) + "\n", headers={"Content-Type": "application/x-jsonl"}
    )
    told, asked = await ask(Anthropic, "get_batch_results", {"batch_id": "msgbatch_1"}, said)
    assert told == lines
    assert asked.path == "/v1/messages/batches/msgbatch_1/results"
    assert (asked.headers["x-api-key"], asked.headers["anthropic-version"]) == ("sk-of-a-test", "2023-06-01")
