"""Agents in a process of their own, from the packages' unit, as docs/how-to/run-agents.md says."""

import time

from guest import client
from guest.steps import Stage, expect

_UNIT = "wand-agent@builder"
_TASK = {"steps": [{"tool": "execute_command", "arguments": {"argv": ["id", "-un"]}}]}


def beside(stage: Stage) -> str:
    """The server has no agents of its own; one of the unit does a task, is killed, and does another."""
    guest = stage.guest
    guest.do("tee", "/etc/wand/server.d/20-agents.toml", put="[agents]\ncount = 0\n")
    guest.do("systemctl", "restart", "wand-server")
    guest.do("systemctl", "enable", "--now", _UNIT)
    took = _done(stage)
    before = guest.pid(_UNIT)
    guest.sh(f"kill -9 {before}")
    again = _done(stage)
    expect(guest.pid(_UNIT) != before, "the same process")
    return f"a task is done within {took:.1f} s; killed, within {again:.1f} s"


def _done(stage: Stage) -> float:
    """How long it took from handing out a task to its end, which an agent of the unit has brought about."""
    began = time.monotonic()
    (handed,) = client.by_stdio(stage.guest, "ann", "distribute_task", tasks=[_TASK])["tasks"]
    wanted = {"action": "get", "task": handed["id"], "wait_seconds": 30}
    ended = client.by_stdio(stage.guest, "ann", "manage_tasks", **wanted)["task"]
    expect(ended["state"] == "done" and ended["agent"].startswith("builder-"), ended)
    expect(ended["result"]["result"]["stdout"] == "wand-job\n", ended)
    return time.monotonic() - began
