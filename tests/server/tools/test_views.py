"""The pages for clients that can show them, without a browser."""

import re

import pytest

from wand_server.tools import views
from wand_server.tools.registry import BUILT_IN

NAMED = sorted({kind.view for kind in BUILT_IN if kind.view})


@pytest.mark.parametrize("uri", NAMED)
def test_a_page_that_a_tool_names_is_there_small_and_loads_nothing(uri: str) -> None:
    found = views.read(uri)

    assert found is not None
    assert found.mime_type == "text/html;profile=mcp-app"
    assert len(found.data) < 10_000
    assert not re.search(rb"https?:|innerHTML|insertAdjacent|document\.write|eval\(", found.data)
    assert found.data.count(b"<script>") == 1
    assert all(not domains for domains in found.meta["ui"]["csp"].values())


def test_there_is_no_other_page() -> None:
    assert views.read("ui://wand/other") is None
