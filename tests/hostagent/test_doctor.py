"""What the doctor says of a kernel and of addresses, as tables."""

from pathlib import Path

import pytest

from wand_hostagent import doctor
from wand_hostagent.doctor import kernel


@pytest.mark.parametrize(
    ("text", "state", "lacking"),
    [
        ("cpuset cpu io memory hugetlb pids rdma misc", "ok", ""),
        ("cpuset cpu io pids", "note", "memory"),
        ("", "note", "cpu, io, memory, pids"),
        (None, "note", "not found"),
    ],
)
def test_controllers_that_a_kernel_lacks_are_named(text: str | None, state: str, lacking: str) -> None:
    found = kernel.controllers(text)

    assert (found.state, lacking in found.says) == (state, True)


@pytest.mark.parametrize(
    ("said", "state"), [("15000", "ok"), ("", "ok"), ("0", "note")]
)  # "": the kernel has no such switch
def test_a_switch_that_keeps_users_from_namespaces_is_named(said: str, state: str) -> None:
    found = kernel.user_namespaces([("1", "0", "another"), (said, "0", "this one")])

    assert (found.state, found.hint) == (state, "this one" if state == "note" else "")


@pytest.mark.parametrize(
    ("mode", "is_development", "state"),
    [(0o600, False, "ok"), (0o640, False, "missing"), (0o640, True, "ok")],
)
def test_the_key_that_signs_is_its_owners_alone(mode: int, *, is_development: bool, state: str) -> None:
    assert doctor.authority_key(Path("/x/ca.key"), mode, is_development=is_development).state == state


@pytest.mark.parametrize(("answers", "state"), [(True, "ok"), (False, "missing"), (None, "note")])
def test_a_socket_is_told(*, answers: bool | None, state: str) -> None:
    assert doctor.answering(Path("/x"), answers=answers).state == state
