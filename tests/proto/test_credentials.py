"""What systemd hands to a service is used before what lies in /etc."""

from pathlib import Path

import pytest

from support import certificates
from wand_hostagent.settings import Tls
from wand_proto import credentials, tls
from wand_proto.errors import Denied


def test_without_credentials_the_files_lie_in_etc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)

    assert Tls().key == Path("/etc/wand/pki/hostagent.key")


def test_a_file_among_the_credentials_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "hostagent.key").touch()

    assert Tls().key == tmp_path / "hostagent.key"
    assert Tls().ca == Path("/etc/wand/pki/ca.crt")


def test_a_credential_may_show_the_mask_of_its_list_as_the_group_s_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, identity = certificates.good(tmp_path)
    identity.key.chmod(0o440)
    with pytest.raises(Denied, match="open to others"):
        tls.load(identity)

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert tls.load(identity)
    assert credentials.is_credential(identity.key)

    identity.key.chmod(0o444)
    with pytest.raises(Denied, match="open to others"):
        tls.load(identity)
