"""`wand-server artifacts`: an administrator sees what is kept for whom, shares it and ends it."""

import asyncio
import os
import re
from pathlib import Path

import pytest

from support.places import short_folder
from wand_proto.errors import NotFound
from wand_server import cli, keeping, settings
from wand_server.model import Principal
from wand_server.ports import NewArtifact

ANN, BOB = Principal(name="ann", means="api_key").owner, Principal(name="bob", means="api_key").owner


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "server.toml"
    file.write_text('[state]\nfolder = "state"\n')
    return file


def keep(file: Path) -> str:
    folder = keeping.artifact_folder(settings.load(file, {}))
    return asyncio.run(folder.keep(ANN, NewArtifact(data=b"x", name="call-r1.json"))).digest


def run(file: Path, *words: str) -> int:
    return cli.run(["artifacts", *words, "--settings", str(file)])


def test_what_is_kept_is_listed_shared_and_removed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(file, "list") == 0
    assert capsys.readouterr().out == ""
    digest = keep(file)
    assert run(file, "share", digest, "api_key:bob") == 0
    assert "NOT in the ledger: " in capsys.readouterr().err  # there is no host agent
    assert cli.run(["artifacts", "--settings", str(file), "list"]) == 0  # before the verb too
    lines = capsys.readouterr().out.splitlines()
    assert sorted(re.sub(r"^\S+ +1 \S+ ", "", line) for line in lines) == [
        "api_key:ann call-r1.json",
        "api_key:bob lent by api_key:ann call-r1.json",
    ]
    folder = keeping.artifact_folder(settings.load(file, {}))
    assert asyncio.run(folder.read(BOB, digest, (0, 10))).data == b"x"
    assert run(file, "remove", digest) == 0
    with pytest.raises(NotFound):
        asyncio.run(folder.find(BOB, digest))
    assert list((file.parent / "state" / "artifacts" / "objects").glob("*/*")) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("remove", "0" * 64), "nobody has a file of that digest"),
        (("share", "DIGEST", "bob"), 'must be like api_key:ann, or "everyone"'),
    ],
)
def test_what_cannot_be_done_is_said(
    file: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    digest = keep(file)
    assert run(file, *(digest if word == "DIGEST" else word for word in words)) == 1
    assert said in capsys.readouterr().err


def test_what_root_does_there_belongs_to_the_user_whose_folder_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with short_folder() as folder:
        (file := folder / "server.toml").write_text('[state]\nfolder = "state"\n')
        digest, artifacts = keep(file), folder / "state" / "artifacts"
        for path in (folder, artifacts.parent):
            path.chmod(0o755)
        for path in (artifacts, *artifacts.rglob("*")):
            os.chown(path, 65534, 65534)
        assert run(file, "share", digest, "everyone") == 0
        assert {path.stat().st_uid for path in artifacts.rglob("*")} == {65534}
    assert os.geteuid() == 0
    assert capsys.readouterr().out == "everyone may read it as long as it is kept\n"
