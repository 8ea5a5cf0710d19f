"""Britive, against the paths and forms that the vendor's own client has."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from support.itservices import TOKEN, Vending, running
from wand_proto.errors import Denied, Invalid, NotFound
from wand_server.integrations.identity.britive import Britive

HERE = {"profile_id": "p1", "environment_id": "e1"}


@pytest.fixture
async def britive() -> AsyncIterator[Britive]:
    async with running(Vending()) as url:
        one = Britive(Britive.Config(base_url=url, token=SecretStr(TOKEN)))
        yield one
        await one.cleanup()


async def call(one: Britive, name: str, **given: Any) -> Any:
    return await one.execute(name, given)


async def test_access_is_asked_for_checked_out_used_and_given_back(britive: Britive) -> None:
    (mine,) = await call(britive, "list_my_access")
    assert mine["profiles"][0]["environments"] == [{"id": "e1", "name": "prod"}]
    with pytest.raises(Denied, match="approval is required"):
        await call(britive, "checkout_profile", **HERE)
    asked = await call(britive, "request_approval", **HERE, justification="outage")
    assert (asked["id"], asked["is_approved"]) == ("r1", False)
    assert (await call(britive, "request_approval", **HERE, justification="outage"))["is_approved"]
    out = await call(britive, "checkout_profile", **HERE, justification="outage")
    assert out["status"] == "checkOutSubmitted"
    with pytest.raises(Invalid, match="not checked out"):
        await call(britive, "get_credentials", transaction_id=out["id"])
    keys = await call(britive, "get_credentials", transaction_id=out["id"])
    assert keys["accessKeyID"] == "AKIA1"
    assert (await call(britive, "get_checkout_status", transaction_id="t1"))["status"] == "checkedOut"
    assert (await call(britive, "checkin_profile", transaction_id="t1"))["status"] == "checkedIn"
    with pytest.raises(NotFound, match="nothing is checked out"):
        await call(britive, "get_credentials", transaction_id="t1")
    assert await call(britive, "list_checked_out_profiles") == []


async def test_what_the_tenant_has_is_listed(britive: Britive) -> None:
    assert (await call(britive, "list_applications"))[0]["name"] == "AWS"
    assert (await call(britive, "list_profiles", application_id="a1"))[0]["id"] == "p1"
    for name, first, second in (("list_users", "u0", "u2"), ("list_groups", "g0", "g2")):
        page = await call(britive, name, size=2)
        assert page["items"][0]["id"] == first
        page = await call(britive, name, size=2, cursor=page["next_cursor"])
        assert [one["id"] for one in page["items"]] == [second]


async def test_the_log_is_read_on_by_its_mark(britive: Britive) -> None:
    page = await call(britive, "query_audit_logs")
    assert (page["items"], page["next_cursor"]) == ([{"n": 1}], "mark-2")
    page = await call(britive, "query_audit_logs", until="2026-01-08T00:00:00Z", cursor="mark-2")
    assert page["items"] == [{"n": 2}]
    with pytest.raises(Invalid, match="next_cursor"):
        await call(britive, "query_audit_logs", cursor="a\r\nX-Evil: 1")


async def test_a_wrong_token_is_told_without_it() -> None:
    async with running(Vending()) as url:
        one = Britive(Britive.Config(base_url=url, token=SecretStr("wrong-token")))
        with pytest.raises(Denied) as caught:
            await one.health_check()
        assert "wrong-token" not in str(caught.value)
        await one.cleanup()
