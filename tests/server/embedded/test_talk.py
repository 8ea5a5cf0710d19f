"""What the person who started an embedded Wand is told."""

from pathlib import Path

import pytest

from wand_server.embedded import talk
from wand_server.embedded.place import Place


@pytest.mark.parametrize("public", ["", "https://wand.example"])
def test_how_to_come_in_from_elsewhere_is_told_where_there_is_a_way(tmp_path: Path, public: str) -> None:
    (tmp_path / "api-key").write_text("wand_key")
    place = Place(workspace=tmp_path, state=tmp_path, run=tmp_path)

    told = talk.welcome(place, 8001, [], public)

    assert (f"wand {public}/mcp && claude mcp login wand" in told) is bool(public)
    assert (f"people --settings {tmp_path}/server.toml add" in told) is bool(public)
