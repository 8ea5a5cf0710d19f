"""Okta and Microsoft Entra: what their logs tell, and filters that are refused without a count."""

from typing import Any

import pytest
from pydantic import SecretStr

from support.foreign import Says, serving
from wand_server.integrations.identity.entra import Entra
from wand_server.integrations.identity.okta import Okta


async def test_the_log_says_to_whom_it_was_done() -> None:
    event = {"eventType": "group.user_membership.add", "target": [{"type": "User", "displayName": "Ann"}]}
    async with serving(Says(body=[event])) as service:
        okta = Okta(Okta.Config(base_url=service.url, token=SecretStr("token-of-a-test")))
        page = await okta.execute("query_system_log", {})
        await okta.cleanup()
    assert page["items"][0]["target"] == event["target"]


@pytest.mark.parametrize(
    "operation", ["list_users", "list_groups", "list_applications", "list_service_principals"]
)
async def test_any_filter_is_taken(operation: str) -> None:
    answers: list[dict[str, Any]] = [{"access_token": "t", "expires_in": 3600}, {"value": [{"id": "1"}]}]
    async with serving(*(Says(body=body) for body in answers)) as service:
        secret = SecretStr("secret-of-a-test")
        config = Entra.Config(
            base_url=service.url, authority=service.url, tenant="t", client_id="c", client_secret=secret
        )
        entra = Entra(config)
        await entra.execute(operation, {"filter": "endsWith(displayName,'Ltd')"})
        await entra.cleanup()
    request = service.asked[-1]
    assert (request.query["$count"], request.headers["consistencylevel"]) == ("true", "eventual")
