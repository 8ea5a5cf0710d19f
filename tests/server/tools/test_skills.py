"""The skills that come with Wand."""

import re

import pytest

from wand_server.model import SkillDescription
from wand_server.orchestrator.handing import Form
from wand_server.orchestrator.work.form import Goal, Step
from wand_server.tools import projects, skills
from wand_server.tools.registry import BUILT_IN

NAME = re.compile(r"(?!.*--)[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
TOOLS = {kind.name for kind in (*BUILT_IN, *projects.KINDS)}


@pytest.mark.parametrize("skill", skills.ALL, ids=lambda one: one.name)
def test_a_skill_is_a_file_whose_head_says_what_its_entry_says(skill: SkillDescription) -> None:
    found = skills.read(skill.uri)

    assert found is not None
    assert NAME.fullmatch(skill.name)
    head = f"---\nname: {skill.name}\ndescription: {skill.description}\n---\n"
    assert found.data.decode().startswith(head)
    assert not set(skill.description) & set(":#'\"{}[]")  # so that YAML reads it as it stands


@pytest.mark.parametrize("skill", skills.ALL, ids=lambda one: one.name)
def test_a_skill_names_only_tools_that_there_are(skill: SkillDescription) -> None:
    text = skill.files[0][1].decode()
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", text))

    others = {
        "timeout_seconds",
        "wait_seconds",
        "first_line",
        *Form.model_fields,
        *Goal.model_fields,
        *Step.model_fields,
    }
    assert named <= TOOLS | others


def test_there_is_no_file_beside_them() -> None:
    assert skills.read("skill://run-commands/other.md") is None
