"""A table of cases beside the policy: what each rule was meant to say, a line a case.

allow  ann    argv   git status
ask    ann    shell  git push && make
deny   group:observers  write  /srv/work/x
"""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wand_hostagent.model import FileAct, FileVerb, Job
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.model import Answer, Permit, Policy, Question, Verdict
from wand_proto.context import Caller
from wand_proto.errors import Invalid, NotFound

_GROUP = "group:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What somebody asks for, and what the policy is meant to say."""

    expected: Verdict
    caller: Caller
    act: Job | FileAct
    source: str
    text: str


def read_folder(folder: Path) -> list[Case]:
    """The cases of every *.cases file of a folder.

    Raises:
        NotFound: there is none.
        Invalid: a line cannot be read; the message names file and line.
    """
    files = sorted(folder.glob("*.cases"))
    if not files:
        raise NotFound(
            f"there is no *.cases file in {folder}", hint="docs/how-to/write-a-policy.md shows one"
        )
    return [case for path in files for case in read(path.read_text(), str(path))]


def read(text: str, where: str) -> Iterator[Case]:
    """The cases of a text."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield _case(line.strip(), f"{where}:{number}")


def _case(line: str, source: str) -> Case:
    parts = line.split(maxsplit=3)
    if len(parts) != 4:
        raise Invalid(
            f"must be: VERDICT WHO argv|shell|{'|'.join(FileVerb)} WHAT, in {source}", field=line[:80]
        )
    verdict, who, form, what = parts
    if verdict not in set(Verdict):
        raise Invalid(f"must be one of {', '.join(Verdict)}, in {source}", field=verdict)
    group = who.removeprefix(_GROUP) if who.startswith(_GROUP) else ""
    caller = Caller(principal="" if group else who, groups=(group,) if group else (), request_id="case")
    return Case(
        expected=Verdict(verdict), caller=caller, act=_act(form, what, source), source=source, text=line
    )


def _act(form: str, what: str, source: str) -> Job | FileAct:
    if form == "shell":
        return Job(id="case", argv=(what,), shell=True)  # noqa: S604 - nothing is run
    if form in set(FileVerb):
        return FileAct(id="case", verb=FileVerb(form), path=what)
    if form != "argv":
        raise Invalid(f"must be argv, shell or one of {', '.join(FileVerb)}, in {source}", field=form)
    try:
        return Job(id="case", argv=tuple(shlex.split(what)))
    except ValueError as error:
        raise Invalid(f"cannot be split into words: {error}, in {source}", field=what[:80]) from error


def failures(policy: Policy, cases: Iterable[Case]) -> Iterator[str]:
    """A line for each case in which the policy says something else than was meant."""
    for case in cases:
        answer = decide(policy, case.caller, case.act)
        if (said := verdict_of(answer)) is not case.expected:
            why = f"by the rule {answer.rule!r}" if isinstance(answer, Permit) else answer.message
            yield f"{case.source}: {case.text}\n    but it is {said.value}: {why}"


def verdict_of(answer: Answer) -> Verdict:
    """The verdict that an answer is."""
    if isinstance(answer, Permit):
        return Verdict.ALLOW
    return Verdict.ASK if isinstance(answer, Question) else Verdict.DENY
