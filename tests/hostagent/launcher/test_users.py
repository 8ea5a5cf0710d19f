"""Who a job runs as, by the system's lists alone."""

import os

import pytest

from wand_hostagent.launcher import users
from wand_hostagent.launcher.refusal import Refused


def test_only_root_gives_each_principal_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refused, match="only root can") as refused:
        users.nobody()
    assert (refused.value.kind, refused.value.hint) == ("BrokenPolicy", "leave run_as empty")


def test_root_has_somebody_to_begin_with_who_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    one = users.nobody()
    assert (one.name, one.uid, one.gid, one.groups, one.home, one.changes) == (
        "nobody",
        65534,
        65534,
        (),
        "/",
        True,
    )


def test_a_number_of_a_principal_has_a_group_of_its_own() -> None:
    one = users.numbered(70_000, "ann", "/home/ann")
    assert (one.name, one.uid, one.gid, one.groups, one.home) == ("ann", 70_000, 70_000, (), "/home/ann")
    assert (one.changes, one.shell[0]) == (True, "/")


@pytest.mark.parametrize(("number", "known"), [(0, True), (3_999_999_999, False)])
def test_a_number_is_known_where_the_system_has_it(number: int, *, known: bool) -> None:
    assert users.is_known(number) is known


@pytest.mark.parametrize(("name", "known"), [("root", True), ("nobody-is-called-so", False)])
def test_a_name_is_known_where_the_system_has_it(name: str, *, known: bool) -> None:
    assert users.is_named(name) is known
