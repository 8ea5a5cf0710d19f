"""HubSpot: what it has to be told that nobody says."""

import json
from datetime import UTC, datetime

from pydantic import SecretStr

from support.foreign import Says, serving
from wand_server.integrations.business.hubspot import HubSpot


async def test_a_note_is_of_now_unless_something_else_is_said() -> None:
    async with serving(Says(body={"id": "1"})) as service:
        hubspot = HubSpot(HubSpot.Config(base_url=service.url, token=SecretStr("token-of-a-test")))
        note = {"text": "called", "about": "contacts", "id": "512"}
        before = datetime.now(UTC).replace(microsecond=0)
        await hubspot.execute("create_note", note)
        await hubspot.execute("create_note", {**note, "at": "2026-01-02T03:04:05Z"})
        await hubspot.cleanup()
    now, then = (json.loads(asked.body)["properties"]["hs_timestamp"] for asked in service.asked)
    assert before <= datetime.fromisoformat(now) <= datetime.now(UTC)
    assert then == "2026-01-02T03:04:05Z"
