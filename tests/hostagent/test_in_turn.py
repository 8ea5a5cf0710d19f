"""Two who change the same file at once do so one after the other: neither undoes what the other has done."""

import asyncio

import pytest

from support.gates import fake_house
from support.people import ANN
from wand_hostagent.filesystem.model import Edit, WriteAnswer


async def test_a_file_is_changed_by_one_after_the_other_and_another_file_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    under_way: list[str] = []
    most: list[int] = []

    async def use(_profile: str, ask: Edit, **_: object) -> WriteAnswer:
        under_way.append(ask.path)
        most.append(len(under_way))
        assert len(under_way) == len(set(under_way))
        await asyncio.sleep(0)
        under_way.remove(ask.path)
        return WriteAnswer(path=ask.path, total_bytes=1, sha256="")

    async with fake_house() as (_, house):
        monkeypatch.setattr(house.files, "use", use)
        edits = [
            Edit(path=path, replacements=()) for path in ("/srv/work/a", "/srv/work/b") for _ in range(4)
        ]
        await asyncio.gather(*(house.gate.use_file(ANN, "f1", edit) for edit in edits))

    assert (len(most), max(most)) == (8, 2)
