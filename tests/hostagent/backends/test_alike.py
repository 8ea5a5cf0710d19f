"""Every backend behaves alike, on real parts: one table, which packages that bring a backend can run too.

`./dev alike` prints it.
"""

from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from support.alike import KINDS, Opened, Parts, wrongs_when_cut
from wand_hostagent.backends.behaviours import BEHAVIOURS
from wand_hostagent.backends.conformance import Behaviour, wrongs

pytestmark = pytest.mark.timeout(150)  # a container is made for each, and a machine may be busy


@pytest.fixture(scope="module")
def parts(request: pytest.FixtureRequest) -> Parts:
    real = partial(request.getfixturevalue)
    return Parts(dockerd=partial(real, "dockerd"), sshd=partial(real, "sshd"))


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def opened(request: pytest.FixtureRequest, parts: Parts) -> AsyncIterator[Opened]:
    async with parts.opening(request.param) as one:
        yield one


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("one", BEHAVIOURS, ids=lambda one: str(one.name))
async def test_every_backend_does_the_same(opened: Opened, one: Behaviour) -> None:
    assert await wrongs(opened.backend, one, opened.permit) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_where_the_link_is_cut_in_mid_job_nobody_says_how_it_ended(parts: Parts, kind: str) -> None:
    async with parts.opening(kind) as opened:
        assert await wrongs_when_cut(opened) == []


def test_there_are_forty() -> None:
    assert len({one.name for one in BEHAVIOURS}) >= 40
