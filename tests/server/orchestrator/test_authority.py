"""Whose authority a task has: narrowed and never widened, and looked at again."""

import time
from dataclasses import replace
from typing import Any

import pytest

from support.agents import ANN
from wand_proto.errors import Denied, Invalid
from wand_server.model import Principal
from wand_server.orchestrator import authority
from wand_server.scopes import InsufficientScope


@pytest.mark.parametrize(
    ("wished", "granted"),
    [
        (None, ANN.scopes),
        (["wand:read"], {"wand:read"}),
        ([], set()),
        (["wand:read", "wand:write"], ANN.scopes),
    ],
)
def test_a_task_has_its_callers_scopes_or_fewer(wished: Any, granted: set[str]) -> None:
    found = authority.narrowed(ANN, wished)

    assert found.scopes == granted
    assert replace(found, scopes=ANN.scopes) == ANN


@pytest.mark.parametrize(
    ("wished", "error"),
    [
        (["wand:admin"], InsufficientScope),
        (["wand:read", "wand:execute"], InsufficientScope),
        (["wand:tool:execute_command"], InsufficientScope),
        (["read"], Invalid),
        ("wand:read", Invalid),
        ([1], Invalid),
    ],
)
def test_it_never_has_more(wished: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        authority.narrowed(ANN, wished)


async def is_over(principal: Principal) -> bool:
    return principal.credential == "taken back"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"expires": time.time() - 1}, "has expired"),
        ({"credential": "taken back"}, "was taken back"),
    ],
)
async def test_a_sign_in_that_counts_no_more_carries_nothing_out(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(Denied, match=said):
        await authority.check(replace(ANN, **changed), is_over)


async def test_one_that_counts_does() -> None:
    await authority.check(replace(ANN, expires=time.time() + 60), is_over)
