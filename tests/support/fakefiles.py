"""A file worker that keeps the port's shape, changes nothing, and remembers what it was asked."""

from dataclasses import dataclass, field

from wand_hostagent.filesystem.model import Answer, Ask, Edit, Read, ReadAnswer, Write, WriteAnswer
from wand_proto.errors import NotFound, WandError


@dataclass
class FakeFiles:
    """Answers with what is in `contents`; `links` lead a path to another."""

    contents: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    fails: WandError | None = None
    asked: list[tuple[str, Ask]] = field(default_factory=list)

    async def use(self, profile: str, ask: Ask, *, principal: str) -> Answer:
        self.asked.append((profile, ask))
        if self.fails is not None:
            raise self.fails
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
