"""Notes: kept for whoever wrote them, with where they came from; found by words and by meaning together."""

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from wand_proto import logline
from wand_proto.errors import Denied, Invalid, NotFound, WandError
from wand_server import scopes
from wand_server.memory import acts, arrays, nearest, provenance, ranking
from wand_server.memory.nearest import ByNumpy, ByPgvector, Nearest
from wand_server.memory.provenance import Seen
from wand_server.model import Principal
from wand_server.ports import PROJECT, SHARED, Embeddings, NewNote, Note, Recalled, Remembered
from wand_server.storage import checking
from wand_server.storage.asking import Doing, Engine

log = logging.getLogger(__name__)

_MOST_RANKED = 50  # in each ranking
_TOLD = 8  # notes in an answer
_EMBED_SECONDS = 10.0
_AT_ONCE = 32  # notes that get their vectors later, in one go
_MOST_SOURCE = 500  # characters
_MOST_QUESTION = 4000  # characters of which the meaning is asked
_ID = re.compile(r"[0-9a-f]{1,32}")
_MOST_PROJECT = 100
_NO_EMBEDDINGS = "no embeddings are set up ([memory] in the settings)"

Open = Callable[[], Awaitable[Engine]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much a principal may keep, and who may write for all."""

    notes: int = 10_000
    note_bytes: int = 8192
    shared_by: tuple[str, ...] = ()  # names and groups; "*": anybody


class Notes:
    """Offers `ports.Memory`; the database is opened when it is first asked. Close it."""

    def __init__(
        self, opened: Open, bounds: Bounds, embeddings: Embeddings | None = None, seen: Seen | None = None
    ) -> None:
        self._open = opened
        self._bounds = bounds
        self._embeddings = embeddings
        self._seen = seen or Seen()
        self._turn = asyncio.Lock()
        self._engine: Engine | None = None
        self._nearest: Nearest | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._is_behind = (
            True  # there may be notes without a vector: from before, or kept when there was none
        )

    async def remember(self, principal: Principal, new: NewNote) -> Remembered:
        place = self._place(principal, new.scope, to_write=True)
        text, source = self._checked(new)
        struck = logline.struck(text)
        engine = await self._opened()
        told_by = self._seen.tool_that_told(principal.owner, text)
        if told_by and provenance.is_trusted(source):
            source = f"a result of {told_by}, though said to be a person"
        model, vector = await self._vector(struck)
        draft = acts.Draft(
            id=secrets.token_hex(5),
            owner=principal.owner,
            by=principal.name,
            place=place,
            scope=new.scope,
            text=struck,
            source=source or (f"a result of {told_by}" if told_by else ""),
            trusted=provenance.is_trusted(source),
            model=model,
            vector=vector,
        )
        act = partial(acts.remember, draft=draft, most=self._bounds.notes, dialect=_dialect(engine))
        note, is_new = await engine.write(Doing(act, alone=True))
        return Remembered(note=note, is_new=is_new, struck=struck != text)

    async def recall(self, principal: Principal, query: str, scope: str) -> Recalled:
        names = [self._place(principal, scope)]
        if not scope:
            names.append(self._place(principal, SHARED))
        engine = await self._opened()
        looking = partial(
            acts.look, names=names, asked=ranking.words(query), most=_MOST_RANKED, dialect=_dialect(engine)
        )
        places, by_words = await engine.read(looking)
        rankings = [by_words]
        why_not = self._why_no_meaning()
        if places and not why_not:
            model, vector = await self._vector(query[:_MOST_QUESTION])
            if vector:
                assert self._nearest is not None
                rankings.append(await self._nearest.find(places, model, vector, _MOST_RANKED))
            else:
                why_not = "the service that makes embeddings does not answer"
            self._catch_up(engine)
        best = ranking.joined(rankings)[:_TOLD]
        found = await engine.read(partial(acts.notes, seqs=best))
        for note in found:  # what is told again does not become a person's word by that
            if not note.trusted:
                self._seen.told(principal.owner, "recall", note.text)
        return Recalled(notes=found, by_meaning=not why_not, why_not=why_not)

    async def forget(self, principal: Principal, note: str) -> Note:
        if not _ID.fullmatch(note):
            raise NotFound("you have no such note", hint="recall tells the ids of notes", field="id")
        engine = await self._opened()
        shared = SHARED if scopes.ADMIN in principal.scopes else ""
        act = partial(acts.forget, note=note, owner=principal.owner, shared=shared, dialect=_dialect(engine))
        gone: Note = await engine.write(Doing(act, alone=True))
        return gone

    async def close(self) -> None:
        """End what still runs."""
        if self._catching_up is not None:
            self._catching_up.cancel()
            await asyncio.gather(self._catching_up, return_exceptions=True)
        if self._embeddings is not None:
            await self._embeddings.close()

    # -- who may write and read where ---------------------------------------------------------------------

    def _place(self, principal: Principal, scope: str, *, to_write: bool = False) -> str:
        """The name of the place that a scope is for this principal.

        Raises:
            Invalid: it is no scope.
            Denied: they may not write there.
        """
        if not scope:
            return f"own {principal.owner}"
        if scope == SHARED:
            if to_write:
                self._check_shared(principal)
            return SHARED
        name = scope.removeprefix(PROJECT)
        if name == scope or not checking.is_line(name) or not 0 < len(name) <= _MOST_PROJECT:
            hint = f"leave it out for your own notes, or say {PROJECT}NAME or {SHARED}"
            raise Invalid(f"{scope!r:.80} is no scope", hint=hint, field="scope")
        return f"project {principal.owner} {name}"

    def _check_shared(self, principal: Principal) -> None:
        may = self._bounds.shared_by
        if "*" not in may and not {principal.name, *principal.groups} & set(may):
            hint = f"leave scope out, or say {PROJECT}NAME; memory.shared_by in the settings names who may"
            raise Denied("you may not write what all read", hint=hint, field="scope")

    def _checked(self, new: NewNote) -> tuple[str, str]:
        text, source = new.text.strip(), new.source.strip()
        size, most = len(text.encode("utf-8", "surrogatepass")), self._bounds.note_bytes
        if not text or "\0" in text:
            raise Invalid("must be text", field="text")
        if size > most:
            hint = "note what matters, and where the rest is"
            raise Invalid(f"{size:,} bytes are too many: {most:,} at most", hint=hint, field="text")
        source = "".join(char if char.isprintable() else " " for char in logline.struck(source))
        return text.encode(errors="replace").decode(), source[:_MOST_SOURCE]

    # -- meaning --------------------------------------------------------------------------------------------

    async def _opened(self) -> Engine:
        async with self._turn:
            if self._engine is None:
                engine = await self._open()
                self._nearest = await _nearest(engine) if self._embeddings is not None else None
                self._engine = engine
            return self._engine

    def _why_no_meaning(self) -> str:
        if self._embeddings is None:
            return _NO_EMBEDDINGS
        return arrays.missing() if self._nearest is None else ""

    async def _vector(self, text: str) -> tuple[str, bytes]:
        """A text's vector, and the model that made it; none where there is none to be had now."""
        if self._embeddings is None or self._nearest is None:
            return "", b""
        try:
            async with asyncio.timeout(_EMBED_SECONDS):
                (vector,) = await self._embeddings.embed([text])
        except (WandError, TimeoutError) as why:
            log.warning("no embedding", extra={"kind": type(why).__name__, "why": str(why)})
            self._is_behind = True
            return "", b""
        return self._embeddings.model, acts.packed(vector)

    def _catch_up(self, engine: Engine) -> None:
        """Begin to make vectors for notes that have none of this model, unless that goes on already."""
        if self._is_behind and (self._catching_up is None or self._catching_up.done()):
            self._catching_up = asyncio.create_task(self._make_missing(engine), name="embeddings")

    async def _make_missing(self, engine: Engine) -> None:
        assert self._embeddings is not None
        model = self._embeddings.model
        self._is_behind = False
        try:
            while found := await engine.read(partial(acts.without_vector, model=model, most=_AT_ONCE)):
                made = await self._embeddings.embed([one.text for one in found])
                await _set(engine, model, list(zip(found, made, strict=True)))
        except WandError:  # at the next question again
            self._is_behind = True


async def _set(engine: Engine, model: str, made: Sequence[tuple[acts.Meaning, Sequence[float]]]) -> None:
    for one, vector in made:
        act = partial(acts.set_vector, seq=one.seq, model=model, vector=acts.packed(vector))
        await engine.write(Doing(act, alone=True))


async def _nearest(engine: Engine) -> Nearest | None:
    """The way to compare vectors: the database's where it has one, else numpy, else none."""
    if _dialect(engine) == "postgres" and await nearest.has_pgvector(engine):
        return ByPgvector(engine)
    if arrays.missing():
        return None
    return ByNumpy(engine, await asyncio.to_thread(arrays.numpy))


def _dialect(engine: Any) -> str:
    return str(engine.dialect.name)
