"""A socket's path is taken from the dead, never from the living."""

import socket
from pathlib import Path

import pytest

from wand_hostagent.service import listen
from wand_proto.errors import Conflict, NotFound


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    return Path("h.sock")


def bound(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    return sock


def test_a_path_where_nothing_lies_is_free(path: Path) -> None:
    listen.check_free(path)


def test_a_socket_of_a_dead_process_is_free(path: Path) -> None:
    bound(path).close()

    listen.check_free(path)


def test_a_socket_on_which_somebody_listens_is_not_free(path: Path) -> None:
    with bound(path) as sock:
        sock.listen(1)

        with pytest.raises(Conflict, match="another process listens"):
            listen.check_free(path)


def test_a_file_is_never_taken_for_a_socket(path: Path) -> None:
    path.touch()

    with pytest.raises(Conflict, match="no socket"):
        listen.check_free(path)


def test_a_missing_folder_is_named(path: Path) -> None:
    with pytest.raises(NotFound, match="missing"):
        listen.check_free(Path("missing") / path)
