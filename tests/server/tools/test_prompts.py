"""Prompts: every one fills its blanks, and says what is wrong with its arguments."""

import pytest

from wand_proto.errors import Invalid, NotFound
from wand_server.tools.prompts import ALL, BuiltInPrompts


@pytest.mark.parametrize("name", [prompt.description.name for prompt in ALL])
def test_a_prompt_without_arguments_has_no_blank_left(name: str) -> None:
    text = BuiltInPrompts().get(name, {})
    assert "{" not in text


def test_an_argument_stands_in_the_text_as_it_was_given() -> None:
    text = BuiltInPrompts().get("fix-tests", {"folder": "a/{command}", "command": "make check"})
    assert "in the folder a/{command} pass" in text
    assert "run with: make check." in text


def test_what_is_wrong_with_a_prompt_is_named() -> None:
    with pytest.raises(NotFound, match="nothing"):
        BuiltInPrompts().get("nothing", {})
    with pytest.raises(Invalid) as why:
        BuiltInPrompts().get("check-host", {"folder": "x"})
    assert (why.value.field, why.value.hint) == ("folder", "there are: focus")
