"""ServiceNow, against what its documentation says of it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from support.foreign import Says, serving
from support.itservices import PASSWORD, USER, Now, running
from wand_proto.errors import Denied, Invalid, NotFound, WandError
from wand_server.integrations.identity.servicenow import ServiceNow


def service(url: str, **more: Any) -> ServiceNow:
    usual: dict[str, Any] = {"username": USER, "password": SecretStr(PASSWORD)}
    return ServiceNow(ServiceNow.Config(base_url=url, **(more or usual)))


@pytest.fixture
async def now() -> AsyncIterator[ServiceNow]:
    async with running(Now()) as url:
        one = service(url)
        yield one
        await one.cleanup()


async def call(one: ServiceNow, name: str, **given: Any) -> Any:
    return await one.execute(name, given)


async def test_an_incident_is_raised_looked_at_changed_and_resolved(now: ServiceNow) -> None:
    raised = await call(now, "create_incident", short_description="mail is down", urgency=1, caller="Ann")
    read = await call(now, "get_record", table="incident", sys_id=raised["sys_id"])
    assert (read["urgency"], read["impact"], read["caller_id"]) == ("1", "3", "Ann")
    values = {"work_notes": "looking"}
    await call(now, "update_record", table="incident", sys_id=raised["sys_id"], values=values)
    for name in (raised["number"], raised["sys_id"]):
        solved = await call(now, "resolve_incident", incident=name, close_notes="restarted")
        assert (solved["state"], solved["number"]) == ("6", raised["number"])
    with pytest.raises(NotFound, match="no incident INC9999999"):
        await call(now, "resolve_incident", incident="INC9999999", close_notes="a")


async def test_records_are_made_found_in_pages_counted_replaced_and_deleted(now: ServiceNow) -> None:
    made = [
        await call(now, "create_record", table="change_request", values={"risk": risk, "n": str(number)})
        for number, risk in enumerate(("high", "low", "low"))
    ]
    page = await call(now, "query_table", table="change_request", query="risk=low", fields=["n"], limit=1)
    assert page["items"] == [{"n": "1"}]
    page = await call(
        now, "query_table", table="change_request", query="risk=low", limit=1, cursor=page["next_cursor"]
    )
    assert page["items"][0]["n"] == "2"
    counted = await call(now, "get_statistics", table="change_request", query="risk=low")
    assert counted == {"stats": {"count": "2"}}
    grouped = await call(now, "get_statistics", table="change_request", group_by=["risk"])
    assert [one["stats"]["count"] for one in grouped] == ["1", "2"]
    first = {"table": "change_request", "sys_id": made[0]["sys_id"]}
    assert "risk" not in await call(now, "replace_record", **first, values={"n": "9"})
    await call(now, "delete_record", **first)
    with pytest.raises(NotFound, match="No Record found"):
        await call(now, "get_record", **first)


async def test_a_page_from_which_something_is_hidden_is_not_the_last() -> None:
    instance = Now()
    async with running(instance) as url:
        one = service(url)
        made = [await call(one, "create_record", table="problem", values={"n": str(n)}) for n in range(3)]
        instance.hidden = {made[0]["sys_id"]}
        first = await call(one, "query_table", table="problem", fields=["sys_id"], limit=2)
        rest = await call(one, "query_table", table="problem", limit=2, cursor=first["next_cursor"])
        await one.cleanup()
    assert [one["sys_id"] for one in (*first["items"], *rest["items"])] == [one["sys_id"] for one in made[1:]]
    assert "next_cursor" not in rest


async def test_a_record_is_changed_by_the_names_of_people_and_only_once() -> None:
    answers = Says(body={"result": {}})
    async with serving(Says(hangs_up=True), answers) as instance:
        one = service(instance.url)
        given: dict[str, Any] = {"table": "incident", "sys_id": "0" * 32, "values": {"assigned_to": "Beth"}}
        with pytest.raises(WandError):  # whether its note is written is not known: it is not written again
            await call(one, "update_record", **given)
        await call(one, "update_record", **given, by_words=True, fields=["number"])
        await one.cleanup()
    assert [asked.query["sysparm_input_display_value"] for asked in instance.asked] == ["false", "true"]
    assert instance.asked[1].query["sysparm_fields"] == "number"


async def test_numbers_are_summed_by_groups_that_have_names() -> None:
    async with serving(Says(body={"result": []})) as instance:
        one = service(instance.url)
        await call(one, "get_statistics", table="incident", group_by=["assignment_group"], sum_of=["cost"])
        await one.cleanup()
    wanted = {"sysparm_sum_fields": "cost", "sysparm_display_value": "true"}
    assert wanted.items() <= instance.asked[0].query.items()


async def test_a_file_is_attached_listed_and_comes_back(now: ServiceNow) -> None:
    record = {
        "table": "incident",
        "sys_id": (await call(now, "create_incident", short_description="a"))["sys_id"],
    }
    content = {"text": "Grüße", "name": "a.txt"}
    sent = await call(now, "upload_attachment", **record, file_name="a.txt", content=content)
    (listed,) = (await call(now, "list_attachments", **record))["items"]
    assert (listed["sys_id"], listed["file_name"], listed["size_bytes"]) == (sent["sys_id"], "a.txt", "7")
    assert (await call(now, "get_attachment", sys_id=sent["sys_id"]))["text"] == "Grüße"


async def test_an_oauth_entry_signs_in_too() -> None:
    async with running(Now()) as url:
        one = service(url, client_id=USER, client_secret=SecretStr(PASSWORD))
        await one.health_check()
        await one.cleanup()


async def test_a_wrong_password_is_told_and_not_repeated() -> None:
    async with running(Now()) as url:
        one = service(url, username=USER, password=SecretStr("wrong-password"))
        with pytest.raises(Denied, match="Not Authenticated") as caught:
            await one.health_check()
        assert "wrong-password" not in str(caught.value)
        await one.cleanup()


@pytest.mark.parametrize("table", ["../sys_user", "incident/1", "a?b=c", ""])
async def test_no_table_leads_elsewhere(now: ServiceNow, table: str) -> None:
    with pytest.raises(Invalid):
        await call(now, "query_table", table=table)
