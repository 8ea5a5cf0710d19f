"""Texts that mean what a request says, beside a ranking by words; their vectors are kept in a file."""

import asyncio
import base64
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wand_proto import logline
from wand_proto.errors import Broken, Unavailable, WandError
from wand_server import privatefiles
from wand_server.memory import acts, arrays, atomic, ranking
from wand_server.memory.nearest import NEAR_ENOUGH
from wand_server.ports import Embeddings

log = logging.getLogger(__name__)

_SECONDS = 1.0  # that a search waits for the vector of its request
_REST_SECONDS = 60.0  # that a model is left alone which did not answer
_AT_ONCE = 16  # texts in one go
_MOST_RANKED = 50
_CLOSENESS, _WEIGHT = 5, 0.5  # as `./dev queries --embeddings local` finds most


@dataclass(frozen=True, slots=True)
class _Learned:
    """All vectors, one a row, and which row is whose."""

    row_of: Mapping[str, int]
    rows: Any


class ByMeaning:
    """Offers `ports.Meaning`; close it before the embeddings."""

    def __init__(
        self,
        embeddings: Embeddings,
        file: Path,
        seconds: float = _SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """The file is made with the first search; it may be of another model, or broken."""
        self._embeddings = embeddings
        self._file = file
        self._seconds = seconds
        self._now = now
        self._texts: Mapping[str, str] = {}
        self._vectors: Mapping[str, bytes] | None = None  # by digest of the text; None: not read yet
        self._learned: _Learned | None = None
        self._learning: asyncio.Task[None] | None = None
        self._rests_until = 0.0
        self._is_ailing = False

    def take_up(self, texts: Mapping[str, str]) -> None:
        self._texts, self._learned = dict(texts), None

    async def joined(self, query: str, by_words: Sequence[str], among: Iterable[str]) -> Sequence[str]:
        """As the port says. Vectors of the texts are made beside, once somebody asks."""
        if self._now() < self._rests_until:
            return by_words
        learned = self._learned
        if learned is None:
            if self._learning is None or self._learning.done():
                self._learning = asyncio.create_task(self._learn(), name="meaning")
            return by_words
        asked = await self._vector(query)
        if not asked:
            return by_words
        if len(asked) != learned.rows[0].nbytes:
            self._learned = None  # another model has taken that name
            return by_words
        near = _nearest(learned, asked, among)
        return ranking.joined((by_words, near), _CLOSENESS, (1, _WEIGHT))

    async def settled(self) -> None:
        """Wait until vectors that are being made are there, or cannot be had."""
        if self._learning is not None:
            await asyncio.wait({self._learning})

    async def close(self) -> None:
        """End what still runs."""
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.gather(self._learning, return_exceptions=True)

    async def _vector(self, query: str) -> bytes:
        try:
            async with asyncio.timeout(self._seconds):
                (vector,) = await self._embeddings.embed([logline.struck(query)])
        except (WandError, TimeoutError) as why:
            self._rest(why)
            return b""
        self._is_ailing = False
        return acts.packed(vector)

    def _rest(self, why: Exception) -> None:
        """Leave the model alone for a while; that is told once, until it is well again."""
        self._rests_until = self._now() + _REST_SECONDS
        if not self._is_ailing:
            log.warning("no search by meaning", extra={"kind": type(why).__name__, "why": str(why)})
        self._is_ailing = True

    async def _learn(self) -> None:
        try:
            while self._learned is None and self._texts:
                texts = self._texts
                learned = await self._learn_of(texts)
                if texts is self._texts:
                    self._learned = learned
        except WandError as why:
            self._rest(why)

    async def _learn_of(self, texts: Mapping[str, str]) -> _Learned:
        numpy = await asyncio.to_thread(arrays.numpy)
        wanted = {_digest(text): text for text in texts.values()}
        if self._vectors is None:
            self._vectors = await asyncio.to_thread(self._read)
        before = self._vectors
        # one is asked for in any case: so the model is awake, and how long its vectors are is known
        first = next(iter(wanted))
        vector = (await self._made([wanted[first]]))[0]
        kept = {one: old for one, old in before.items() if one in wanted and len(old) == len(vector)}
        kept[first] = vector
        missing = [one for one in wanted if one not in kept]
        for begin in range(0, len(missing), _AT_ONCE):
            part = missing[begin : begin + _AT_ONCE]
            kept.update(zip(part, await self._made([wanted[one] for one in part]), strict=True))
            self._vectors = dict(kept)  # not made again where a later one fails
        if any(len(one) != len(vector) for one in kept.values()):
            self._vectors = {}
            raise Broken(f"{self._embeddings.model} gives vectors of several lengths")
        self._vectors = kept
        if kept != before:
            await asyncio.to_thread(self._write, kept)
        row_of = {digest: number for number, digest in enumerate(kept)}
        rows = numpy.frombuffer(b"".join(kept.values()), dtype="f4").reshape(len(kept), -1)
        return _Learned({name: row_of[_digest(text)] for name, text in texts.items()}, rows)

    async def _made(self, texts: Sequence[str]) -> list[bytes]:
        return [acts.packed(vector) for vector in await self._embeddings.embed(texts)]

    def _read(self) -> Mapping[str, bytes]:
        """The vectors of this model that are kept; none where the file is no such file."""
        privatefiles.make(self._file)
        try:
            whole = json.loads(self._file.read_bytes())
            same = whole["vectors"] if whole["model"] == self._embeddings.model else {}
            return {digest: base64.b64decode(vector, validate=True) for digest, vector in same.items()}
        except (ValueError, LookupError, TypeError, AttributeError):
            return {}
        except OSError as why:
            raise Unavailable(f"{self._file} cannot be read: {why.strerror}") from why

    def _write(self, vectors: Mapping[str, bytes]) -> None:
        said = {digest: base64.b64encode(vector).decode() for digest, vector in vectors.items()}
        whole = json.dumps({"model": self._embeddings.model, "vectors": said})
        try:
            atomic.write(self._file, whole.encode())
        except OSError as why:  # they are there all the same, until the end
            log.warning("vectors not kept", extra={"file": str(self._file), "why": why.strerror})


def _nearest(learned: _Learned, asked: bytes, among: Iterable[str]) -> list[str]:
    numpy = arrays.numpy()
    scores = (learned.rows @ numpy.frombuffer(asked, dtype="f4")).tolist()
    near = {name: scores[learned.row_of[name]] for name in among if name in learned.row_of}
    fit = [name for name, score in near.items() if score >= NEAR_ENOUGH]
    return sorted(fit, key=lambda name: -near[name])[:_MOST_RANKED]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
