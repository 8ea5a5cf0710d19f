"""No effect without a durable record, whenever the launcher dies and whatever the disk answers.

strace kills the launcher at the Kth call of a kind, or lets the call fail, for every K in the life of a few
jobs. The random kind of kill does not catch a launcher that acts first, so launchers that are wrong on
purpose show that this one does. `LONG_TESTS=1` makes the tests longer, not different.
"""

import itertools
import os
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

from support import crashing, ledgers
from support.crashing import live
from support.launcher_client import SECONDS, launched, none_left
from wand_hostagent.launcher import tree

LONG = bool(os.environ.get("LONG_TESTS"))
needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
MOMENTS = {
    "write": 7,
    "fdatasync": 8,
    "pwrite64": 8,
    "sendmsg": 7,
    "clone3": 10,
}  # how often each comes in a short life
READY = r'"\n", 1)'  # what a launcher writes when it listens, as strace shows it
ROUNDS = (3, 1, 2, 8, 1, 1, 4) if LONG else (3, 1, 2)

# What is wrong with a launcher, by the module that it is added to.
ACTS_FIRST = """
def _commit(self):
    acts, self._acts = self._acts, []
    for act in acts:
        self._do(act, None)
    self._journal.commit([act.entry for act in acts if act.entry is not None])
Service.commit = _commit
"""
RECORDS_LATER = """
_commit = Journal.commit
def _later(self, entries):
    for entry in entries:
        self.later(entry)
def _flush(self):
    self._timer = None
    _commit(self, ())
Journal.commit, Journal.flush = _later, _flush
"""
ACTS_ANYWAY = """
_commit = Journal.commit
def _anyway(self, entries):
    try:
        _commit(self, entries)
    except Refused:
        pass
Journal.commit = _anyway
"""
LETS_GO_AT_ONCE = """
_written = Orders.__init__
def _at_once(self, steps, *memory, before_go=None):
    _written(self, steps, *memory)
Orders.__init__ = _at_once
"""
WAITS_FOR_NO_DISK = """
os.fdatasync = lambda descriptor: None
"""


def kills(call: str) -> Iterator[tuple[str, ...]]:
    """Rules that kill a launcher at one of its calls, one rule after the other."""
    moments = MOMENTS[call] * (3 if LONG else 1)
    for moment in range(3 if call in crashing.DISK else 2, moments + 1):  # those before are of the start
        rule = f"{call}:signal=SIGKILL:when={moment}"
        yield (rule, crashing.SLOW) if call == "fdatasync" else (rule,)


@needs_strace
@pytest.mark.timeout(600)
@pytest.mark.parametrize("call", MOMENTS)
def test_no_effect_is_without_its_record_when_the_launcher_is_killed_at_a(call: str) -> None:
    lives = {rules: live(*rules, rounds=ROUNDS) for rules in kills(call)}
    assert not {rules: life for rules, life in lives.items() if life.touched - life.durable or life.damage}
    assert any(life.touched for life in lives.values())
    assert sum("SIGKILL" in life.calls[-1] for life in lives.values()) > MOMENTS[call] / 2 - 1


@needs_strace
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("module", "wrong"),
    [
        ("service.py", ACTS_FIRST),
        ("journal.py", RECORDS_LATER),
        ("vfork.py", LETS_GO_AT_ONCE),
        ("ledger.py", WAITS_FOR_NO_DISK),
    ],
    ids=["acts first", "records later", "lets go at once", "waits for no disk"],
)
def test_a_launcher_that_is_wrong_is_caught_by_a_kill(tmp_path: Path, module: str, wrong: str) -> None:
    program = crashing.mutant(tmp_path, module, wrong)
    rules = itertools.chain(kills("fdatasync"), kills("write"))
    lives = (live(*rule, program=program) for rule in rules)
    assert any(life.touched - life.durable for life in lives)


# -- a disk that says no -----------------------------------------------------------------------------------

FAULTS = [
    ("write:error=ENOSPC:when=3+", "Exhausted", "ENOSPC"),
    ("write:error=EDQUOT:when=3+", "Exhausted", "EDQUOT"),
    ("write:error=EFBIG:when=3+", "Exhausted", "EFBIG"),
    ("write:error=EIO:when=3+", "Broken", "EIO"),
    ("write:error=EIO:when=3", "Broken", "EIO"),  # it is not believed again
    ("write:error=EROFS:when=3", "Broken", "EROFS"),
    ("write:retval=10:when=3+", "Exhausted", "ENOSPC"),  # less was written than asked
    ("fdatasync:error=EIO:when=3", "Broken", "EIO"),
    ("fdatasync:error=ENOSPC:when=3", "Broken", "ENOSPC"),
]


@needs_strace
@pytest.mark.parametrize(("rule", "kind", "named"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_where_the_record_cannot_be_durable_nothing_starts_and_the_answer_says_why(
    rule: str, kind: str, named: str
) -> None:
    life = live(rule)
    assert (life.touched, life.damage) == (set(), "")
    assert len(life.refused) == 6
    assert {answer["kind"] for answer in life.refused.values()} == {kind}
    assert all(named in answer["message"] for answer in life.refused.values())


@needs_strace
@pytest.mark.parametrize("rule", ["write:error=ENOSPC:when=3", "write:retval=10:when=3"])
def test_what_was_refused_for_a_full_disk_does_not_stop_what_comes_when_there_is_room(rule: str) -> None:
    life = live(rule)
    assert life.touched == life.durable
    assert (len(life.touched), len(life.refused), life.damage) == (3, 3, "")


@needs_strace
@pytest.mark.parametrize("rule", ["write:error=EINTR:when=3", "fdatasync:error=EINTR:when=3..5"])
def test_a_call_that_was_interrupted_is_made_again(rule: str) -> None:
    life = live(rule)
    assert (len(life.touched), life.refused) == (6, {})
    assert life.touched == life.durable


@needs_strace
def test_a_launcher_that_acts_although_the_disk_says_no_is_caught(tmp_path: Path) -> None:
    program = crashing.mutant(tmp_path, "journal.py", ACTS_ANYWAY)
    life = live("write:error=ENOSPC:when=3+", program=program)
    assert life.touched - life.durable


# -- at any moment -----------------------------------------------------------------------------------------


@needs_strace
@pytest.mark.timeout(300)
@pytest.mark.parametrize("chance", range(4))
def test_no_effect_is_without_its_record_when_the_launcher_is_killed_at_any_call(chance: int) -> None:
    whole = live("all:delay_exit=0")
    first = next(number for number, call in enumerate(whole.calls, start=2) if READY in call)
    for moment in random.Random(chance).sample(range(first, len(whole.calls)), 25 if LONG else 2):
        life = live(f"all:signal=SIGKILL:when={moment}")
        assert not life.touched - life.durable, moment
        assert not life.damage, moment


@needs_strace
def test_a_copy_that_prepares_a_box_does_not_outlive_a_launcher_that_dies_early() -> None:
    late = [*crashing.injecting(["prctl:delay_enter=500000:when=1"]), "-f"]
    with launched(before=late) as launcher, launcher.client() as client:
        crashing.ask(launcher, client, "job")
        while not tree.children(launcher.process.pid):
            assert launcher.process.poll() is None
        launcher.kill()
        assert none_left(str(launcher.folder))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("chance", range(4))
def test_no_effect_is_without_its_record_when_the_launcher_is_killed_at_random(chance: int) -> None:
    moments = random.Random(chance)
    with launched() as launcher:
        most_seconds = min(1.5 * crashing.seconds_of_a_round(launcher), 0.4)
        for life in range(125 if LONG else 3):
            if life:
                launcher.restart()
            end = Timer(moments.uniform(0.0, most_seconds), launcher.process.kill)
            end.start()
            crashing.load(launcher, f"job-{life}")
            assert launcher.process.wait(SECONDS) == -signal.SIGKILL
            left, written = crashing.touched(launcher), launcher.ledger.read_bytes()
            assert not left - crashing.recorded(written), life
        launcher.restart()
        assert left
        assert not ledgers.chain(launcher.ledger.parent).damage
