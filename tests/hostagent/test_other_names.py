"""Where a profile's folder is a link, a rule that denies or asks bites by either name of a file."""

import pytest

from support.gates import fake_house
from support.people import ANN
from wand_hostagent.filesystem.model import (
    Alias,
    Arrange,
    Arrangement,
    Edit,
    Mode,
    Read,
    Replacement,
    Write,
)
from wand_hostagent.gate import Gate
from wand_hostagent.model import FileVerb
from wand_hostagent.policy.model import Rule, Verdict
from wand_proto.errors import Denied

LINK, REAL = "/srv/link", "/data/real"
NAMES = [(LINK, REAL), (REAL, LINK)]
WORK = Rule(name="work", verdict=Verdict.ALLOW, paths=(LINK, REAL), profile="developer")
LINK_ALONE = Rule(name="link alone", verdict=Verdict.ALLOW, paths=(LINK,), profile="developer")


def deny(path: str, *verbs: FileVerb) -> Rule:
    return Rule(name="kept", verdict=Verdict.DENY, paths=(path,), verbs=verbs)


def changes(at: str) -> list[Write | Edit | Arrange]:
    return [
        Write(path=f"{at}/kept/f", data=b"new", mode=Mode.REPLACE),
        Edit(path=f"{at}/kept/f", replacements=(Replacement(old_text="a", new_text="b"),)),
        Arrange(what=Arrangement.MOVE, path=f"{at}/kept/f", to=f"{at}/f"),
        Arrange(what=Arrangement.MOVE, path=f"{at}/f", to=f"{at}/kept/f"),
        Arrange(what=Arrangement.REMOVE, path=f"{at}/kept/f"),
        Arrange(what=Arrangement.RESTORE, path=f"{at}/f", to=f"{at}/kept/f"),
        Arrange(what=Arrangement.COPY, path=f"{at}/f", to=f"{at}/kept/f"),
    ]


async def make(gate: Gate, change: Write | Edit | Arrange) -> None:
    if isinstance(change, Arrange):
        await gate.arrange(ANN, "f1", change)
    else:
        await gate.use_file(ANN, "f1", change)


@pytest.mark.parametrize(("typed", "ruled"), NAMES)
@pytest.mark.parametrize("verdict", [Verdict.DENY, Verdict.ASK])
async def test_a_change_that_a_rule_denies_by_the_other_name_is_not_made(
    typed: str, ruled: str, verdict: Verdict
) -> None:
    async with fake_house() as (launcher, house):
        house.files.folders = (Alias(name=LINK, real=REAL),)
        kept = Rule(name="kept", verdict=verdict, paths=(f"{ruled}/kept",), profile="developer")
        house.rules.rules = (WORK, kept)
        for ask in changes(typed):
            with pytest.raises(Denied, match=r"kept"):
                await make(house.gate, ask)

    assert house.files.asked == []
    assert {(event, told["rule"]) for event, told in launcher.records} == {("refused", "kept")}


@pytest.mark.parametrize(("typed", "ruled"), NAMES)
async def test_a_folder_is_not_moved_that_holds_what_a_rule_denies_by_the_other_name(
    typed: str, ruled: str
) -> None:
    async with fake_house() as (_, house):
        house.files.folders = (Alias(name=LINK, real=REAL),)
        house.files.below = ("kept", "kept/f")
        house.rules.rules = (WORK, deny(f"{ruled}/d/kept", FileVerb.READ))
        with pytest.raises(Denied, match="kept"):
            await house.gate.arrange(
                ANN, "f1", Arrange(what=Arrangement.COPY, path=f"{typed}/d", to=f"{typed}/e")
            )

    assert [type(ask).__name__ for _, ask in house.files.asked] == ["Survey"]


@pytest.mark.parametrize(("typed", "ruled"), NAMES)
async def test_what_was_read_leaves_only_if_no_name_of_it_is_denied(typed: str, ruled: str) -> None:
    async with fake_house() as (_, house):
        house.files.folders = (Alias(name=LINK, real=REAL),)
        house.files.links[f"{LINK}/kept/f"] = f"{REAL}/kept/f"
        house.files.contents[f"{REAL}/kept/f"] = b"secret"
        house.rules.rules = (WORK,)
        await house.gate.use_file(ANN, "f1", Read(path=f"{typed}/kept/f"))
        house.rules.rules = (WORK, deny(f"{ruled}/kept"))
        with pytest.raises(Denied, match="kept"):
            await house.gate.use_file(ANN, "f1", Read(path=f"{typed}/kept/f"))


async def test_a_change_is_permitted_by_the_name_that_was_given_and_made_at_all_names() -> None:
    async with fake_house() as (_, house):
        house.files.folders = (Alias(name=LINK, real=REAL),)
        house.rules.rules = (LINK_ALONE,)
        await house.gate.use_file(ANN, "f1", Write(path=f"{LINK}/f", data=b"", mode=Mode.REPLACE))
        with pytest.raises(Denied):
            await house.gate.use_file(ANN, "f2", Write(path=f"{REAL}/f", data=b"", mode=Mode.REPLACE))

    ((_, made),) = house.files.asked
    assert isinstance(made, Write)
    assert made.at == (f"{LINK}/f", f"{REAL}/f")
