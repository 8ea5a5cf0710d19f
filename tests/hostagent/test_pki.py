"""The authority and its leaves are made, kept, renewed and shown."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from support import certificates
from wand_hostagent import pki
from wand_proto import tls

ALL = ["ca.crt", "hostagent.crt", "server.crt"]
LEAVES = ALL[1:]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pki"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_is_made_once_and_the_keys_are_for_their_owner_alone(folder: Path) -> None:
    old = os.umask(0o002)
    try:
        assert pki.ensure(folder, "box") == ALL
    finally:
        os.umask(old)
    before = contents(folder)

    assert pki.ensure(folder, "box") == []
    assert contents(folder) == before
    for name in ("ca", "hostagent", "server"):
        assert stat.S_IMODE((folder / f"{name}.key").stat().st_mode) == 0o600
        assert stat.S_IMODE((folder / f"{name}.crt").stat().st_mode) == 0o644
    tls.load(pki.identity(folder, "hostagent"))
    tls.load(pki.identity(folder, "server"))


def test_renew_makes_both_leaves_again_and_never_the_authority(folder: Path) -> None:
    pki.ensure(folder, "box")
    before = contents(folder)

    assert pki.ensure(folder, "box", renew=True) == LEAVES

    changed = {name for name, content in contents(folder).items() if content != before[name]}
    assert changed == {"hostagent.crt", "hostagent.key", "server.crt", "server.key"}


@pytest.mark.parametrize(("age_days", "made"), [(19, []), (21, ["server.crt"])])
def test_a_leaf_is_renewed_at_two_thirds_of_its_life(folder: Path, age_days: int, made: list[str]) -> None:
    pki.ensure(folder, "test")
    since = datetime.now(UTC) - timedelta(days=age_days)
    certificates.issue(folder, certificates.authority_of(folder), certificates.SERVER, days=30, since=since)

    assert pki.ensure(folder, "test") == made


@pytest.mark.parametrize("spoil", ["absent", "garbage", "other key", "other authority", "other name"])
def test_an_unfit_leaf_is_made_again(folder: Path, spoil: str) -> None:
    pki.ensure(folder, "test")
    key = folder / "server.key"
    if spoil == "absent":
        key.unlink()
    elif spoil == "garbage":
        (folder / "server.crt").write_text("garbage")
    elif spoil == "other key":
        key.write_bytes((folder / "ca.key").read_bytes())
    elif spoil == "other authority":
        certificates.foreign(folder, certificates.SERVER)

    assert pki.ensure(folder, "other" if spoil == "other name" else "test")[-1] == "server.crt"
    assert pki.ensure(folder, "other" if spoil == "other name" else "test") == []


@pytest.mark.parametrize("file", ["ca.crt", "ca.key"])
@pytest.mark.parametrize("spoil", ["absent", "garbage", "another"])
def test_a_broken_authority_is_never_written_over(
    folder: Path, file: str, spoil: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pki.ensure(folder, "box")
    path = folder / file
    if spoil == "absent":
        path.unlink()
    elif spoil == "garbage":
        path.write_text("garbage")
    else:
        path.write_bytes((folder / file.replace("ca", "server")).read_bytes())
    before = contents(folder)

    assert pki.main(["ensure", "--directory", str(folder)]) == 1
    assert "to begin anew" in capsys.readouterr().err
    assert contents(folder) == before


def test_the_authority_cannot_sign_for_other_names(folder: Path) -> None:
    pki.ensure(folder, "box")
    constraints = certificates.authority_of(folder).certificate.extensions.get_extension_for_class(
        x509.NameConstraints
    )

    assert constraints.critical
    assert {str(each.value) for each in constraints.value.permitted_subtrees or ()} == {"wand.internal"}


def test_two_at_once_make_one_authority(folder: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: pki.ensure(folder, "box"), range(4)))

    assert sorted(made) == [[], [], [], ALL]


def test_show_prints_names_uris_and_days_left(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pki.main(["ensure", "--directory", str(folder), "--hostname", "box", "--days", "10"])
    capsys.readouterr()

    assert pki.main(["show", "--directory", str(folder)]) == 0

    ca, hostagent, server = capsys.readouterr().out.splitlines()
    assert "days left" in ca
    assert "hostagent.wand.internal spiffe://wand.internal/hostagent/box" in hostagent
    assert "spiffe://wand.internal/server/box" in server
    assert "9 days left" in server


def test_a_directory_that_others_may_write_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir()
    folder.chmod(0o777)

    assert pki.main(["ensure", "--directory", str(folder)]) == 1
    assert f"{folder} can be written by others" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_directory_of_another_user_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.mkdir()
    os.chown(folder, 4242, 4242)

    assert pki.main(["ensure", "--directory", str(folder)]) == 1
    assert f"{folder} is user 4242's (chown 0 {folder})" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ensure", "--directory", "/proc/none"], "/proc/none cannot be written"),
        (["show", "--directory", "/nowhere"], "/nowhere holds no certificate (wand-hostagent pki ensure"),
        (["ensure", "--directory", "x", "--hostname", "a/b"], "--hostname: 'a/b' is no host name"),
    ],
)
def test_bad_input_is_named_and_ends_with_1(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pki.main(words) == 1
    assert says in capsys.readouterr().err


def test_an_authority_open_to_others_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pki.ensure(folder, "box")
    (folder / "ca.key").chmod(0o644)

    assert pki.main(["renew", "--directory", str(folder)]) == 1
    assert "ca.key is open to others (chmod 600" in capsys.readouterr().err
