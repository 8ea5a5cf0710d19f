"""What the modules here share."""

from collections.abc import Iterator

import pytest

from support.places import short_folder
from support.running import Running, embedded


@pytest.fixture(scope="module")
def wand() -> Iterator[Running]:
    """A whole Wand for a module, with an empty workspace."""
    with short_folder() as folder:
        (folder / "work").mkdir()
        with embedded(folder / "work", folder / "state") as running:
            yield running
