"""The launcher's command line."""

import pytest

from wand_hostagent.launcher import options

NEEDED = ["--profiles", "/p", "--ledger", "/l"]


@pytest.mark.parametrize("user", ["0", "root"])
def test_the_peer_is_known_by_number_or_by_name(user: str) -> None:
    assert options.read([*NEEDED, "--peer-uid", user]).peer_uid == 0


@pytest.mark.parametrize("user", ["-1", "no-such-user", "1.5"])
def test_a_peer_that_is_no_user_is_refused(user: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options.read([*NEEDED, "--peer-uid", user])

    assert ended.value.code == 2
    assert "--peer-uid" in capsys.readouterr().err
