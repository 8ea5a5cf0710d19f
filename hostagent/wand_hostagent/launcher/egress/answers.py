"""What the proxy itself answers, in words that a person and an agent can act on."""

from collections.abc import Sequence

TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
_LISTED = 64
_REASONS = {
    400: "Bad request", 403: "Forbidden", 408: "Too slow", 411: "Length required", 431: "Too large",
    502: "Not reachable", 503: "Not recorded", 504: "No answer", 505: "Version not known",
}  # fmt: skip


def refusal(what: str, profile: str, permitted: Sequence[str]) -> bytes:
    """403, and what is permitted."""
    listed = "".join(f"  {one}\n" for one in permitted[:_LISTED]) or "  nothing\n"
    more = f"  and {len(permitted) - _LISTED} more\n" if len(permitted) > _LISTED else ""
    text = (
        f"{what}.\n\nPermitted are:\n{listed}{more}\n"
        f"They are `destinations` of the profile {profile}; who looks after this machine can change them.\n"
    )
    return _packed(403, f"{what} (profile {profile})", text)


def trouble(status: int, why: str) -> bytes:
    """Why a request came to nothing."""
    return _packed(status, f"{_REASONS[status]}: {why}", f"{why}\n")


def summary(answer: bytes) -> str:
    """The first line of an answer, without its version."""
    line = answer.partition(b"\r\n")[0].decode("ascii", "replace")
    return line.removeprefix("HTTP/1.1 ") if line.startswith("HTTP/") else "ended by the proxy"


def _packed(status: int, reason: str, text: str) -> bytes:
    body = ("wand: " + text).encode()
    plain = "".join(one if " " <= one <= "~" else "?" for one in reason)[:300]
    head = (
        f"HTTP/1.1 {status} {plain}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
