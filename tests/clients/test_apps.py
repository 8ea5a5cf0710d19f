"""The pages that go beside a conversation, in a real browser, in the frame of a client that shows them."""

import asyncio
import json
from pathlib import Path
from typing import Any

from support.clients import Clients
from wand_server.tools import views

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script><b>bold</b>"


async def shown(clients: Clients, chromium: str, folder: Path, uri: str, *results: Any) -> dict[str, Any]:
    """What a person sees there."""
    page = views.read(uri)
    assert page is not None
    file = folder / "page.html"
    file.write_bytes(page.data)
    words = [json.dumps(one) for one in results]
    return await asyncio.to_thread(clients.show, chromium, file, "execute_command", words)


def result(text: str, structured: dict[str, Any] | None = None, *, is_error: bool = False) -> dict[str, Any]:
    more = {"structuredContent": structured} if structured else {}
    return {"content": [{"type": "text", "text": text}], "isError": is_error, **more}


def job(stdout: str, **more: Any) -> dict[str, Any]:
    about: dict[str, Any] = {"job": "j1", "signal": None, "stderr": "", "notes": [], "exit_code": None}
    return {**about, "stdout": stdout, **more}


async def test_what_a_job_prints_is_text_and_nothing_else(
    clients: Clients, chromium: str, tmp_path: Path
) -> None:
    ended = job(HOSTILE, reason="exited", exit_code=3)

    told = await shown(clients, chromium, tmp_path, views.JOB, result("", ended))

    assert told["first"].startswith("exit code 3")
    assert HOSTILE in told["first"]
    assert (told["made"], told["complaints"], told["buttons"]) == (0, [], [])
    assert told["sizes"] > 0


async def test_a_job_that_runs_can_be_followed_to_its_end(
    clients: Clients, chromium: str, tmp_path: Path
) -> None:
    runs = job("", reason="running")
    printed = job("all of it", running=False, reason="exited", exit_code=0, next_offset=9)

    told = await shown(clients, chromium, tmp_path, views.JOB, result("", runs), result("", printed))

    assert told["buttons"] == ["Follow", "Stop"]
    assert told["calls"] == [
        {"name": "send_input", "arguments": {"job": "j1", "offset": 0, "wait_seconds": 0}}
    ]
    assert "all of it" in told["later"]


async def test_what_waits_for_a_yes_is_a_card_and_can_be_tried_again(
    clients: Clients, chromium: str, tmp_path: Path
) -> None:
    text = f"NeedsApproval: make {HOSTILE} waits as a1\nHint: wand-hostagent approve yes a1"
    done = result("", job("built", reason="exited", exit_code=0))

    told = await shown(clients, chromium, tmp_path, views.APPROVAL, result(text, is_error=True), done)

    assert told["first"].startswith("A person on the host must say yes first")
    assert "wand-hostagent approve yes a1" in told["first"]
    assert (told["made"], told["complaints"]) == (0, [])
    assert told["calls"] == [{"name": "execute_command", "arguments": {"command": "make"}}]
    assert "built" in told["later"]
