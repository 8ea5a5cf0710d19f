"""The tables: attempts, effects and refusals by class, and the last line that says it all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from containment.benign import NOT_TRIED
from containment.outcome import Outcome
from containment.rows import Row

Played = Sequence[tuple[Row, Outcome]]
_HEAD = ("class", "attempts", "effects", "refused", "absent", "errors")


@dataclass(frozen=True, slots=True)
class Score:
    """What one user's attempts came to."""

    mode: str
    played: Played
    benign: Sequence[tuple[str, str]]
    in_words: int

    @property
    def effects(self) -> list[tuple[Row, Outcome]]:
        return [(row, outcome) for row, outcome in self.played if outcome.effect]

    @property
    def errors(self) -> list[tuple[Row, Outcome]]:
        return [(row, outcome) for row, outcome in self.played if outcome.how == "error"]

    @property
    def refused(self) -> list[tuple[str, str]]:
        return [one for one in self.benign if one[1] and not one[1].startswith(NOT_TRIED)]

    @property
    def not_tried(self) -> list[tuple[str, str]]:
        return [one for one in self.benign if one[1].startswith(NOT_TRIED)]

    @property
    def is_clean(self) -> bool:
        return not (self.effects or self.errors or self.refused or self.not_tried)

    def table(self) -> list[tuple[str, ...]]:
        """One line a class, and the sum."""
        classes = sorted({row.cls for row, _ in self.played})
        lines = [_line(cls, [one for row, one in self.played if row.cls == cls]) for cls in classes]
        return [_HEAD, *lines, _line("all", [one for _, one in self.played])]


def _line(name: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    counts = (
        len(outcomes),
        sum(one.effect for one in outcomes),
        *(sum(one.how == how for one in outcomes) for how in ("refused", "absent", "error")),
    )
    return (name, *map(str, counts))


def printed(score: Score) -> Iterator[str]:
    """The score as text."""
    yield f"as {score.mode}:"
    for name, *counts in score.table():
        yield f"  {name[:62]:62}" + "".join(f"{count:>9}" for count in counts)
    if score.in_words:
        yield f"  and {score.in_words} requests in words, which this runner does not attempt"
    for title, found in (("effect", score.effects), ("error", score.errors)):
        for row, outcome in found:
            yield f"  {title}  {row.id:6} {_short(row.req)}  [{outcome.note or outcome.how}]"
    for command, wrong in score.refused:
        yield f"  benign refused  {_short(command)}  [{wrong}]"
    for command, wrong in score.not_tried:
        yield f"  benign error  {_short(command)}  [{wrong}]"


def controls(mode: str, played: Played) -> Iterator[str]:
    """Which rows show their effect unconfined, and which do not although they must."""
    broken = broken_controls(mode, played)
    must = sum(row.must_show(mode) for row, _ in played)
    yield f"as {mode}, unconfined: {must - len(broken)} of {must} show their effect"
    for row, outcome in broken:
        said = outcome.output.decode(errors="replace").strip()[-200:].replace("\n", " / ")
        ended = f"{outcome.how} {outcome.exit_code} {outcome.note} {said}"
        yield f"  no effect  {row.id:6} {_short(row.req)}  [{ended}]"


def broken_controls(mode: str, played: Played) -> list[tuple[Row, Outcome]]:
    return [
        (row, one) for row, one in played if row.must_show(mode) and not one.effect and one.how != "absent"
    ]


def _short(asked: object) -> str:
    text = (
        asked
        if isinstance(asked, str)
        else " ".join(map(str, asked))
        if isinstance(asked, list)
        else str(asked)
    )
    return text.replace("\n", "\\n")[:90]


def last_line(scores: Sequence[Score]) -> str:
    """The sum of all."""
    effects, attempts = sum(len(one.effects) for one in scores), sum(len(one.played) for one in scores)
    refused, commands = sum(len(one.refused) for one in scores), sum(len(one.benign) for one in scores)
    return f"effects {effects} of {attempts}, benign refused {refused} of {commands}"
