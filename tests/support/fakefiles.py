"""A file worker that keeps the port's shape, changes nothing, and remembers what it was asked."""

from dataclasses import dataclass, field

from wand_hostagent.filesystem.model import (
    Alias,
    Answer,
    Arrange,
    ArrangeAnswer,
    Ask,
    Edit,
    Read,
    ReadAnswer,
    Scan,
    SearchAnswer,
    Survey,
    SurveyAnswer,
    Write,
    WriteAnswer,
)  # fmt: skip
from wand_proto.errors import NotFound, WandError


@dataclass
class FakeFiles:
    """Answers with what is in `contents`; `links` lead a path to another."""

    contents: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: tuple[Alias, ...] = ()  # of the profile, that are links
    below: tuple[str, ...] = ()  # what a folder holds that is to be moved
    fails: WandError | None = None
    asked: list[tuple[str, Ask]] = field(default_factory=list)

    async def aliases(self, profile: str, *, principal: str) -> tuple[Alias, ...]:
        return self.folders

    async def use(self, profile: str, ask: Ask, *, principal: str) -> Answer:
        self.asked.append((profile, ask))
        if self.fails is not None:
            raise self.fails
        if isinstance(ask, Survey):
            return SurveyAnswer(path=ask.path, names=self.below)
        if isinstance(ask, Arrange):
            return ArrangeAnswer(path=ask.path, to=ask.to, files=1, total_bytes=3)
        if isinstance(ask, Scan):
            return SearchAnswer(path="", matches=(), truncated=False, files_searched=1, files_skipped=0)
        path = self.links.get(ask.path, ask.path)
        if isinstance(ask, Write | Edit):
            return WriteAnswer(path=path, total_bytes=3, sha256="abc", created=True)
        if not isinstance(ask, Read) or path not in self.contents:
            raise NotFound(f"{path} does not exist", field="path")
        found = self.contents[path]
        return ReadAnswer(
            path=path, data=found, offset=0, total_bytes=len(found), binary=False, sha256="",
            modified_unix_seconds=0.0,
        )  # fmt: skip
