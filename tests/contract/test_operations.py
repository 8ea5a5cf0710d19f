"""An operation from a client to a service and back: through both halves, and on the host agent's record."""

from pathlib import Path
from typing import Any

from support.foreign import Says, serving
from support.places import short_folder
from support.running import embedded
from support.visits import client_of, recorded

SECRET = "xoxb-a-secret-of-slack"
SENT = Says(body={"ok": True, "channel": "C1", "ts": "1503435956.000247"})


def settings(folder: Path, url: str) -> Path:
    secret = folder / "token"
    secret.write_text(SECRET)
    file = folder / "more.toml"
    file.write_text(f'[integrations.slack]\ntoken = "file:{secret}"\nbase_url = "{url}"\n')
    return file


async def test_an_operation_is_on_record_and_its_secret_nowhere() -> None:
    with short_folder() as folder:
        (folder / "work").mkdir()
        async with serving(SENT) as slack:
            more = ("--settings", settings(folder, slack.url))
            with embedded(folder / "work", folder / "state", *more) as wand:
                async with client_of(wand) as client:
                    arguments: dict[str, Any] = {"channel": "C1", "text": "deployed"}
                    asked = {"operation": "slack.send_message", "arguments": arguments}
                    result = await client.call_tool("call_operation_write", asked)
                    by_name = await client.call_tool("slack-send_message", arguments)
                (began, again) = recorded(wand, "operation")
                (ended, _) = recorded(wand, "operation_end")
            written = b"".join(path.read_bytes() for path in (folder / "state").rglob("*") if path.is_file())
    assert result.structured_content is not None
    assert result.structured_content["result"] == {"channel": "C1", "ts": "1503435956.000247"}
    assert by_name.structured_content == result.structured_content
    assert again["operation"] == began["operation"]
    assert slack.asked[0].headers["authorization"] == f"Bearer {SECRET}"
    assert (began["operation"], began["read_only"], began["act"]) == (
        "slack.send_message",
        False,
        ended["act"],
    )
    assert "failure" not in ended
    assert SECRET.encode() not in written
