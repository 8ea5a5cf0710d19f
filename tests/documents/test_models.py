"""What models are asked fits the vendors' own descriptions of their APIs."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no stubs

from support import described, prism
from support.modelserver import Said, calls, says, text, use
from support.work import Shelf, reached

pytestmark = pytest.mark.skipif(
    not prism.FOLDER.is_dir(), reason="WAND_OPENAPI_DIR names no folder of API descriptions"
)
ASKED_FOR = [
    ("anthropic", "anthropic.json", "CreateMessageParams"),
    ("chat", "openai.json.gz", "CreateChatCompletionRequest"),
    ("ollama", "ollama.json", "ChatRequest"),
]


def plain(part: Any) -> Any:
    """The same without what JSON Schema does not know of OpenAPI 3.0."""
    if isinstance(part, list):
        return [plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {name: plain(one) for name, one in part.items() if name not in {"nullable", "discriminator"}}
    if part.get("nullable") is True and isinstance(kept.get("type"), str):
        kept["type"] = [kept["type"], "null"]
    return kept


@pytest.mark.parametrize(("form", "document", "schema"), ASKED_FOR)
async def test_what_a_model_is_asked_is_what_its_vendor_describes(
    form: str, document: str, schema: str
) -> None:
    read = plain(described.read(prism.FOLDER, document))
    judge = Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": read["components"]})
    outcome, server = await reached(
        Shelf(),
        Said([text("First I put it."), use("put", name="x", text="y")], "tool_use"),
        calls(use("add", name="denied", text="y"), use("no_such_tool")),
        Said([text("That is ")], "max_tokens"),
        says("all."),
        form=form,
    )
    assert (outcome.state, len(server.asked)) == ("done", 4)
    assert [error.message for asked in server.asked for error in judge.iter_errors(asked)] == []
