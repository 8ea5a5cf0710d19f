"""Where an embedded Wand has its sockets: the same place at every start, and nobody else's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.places import short_folder
from wand_server.embedded.place import Unfit, prepared


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the sockets of a state with a long path go."""
    with short_folder() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder


def long_state(folder: Path) -> Path:
    return folder / ("x" * 120)


def test_sockets_lie_at_the_same_path_at_every_start(tmp_path: Path, base: Path) -> None:
    paths = set()
    for _ in range(2):
        with prepared(tmp_path, long_state(tmp_path)) as place:
            paths.add(place.stdio_socket)

    assert {path.parent.parent for path in paths} == {base}
    assert len(paths) == 1
    assert not list(base.iterdir())


def test_what_a_killed_one_has_left_is_gone_at_the_next_start(tmp_path: Path, base: Path) -> None:
    with prepared(tmp_path, long_state(tmp_path)) as place:
        run = place.run
    run.mkdir()
    (run / "stdio.sock").touch()

    with prepared(tmp_path, long_state(tmp_path)) as place:
        assert list(base.iterdir()) == [place.run]
        assert not list(place.run.iterdir())


def test_a_link_in_the_place_of_the_sockets_is_refused(tmp_path: Path, base: Path) -> None:
    with prepared(tmp_path, long_state(tmp_path)) as place:
        run = place.run
    run.symlink_to(tmp_path)

    with pytest.raises(Unfit, match="is a link"), prepared(tmp_path, long_state(tmp_path)):
        pass
