"""Who may use the stdio socket is read from the settings, by name or number."""

import grp
import os

import pytest

from wand_proto.errors import Invalid
from wand_server import live
from wand_server.settings import Stdio


def test_users_and_groups_are_known_by_name_or_number() -> None:
    group = grp.getgrgid(os.getegid())

    for name in (group.gr_name, str(group.gr_gid)):
        assert live.admitted(Stdio(allowed_groups=(name,))).gids == {group.gr_gid}
    assert live.admitted(Stdio(allowed_users=("4711",))).uids == {os.geteuid(), 4711}


@pytest.mark.parametrize("what", ["user", "group"])
@pytest.mark.parametrize("name", ["nobody-of-that-name", "\u00b2", "9" * 5000, "a\x00"])
def test_a_name_that_is_not_there_is_told(what: str, name: str) -> None:
    with pytest.raises(Invalid, match=f"there is no {what} ") as raised:
        live.admitted(Stdio.model_validate({f"allowed_{what}s": (name,)}))
    assert raised.value.field == f"stdio.allowed_{what}s"
