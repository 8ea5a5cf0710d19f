"""What is moved, copied, removed or restored is permitted path by path, and on record before it is done."""

import pytest

from support.gates import ANYTHING, fake_house
from support.people import ANN
from wand_hostagent.approvals import Terms
from wand_hostagent.filesystem.model import Arrange, Arrangement
from wand_hostagent.model import FileVerb
from wand_hostagent.policy.model import Rule, Verdict
from wand_proto.errors import Denied, NeedsApproval

MOVE, COPY, REMOVE, RESTORE = Arrangement
HERE, THERE = "/srv/work/a", "/srv/work/b"
SECRET = "/srv/work/secrets/key"


def deny(name: str, *verbs: FileVerb, **parts: tuple[str, ...]) -> Rule:
    return Rule(name=name, verdict=Verdict.DENY, verbs=verbs, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "path", "to"),
    [
        (MOVE, SECRET, THERE),
        (MOVE, HERE, SECRET),
        (COPY, SECRET, THERE),
        (COPY, HERE, SECRET),
        (REMOVE, SECRET, ""),
        (RESTORE, SECRET, ""),
        (RESTORE, SECRET, THERE),
        (RESTORE, HERE, SECRET),
        (MOVE, "/etc/passwd", THERE),
        (MOVE, HERE, "/srv/work/../x"),
    ],
)
async def test_a_rule_bites_at_either_end_and_nothing_is_done(what: Arrangement, path: str, to: str) -> None:
    async with fake_house() as (launcher, house):
        with pytest.raises(Denied):
            await house.gate.arrange(ANN, "f1", Arrange(what=what, path=path, to=to))

    assert house.files.asked == []
    assert [event for event, _ in launcher.records] == ["refused"]


@pytest.mark.parametrize("what", list(Arrangement))
async def test_a_rule_bites_in_the_middle_of_a_folder(what: Arrangement) -> None:
    async with fake_house() as (launcher, house):
        house.rules.rules = (*ANYTHING, deny("keys", FileVerb.READ, names=("*.pem",)))
        house.files.below = ("doc", "doc/one", "doc/host.pem")
        asked = Arrange(what=what, path=HERE, to=THERE if what in {MOVE, COPY} else "")
        with pytest.raises(Denied, match="denied by the rule 'keys'"):
            await house.gate.arrange(ANN, "f1", asked)

    assert [type(ask).__name__ for _, ask in house.files.asked] == ["Survey"]
    ((event, told),) = launcher.records
    assert (event, told["rule"], told["path"]) == ("refused", "keys", f"{HERE}/doc/host.pem")


@pytest.mark.parametrize("verb", [FileVerb.WRITE, FileVerb.EDIT, FileVerb.READ])
async def test_who_may_not_change_or_read_a_file_cannot_move_or_remove_it(verb: FileVerb) -> None:
    async with fake_house() as (_, house):
        house.rules.rules = (*ANYTHING, deny("no", verb, paths=(HERE,)))
        for what, to in ((MOVE, THERE), (REMOVE, ""), (RESTORE, "")):
            with pytest.raises(Denied):
                await house.gate.arrange(ANN, "f1", Arrange(what=what, path=HERE, to=to))
        copying = Arrange(what=COPY, path=HERE, to=THERE)
        if verb is FileVerb.READ:
            with pytest.raises(Denied):
                await house.gate.arrange(ANN, "f1", copying)
        else:
            await house.gate.arrange(ANN, "f1", copying)


async def test_who_may_read_and_write_may_move_though_no_rule_speaks_of_edits() -> None:
    rule = Rule(
        name="rw", verdict=Verdict.ALLOW, paths=("/srv/work",), verbs=(FileVerb.READ, FileVerb.WRITE),
        profile="developer",
    )  # fmt: skip
    async with fake_house() as (_, house):
        house.rules.rules = (rule,)
        await house.gate.arrange(ANN, "f1", Arrange(what=MOVE, path=HERE, to=THERE))

    assert [type(ask).__name__ for _, ask in house.files.asked] == ["Survey", "Arrange"]


async def test_it_is_on_record_before_it_is_done_and_its_outcome_after() -> None:
    async with fake_house() as (launcher, house):
        await house.gate.arrange(ANN, "f1", Arrange(what=MOVE, path=HERE, to=THERE))

    (before, first), (after, second) = launcher.records
    assert (before, first["verb"], first["path"], first["to"]) == ("file", "move", HERE, THERE)
    assert (first["principal"], first["rule"]) == ("ann", "files")
    assert (after, second["ok"], second["now_at"]) == ("file_end", True, THERE)


async def test_what_needs_a_persons_yes_inside_of_a_folder_is_not_done_on_the_way() -> None:
    ask = Rule(name="ask", verdict=Verdict.ASK, paths=(f"{HERE}/asked",), profile="developer")
    async with fake_house() as (_, house):
        house.rules.rules = (*ANYTHING, ask)
        house.files.below = ("asked",)
        with pytest.raises(Denied, match="needs approval"):
            await house.gate.arrange(ANN, "f1", Arrange(what=MOVE, path=HERE, to=THERE))


@pytest.mark.parametrize("verbs", [(), (FileVerb.WRITE,)])
async def test_a_persons_yes_is_for_one_move_from_there_to_here(verbs: tuple[FileVerb, ...]) -> None:
    ask = Rule(name="ask", verdict=Verdict.ASK, paths=(THERE,), verbs=verbs, profile="developer")
    async with fake_house(terms=Terms(wait_seconds=0)) as (launcher, house):
        house.rules.rules = (*ANYTHING, ask)
        long = "/srv/work/" + "d/" * 600
        sources = (HERE, "/srv/work/other", f"{long}a", f"{long}b")
        for path in sources:
            with pytest.raises(NeedsApproval):
                await house.gate.arrange(ANN, "f1", Arrange(what=MOVE, path=path, to=THERE))
        waiting = await house.approvals.all()
        await house.approvals.answer(waiting[0].id, yes=True, by="0 (root)")
        for path in sources[1:]:
            with pytest.raises(NeedsApproval):
                await house.gate.arrange(ANN, "f1", Arrange(what=MOVE, path=path, to=THERE))
        await house.gate.arrange(ANN, "f1", Arrange(what=MOVE, path=HERE, to=THERE))

    assert len(waiting) == len(sources)
    assert (waiting[0].shows["from"], waiting[0].shows["to"]) == (HERE, THERE)
    assert [event for event, _ in launcher.records][-2:] == ["file", "file_end"]


async def test_a_persons_yes_opens_nothing_that_a_rule_denies() -> None:
    ask = Rule(name="ask", verdict=Verdict.ASK, paths=(THERE,), profile="developer")
    async with fake_house(terms=Terms(wait_seconds=0)) as (_, house):
        house.rules.rules = (*ANYTHING, ask, deny("no", FileVerb.EDIT, paths=(THERE,)))
        with pytest.raises(NeedsApproval):
            await house.gate.arrange(ANN, "f1", Arrange(what=MOVE, path=HERE, to=THERE))
        (waiting,) = await house.approvals.all()
        await house.approvals.answer(waiting.id, yes=True, by="0 (root)")
        with pytest.raises(Denied, match="denied by the rule 'no'"):
            await house.gate.arrange(ANN, "f1", Arrange(what=MOVE, path=HERE, to=THERE))

    assert house.files.asked == []


async def test_the_worker_is_told_for_which_names_it_was_permitted() -> None:
    async with fake_house() as (_, house):
        house.files.below = ("one", "two")
        await house.gate.arrange(ANN, "f1", Arrange(what=REMOVE, path=HERE))

    made = house.files.asked[-1][1]
    assert made == Arrange(what=REMOVE, path=HERE, at=(HERE,), surveyed=True, names=("one", "two"))
