"""What is kept is kept for whoever asked, for as long as said, and asked for again only if it has changed."""

import pytest

from support.foreign import Says, Service, serving
from support.host import FakeHost, call
from wand_server.integrations.kit import Integration, Resource, get, post, workspace
from wand_server.integrations.kit.workspace import Workspace
from wand_server.memory.cache import InMemoryCache

ONE, TWO = Says(body={"n": 1}, headers={"ETag": '"1"'}), Says(body={"n": 2}, headers={"ETag": '"2"'})
SAME = Says(status=304, headers={"ETag": '"1"'})


class Number(Resource):
    n: int = 0


class Numbers(Integration):
    """Counts."""

    async def health_check(self) -> None:
        """It is well."""

    @get("/n", kept=60.0)
    async def get_number(self, at: int = 0) -> Number:
        """Get the number."""

    @get("/n", kept=0.0)
    async def get_number_now(self) -> Number:
        """Get the number as it is now."""

    @post("/n")
    async def count(self) -> None:
        """Count on."""


async def ask(service: Service, *asked: tuple[str, str, dict[str, int]]) -> list[int]:
    """The numbers that people get, one after another; none for nobody."""
    cache = InMemoryCache(1024 * 1024)
    numbers = Numbers(Numbers.Config(base_url=service.url))
    got = []
    try:
        for name, operation, given in asked:
            one = call()
            one = one._replace(principal=type(one.principal)(name=name, means="api_key"))
            with workspace.given(Workspace(host=FakeHost(), call=one, cache=cache)):
                answer = await numbers.execute(operation, given)
                got += [answer["n"]] if answer else []
        return got
    finally:
        await numbers.cleanup()


READ, NOW, COUNT = "get_number", "get_number_now", "count"


@pytest.mark.parametrize(
    ("asked", "answers", "got", "times"),
    [
        ([("ann", READ, {}), ("ann", READ, {})], [ONE, TWO], [1, 1], 1),
        ([("ann", READ, {}), ("bob", READ, {})], [ONE, TWO], [1, 2], 2),
        ([("ann", READ, {}), ("ann", READ, {"at": 1})], [ONE, TWO], [1, 2], 2),
        ([("ann", READ, {}), ("ann", COUNT, {}), ("ann", READ, {})], [ONE, Says(body={}), TWO], [1, 2], 3),
        ([("ann", READ, {}), ("bob", COUNT, {}), ("ann", READ, {})], [ONE, Says(body={}), TWO], [1, 1], 2),
        ([("ann", NOW, {}), ("ann", NOW, {}), ("ann", NOW, {})], [ONE, SAME, TWO], [1, 1, 2], 3),
        (
            [("ann", READ, {}), ("ann", READ, {})],
            [Says(body={"n": 1}, headers={"Cache-Control": "private, No-Store"}), TWO],
            [1, 2],
            2,
        ),
    ],
)
async def test_a_read_is_kept_for_whoever_asked(
    asked: list[tuple[str, str, dict[str, int]]], answers: list[Says], got: list[int], times: int
) -> None:
    async with serving(*answers) as service:
        assert await ask(service, *asked) == got
        assert len(service.asked) == times


async def test_it_is_asked_whether_it_has_changed() -> None:
    async with serving(ONE, SAME) as service:
        await ask(service, ("ann", NOW, {}), ("ann", NOW, {}))
        assert [one.headers.get("if-none-match") for one in service.asked] == [None, '"1"']
