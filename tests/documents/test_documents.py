"""Every operation of a service whose vendor describes it: tried as that description says."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from support import described, prism, samples
from wand_proto.errors import WandError
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.index import Known
from wand_server.integrations.kit.manifest import Manifest
from wand_server.integrations.kit.personal import OF_PEOPLE

CATALOG = Catalog()
DESCRIBED = [one for one in CATALOG.manifests.values() if one.tests.against == "document"]

pytestmark = [
    pytest.mark.timeout(500),
    pytest.mark.skipif(not prism.COMMAND.exists(), reason="Prism is not installed: ./dev documents"),
    pytest.mark.skipif(
        not prism.FOLDER.is_dir(), reason="WAND_OPENAPI_DIR names no folder of API descriptions"
    ),
]


def settings(manifest: Manifest, known: Known, url: str) -> dict[str, Any]:
    """Something for each setting that must be, and what the manifest says."""
    needed = {name: f"value-of-{name}" for name, one in known.settings.items() if one.required}
    said = {name: value.replace("{url}", url) for name, value in manifest.tests.settings.items()}
    return {**needed, **said, "base_url": url}


def document_of(manifest: Manifest, folder: Path) -> Path:
    """The vendor's document, each path with what sign-in puts before it."""
    read = described.typed(
        described.any_that_fits(
            described.lenient(described.mended(described.read(prism.FOLDER, manifest.tests.what)))
        )
    )
    if manifest.tests.prefix:
        read["paths"] = {f"{manifest.tests.prefix}{path}": item for path, item in read["paths"].items()}
    if manifest.tests.answers == "ours":
        described.answered(read, CATALOG.load(manifest.id).operations.values())
    if manifest.tests.tokens:
        read["paths"][manifest.tests.tokens] = described.TOKENS
    document = folder / "document.json"
    document.write_text(json.dumps(read))
    return document


def attempts(manifest: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation with few arguments and with all, as the manifest has it."""
    tests = manifest.tests
    for name, operation in CATALOG.load(manifest.id).operations.items():
        if name in tests.excused or name in tests.elsewhere or name in OF_PEOPLE:
            continue
        few, many = (samples.arguments(operation.input_schema, whole=whole) for whole in (False, True))
        kept = {key: value for key, value in many.items() if key not in tests.without.get(name, ())}
        given = dict(tests.given.get(name, {}))
        yield name, few | given
        if kept != few:
            yield name, kept | given


async def tried(manifest: Manifest, server: prism.Prism) -> list[str]:
    kind = CATALOG.load(manifest.id)
    given = settings(manifest, CATALOG.known[manifest.id], server.url)
    secrets = {name for name, one in CATALOG.known[manifest.id].settings.items() if one.secret}
    opened = {name: SecretStr(value) if name in secrets else value for name, value in given.items()}
    service, wrong = kind(kind.Config(**opened)), []
    await service.initialize()
    try:
        for name, arguments in attempts(manifest):
            why = ""
            try:
                await service.execute(name, arguments)
            except WandError as error:
                why = f"{type(error).__name__}: {error}"
            violations = server.violations()
            if why or violations:
                wrong.append(f"{name}({arguments}): {why} {violations}")
    finally:
        await service.cleanup()
    return wrong


@pytest.mark.parametrize("manifest", DESCRIBED, ids=lambda one: one.id)
def test_every_operation_is_as_the_vendor_describes_it(manifest: Manifest, tmp_path: Path) -> None:
    with prism.answering(document_of(manifest, tmp_path), tmp_path) as server:
        assert asyncio.run(tried(manifest, server)) == []
