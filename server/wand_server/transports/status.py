"""GET /health: whether the server answers, and whether it reaches the host agent; nothing else."""

from collections.abc import Callable
from typing import Any

HostagentIsUp = Callable[[], bool]


def health(version: str, *, hostagent_is_up: bool) -> tuple[dict[str, Any], int]:
    """The body and its status: 503 where no call can reach the host."""
    hostagent, status = ("up", "ok") if hostagent_is_up else ("down", "degraded")
    return {"status": status, "version": version, "hostagent": hostagent}, 200 if hostagent_is_up else 503
