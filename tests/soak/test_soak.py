"""The soak's own judgement: what grows is said to grow, and a wrong answer is not taken for a right one."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from soak.__main__ import complaint
from soak.drawing import drawn
from soak.resting import Turnstile
from soak.watching import Watch


def nobody() -> Mapping[str, float]:
    raise AssertionError("nobody is watched here")


CALL = ("tools/call", {"name": "read_file"})


def watched(name: str, values: list[float]) -> Watch:
    return Watch(nobody, [float(at) for at in range(len(values))], [{name: value} for value in values])


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
        ("ledger, bytes a call", [800 - at % 30 for at in range(40)], "flat"),
        ("ledger, bytes a call", [700 + 10 * at for at in range(40)], "grows"),
        ("temporary files", [0.0] * 40, "flat"),
        ("files of its state", [50 + 2 * at for at in range(40)], "grows"),
        ("outputs kept", [120 + 2 * at for at in range(40)], "flat"),
        ("outputs kept", [120 + 6 * at for at in range(40)], "grows"),
    ],
)
def test_what_grows_over_the_last_third_is_said_to_grow(name: str, values: list[float], said: str) -> None:
    (growth,) = watched(name, values).growths()

    assert growth.is_flat == (said == "flat")


@pytest.mark.parametrize(
    ("descriptors", "processes", "said"),
    [
        ([100 + 2 * at for at in range(60)], [20 + at for at in range(60)], "flat"),  # as many as jobs need
        ([100 + 2 * at for at in range(60)], [20.0] * 60, "grows"),
        (
            [100 + 9 * at for at in range(60)],
            [20 + at / 4 for at in range(60)],
            "grows",
        ),  # more than they need
        ([160 - 2 * (at % 30) for at in range(60)], [50 - at % 30 for at in range(60)], "flat"),
    ],
)
def test_more_jobs_may_have_more_descriptors_and_no_more_than_they_need(
    descriptors: list[float], processes: list[float], said: str
) -> None:
    readings = [
        {"launcher, descriptors": many, "processes": jobs}
        for many, jobs in zip(descriptors, processes, strict=True)
    ]
    first, _ = Watch(nobody, [float(at) for at in range(60)], readings).growths()  # type: ignore[arg-type]

    assert first.is_flat == (said == "flat")


def test_a_graph_goes_from_the_least_to_the_most() -> None:
    assert watched("threads", [1.0, 2.0, 8.0]).graph("threads") == "▁▂█"


def test_a_run_is_drawn_from_what_was_kept_of_it(tmp_path: Path) -> None:
    kept = tmp_path / "figures"
    with kept.open("w") as file:
        watch = Watch(lambda: {"threads": 3.0, "spool, MiB": len(watch.times) / 2}, kept=file)
        for _ in range(9):
            watch.look()

    text = drawn(kept.read_text())

    ET.fromstring(text)
    assert [name in text for name in (">threads<", ">spool, MiB<")] == [True, True]
    assert text.count("<polyline") == 2
    assert ">4 · 4<" in text  # the most of it and the last


async def test_nobody_asks_while_somebody_looks() -> None:
    turnstile, said = Turnstile(), []
    go = asyncio.Event()

    async def call() -> None:
        async with turnstile.passed():
            said.append("asks")
            await go.wait()
            said.append("is answered")

    first = asyncio.create_task(call())
    await asyncio.sleep(0)
    counts = iter([5, 4, 3, 3, 3, 9])
    asyncio.get_running_loop().call_soon(go.set)
    async with turnstile.at_rest(lambda: next(counts)):
        second = asyncio.create_task(call())
        await asyncio.sleep(0)
        said.append("looks")
    await asyncio.gather(first, second)

    assert said == ["asks", "is answered", "looks", "asks", "is answered"]
    assert next(counts) == 9  # it was looked at when nothing changed any more


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
