"""A settings file is read whole or refused by its key."""

from pathlib import Path

import pytest

from wand_hostagent import settings
from wand_proto.errors import Denied, Invalid, NotFound


def written(folder: Path, text: str) -> Path:
    path = folder / "hostagent.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_an_empty_file_is_a_good_file(tmp_path: Path) -> None:
    got = settings.load(written(tmp_path, ""))

    assert got == settings.Settings()
    assert not got.development
    assert got.peers[0].startswith("spiffe://wand.internal/server/")


def test_a_file_that_is_not_there_is_said_to_need_no_content(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="an empty file is good too"):
        settings.load(tmp_path / "hostagent.toml")


def test_relative_paths_start_at_the_file_s_folder(tmp_path: Path) -> None:
    got = settings.load(
        written(tmp_path, 'listen = ["unix:h.sock", "127.0.0.1:0"]\n[tls]\nca = "pki/ca.crt"\n')
    )

    assert got.listen == (f"unix:{tmp_path}/h.sock", "127.0.0.1:0")
    assert got.tls.ca == tmp_path / "pki/ca.crt"
    assert got.tls.key == Path("/etc/wand/pki/hostagent.key")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('# one\nlisen = ["unix:/x"]', ".toml, line 2 (did you mean listen?"),
        ("listen = []", "at least one"),
        ('listen = ["unix:"]', "unix:"),
        (f'listen = ["unix:/{"x" * 107}"]', "107 bytes"),
        ('listen = ["7443"]', "HOST:PORT"),
        ('listen = [":7443"]', "HOST:PORT"),
        ('listen = ["localhost:70000"]', "HOST:PORT"),
        ('listen = ["localhost:http"]', "HOST:PORT"),
        ('listen = "unix:/x"', "listen"),
        ('peers = ["https://elsewhere"]', "peers"),
        ('peers = ["spiffe://wand.internal/server/*"]', "whole URI"),
        ("stop_seconds = -1", "stop_seconds"),
        ("# one\nstop_seconds = nan", ".toml, line 2"),
        ('log_level = "loud"', "log_level"),
        ('development = "yes"', "development"),
        ("[tls]\nkye = 'x'", "tls.kye"),
        ("[tls]\nkey = 1", "tls.key"),
        ("max_jobs = 0", "max_jobs"),
        ("[kept]\njobs = 0", ".toml, line 2"),
        ("[kept]\nseconds = inf", "seconds"),
        ("listen = 7443 7444", "line 1"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, text: str, named: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(Invalid) as refused:
        settings.load(path)

    assert named in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_beside_it_stands_over_it_and_is_named_where_it_is_wrong(tmp_path: Path) -> None:
    path = written(tmp_path, "max_jobs = 7\n[kept]\njobs = 8\n")
    (tmp_path / "hostagent.d").mkdir(mode=0o755)
    over = written(tmp_path / "hostagent.d", "[kept]\nseconds = 9\n")

    got = settings.load(path)
    assert (got.max_jobs, got.kept.jobs, got.kept.seconds) == (7, 8, 9.0)

    over.write_text("\n[kept]\nsecond = 9\n")
    with pytest.raises(Invalid) as refused:
        settings.load(path)
    assert f"kept.second: is not a setting, in {over}, line 3" in str(refused.value)


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    path.chmod(0o666)

    with pytest.raises(Denied, match="can be written by others"):
        settings.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        settings.load(tmp_path / "hostagent.toml")
