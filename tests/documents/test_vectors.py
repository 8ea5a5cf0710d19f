"""What asks for vectors, as Ollama's and OpenAI's own descriptions say that it has to."""

import json
from pathlib import Path

import pytest

from support import described, prism
from wand_server.memory.embeddings.services import Ollama, OpenAI, Service

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not prism.COMMAND.exists(), reason="Prism is not installed: ./dev documents"),
    pytest.mark.skipif(
        not prism.FOLDER.is_dir(), reason="WAND_OPENAPI_DIR names no folder of API descriptions"
    ),
]


@pytest.mark.parametrize(
    ("kind", "document", "model"),
    [(Ollama, "ollama.json", "nomic-embed-text"), (OpenAI, "openai.json.gz", "text-embedding-3-small")],
)
async def test_a_request_for_vectors_is_as_the_vendor_describes_it(
    kind: type[Service], document: str, model: str, tmp_path: Path
) -> None:
    whole = described.mended(described.read(prism.FOLDER, document))
    path = next(path for path in whole["paths"] if path.endswith(kind.path))
    place = tmp_path / "document.json"
    place.write_text(json.dumps({**whole, "paths": {path: whole["paths"][path]}}))
    with prism.answering(place, tmp_path) as server:
        made = kind(server.url + path.removesuffix(kind.path), model, "a-key")
        try:
            vectors = await made.embed(["one text"])
        finally:
            await made.close()
        assert server.violations() == []
    assert len(vectors) == 1
    assert all(isinstance(value, float) for value in vectors[0])
