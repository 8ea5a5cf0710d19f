"""The command line of agents in processes of their own, over the settings."""

from pathlib import Path

import pytest

from wand_proto.errors import Invalid
from wand_server import agent, cli
from wand_server.settings import Agents, Settings

READ = Settings(agents=Agents(count=0, most=4, capabilities=("a",), labels=("x=1",)))


def as_asked(*words: str, read: Settings = READ) -> Agents:
    return agent._as_asked(read, agent._parser().parse_args(["--settings", "s.toml", *words])).agents


def test_there_is_one_at_least_where_the_server_is_to_have_none() -> None:
    assert (as_asked().count, as_asked().most) == (1, 4)


def test_what_is_said_stands_over_the_settings_and_beside_them() -> None:
    asked = as_asked("--count", "2", "--capability", "gpu", "--label", "site=north")

    assert (asked.count, asked.most) == (2, 2)
    assert (asked.capabilities, asked.labels) == (("a", "gpu"), ("x=1", "site=north"))


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["--name", "a b"], "--name"),
        (["--name", ""], "--name"),
        (["--name", "x" * 33], "--name"),
        (["--count", "0"], "--count"),
        (["--count", "257"], "--count"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(words: list[str], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        as_asked(*words)

    assert refused.value.field == field


def test_settings_that_are_not_there_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["agent", "--settings", str(tmp_path / "none.toml")]) == 1
    assert "none.toml" in capsys.readouterr().err
