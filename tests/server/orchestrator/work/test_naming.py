"""Tools get names and schemas that every model takes."""

import re
from dataclasses import replace

from support.host import FakeHost
from support.work import Shelf
from wand_server.orchestrator.work import naming
from wand_server.tools.registry import Registry

PUT = Shelf().tools[0]


def test_names_that_a_model_does_not_take_are_written_so_and_told_apart() -> None:
    odd = ("slack.send", "slack_send", "github:work.x", "give_up", "x" * 70, f"{'x' * 70}y")
    shown, names = naming.shown(replace(PUT, name=name) for name in odd)
    told = [one.name for one in shown]
    assert told[:4] == ["slack_send", "slack_send_2", "github_work_x", "give_up_2"]
    assert told[-1] == "give_up"
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in told)
    assert len(set(told)) == len(odd) + 1
    assert [names[name] for name in told[:-1]] == list(odd)
    assert "give_up" not in names


def test_a_schema_is_that_of_an_object_without_choices_at_its_top() -> None:
    plain = {"anyOf": [{"required": ["a"]}], "additionalProperties": True}
    (shown, _), _ = naming.shown([replace(PUT, input_schema=plain)])
    assert shown.input_schema == {"type": "object", "properties": {}, "additionalProperties": True}


def test_the_real_tools_are_shown_as_they_are() -> None:
    real = Registry(FakeHost()).describe()
    shown, _ = naming.shown(real)
    assert [one.input_schema for one in shown[:-1]] == [
        {"properties": {}, **one.input_schema} for one in real
    ]
