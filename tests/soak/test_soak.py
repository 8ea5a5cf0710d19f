"""The soak's own judgement: what grows is said to grow, and a wrong answer is not taken for a right one."""

from pathlib import Path

import pytest

from soak.__main__ import complaint
from soak.watching import Watch
from support.running import Running

NOBODY = Running(url="", key="", workspace=Path(), state=Path(), printed="", pid=0)
CALL = ("tools/call", {"name": "read_file"})


def watched(name: str, values: list[float]) -> Watch:
    return Watch(NOBODY, [float(at) for at in range(len(values))], [{name: value} for value in values])


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("server, MiB", [90.0] * 40, "flat"),
        ("server, MiB", [*range(90, 110), *[110.0] * 20], "flat"),  # it filled up first
        ("server, MiB", [90 + at / 2 for at in range(40)], "grows"),
        ("server, MiB", [90.0] * 38 + [92.0] * 2, "flat"),  # a little, at the end
        ("launcher, descriptors", [200 + at % 20 for at in range(40)], "flat"),
        ("launcher, descriptors", [200 + 4 * at for at in range(40)], "grows"),
        ("control groups", [0, 30] * 20, "flat"),
        ("control groups", list(range(0, 80, 2)), "grows"),
    ],
)
def test_what_grows_over_the_last_third_is_said_to_grow(name: str, values: list[float], said: str) -> None:
    (growth,) = watched(name, values).growths()

    assert growth.is_flat == (said == "flat")


def test_a_graph_goes_from_the_least_to_the_most() -> None:
    assert watched("threads", [1.0, 2.0, 8.0]).graph("threads") == "▁▂█"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"result": {"content": [{"type": "text", "text": "what it says"}]}}, ""),
        ({"result": {"isError": True, "content": [{"type": "text", "text": "Denied: no"}]}}, "Denied: no"),
        ({"error": {"code": -32603, "message": "broke"}}, "broke"),
        ({}, "no result"),
    ],
)
def test_an_answer_that_is_wrong_is_complained_of(answer: dict[str, object], said: str) -> None:
    complained = complaint(CALL, answer)

    assert said in complained
    assert bool(said) == bool(complained)
