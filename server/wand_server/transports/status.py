"""What a supervisor or a load balancer asks without a key: is it alive, is it ready, how is it.

/health says whether calls reach the host agent. /readyz says whether to send calls here: not while the server
finishes its last ones before it stops. /livez says whether the server answers at all.
"""

from collections.abc import Callable, Mapping
from typing import Any

IsUp = Callable[[], bool]


def health(version: str, *, hostagent_is_up: bool) -> tuple[dict[str, Any], int]:
    """The body and its status: 503 where no call can reach the host."""
    hostagent, status = ("up", "ok") if hostagent_is_up else ("down", "degraded")
    return {"status": status, "version": version, "hostagent": hostagent}, 200 if hostagent_is_up else 503


def readiness(
    *, hostagent_is_up: bool, leaving: bool, transports: Mapping[str, IsUp]
) -> tuple[dict[str, Any], int]:
    """The body and its status: 503 where calls are better sent elsewhere, or a transport listens no more."""
    if leaving:
        return {"status": "leaving"}, 503
    down = [name for name, is_up in transports.items() if not is_up()]
    if hostagent_is_up and not down:
        return {"status": "ready"}, 200
    return {"status": "degraded", **({"not_listening": down} if down else {})}, 503
