"""Rules that would permit what a ledger saw: a beginning for a person to read, never a policy by itself."""

import collections
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wand_hostagent.model import Job
from wand_hostagent.policy.survey import survey
from wand_proto.errors import Denied

_MOST_SHOWN = 3
_Key = tuple[str, str, str, tuple[str, ...]]  # principal, profile, program, effects


def runs(path: Path) -> Iterator[Mapping[str, Any]]:
    """The fields of each command that a ledger, its folder or a file of it, says was run.

    Raises:
        Denied: it cannot be read.
    """
    files = sorted(path.glob("ledger*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise Denied(f"{path} cannot be read as a ledger: no ledger.jsonl is there")
    for file in files:
        try:
            with file.open("rb") as lines:
                yield from _runs(lines)
        except (OSError, ValueError) as error:
            raise Denied(f"{file} cannot be read as a ledger: {error}") from error


def _runs(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        record = json.loads(line)
        if isinstance(record, dict) and record.get("event") == "run":
            fields = record.get("fields")
            if not isinstance(fields, dict):
                raise ValueError("a record of a run has no fields")
            yield fields


def suggested(seen: Iterable[Mapping[str, Any]], principal: str = "") -> Iterator[str]:
    """The lines of rules for what was run, by everybody or by one principal."""
    uses: dict[_Key, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for fields in seen:
        why = fields.get("why", {})
        if why.get("principal") and principal in ("", why["principal"]):
            for key, example in _uses(fields, why):
                uses[key][example] += 1
    for (who, profile, program, effects), examples in sorted(uses.items()):
        yield from _rule((who, profile, program, effects), examples)


def _uses(fields: Mapping[str, Any], why: Mapping[str, Any]) -> Iterator[tuple[_Key, str]]:
    argv = tuple(map(str, fields.get("argv", ())))
    in_shell = why.get("form") == "shell"
    if not argv or (in_shell and len(argv) < 3):
        return
    job = Job(id="seen", argv=argv[-1:] if in_shell else argv, shell=in_shell)
    for one in survey(job).seen:
        if one.command.program and one.effects and not one.command.carries:
            who, profile = str(why.get("principal", "")), str(fields.get("profile", ""))
            effects = tuple(sorted(one.effects | one.possible))
            verb = one.verb_words[:1]
            yield (who, profile, one.command.program, effects), " ".join((one.command.program, *verb))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _rule(key: _Key, examples: "collections.Counter[str]") -> Iterator[str]:
    who, profile, program, effects = key
    shown = [example for example, _ in examples.most_common(_MOST_SHOWN)]
    more = f" and {len(examples) - len(shown)} others" if len(examples) > len(shown) else ""
    yield f"# {_times(examples.total())}: {json.dumps(', '.join(shown))[1:-1]}{more}"
    yield "[[rule]]"
    yield f"name = {json.dumps(f'{who}: {program}, ' + ' '.join(effects))}"
    yield 'verdict = "allow"'
    yield f"principals = {json.dumps([who])}"
    yield f"programs = {json.dumps([program])}"
    yield f"effects = {json.dumps(list(effects))}"
    yield f"profile = {json.dumps(profile)}"
    yield ""
