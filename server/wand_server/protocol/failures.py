"""How a failure of the protocol leaves: as an error of JSON-RPC. One of a tool's own is its result."""

from typing import Any

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
CANCELLED = -32800  # handshake era only: ends the stream of a call that its client gave up
BUSY = -31429  # ours: MCP leaves the codes outside -32768..-32000 to servers
FORBIDDEN = -31403  # ours: the scopes of the sign-in do not open it

_STATUS = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
    BUSY: 429,
    FORBIDDEN: 403,
}

MessageId = str | int | None


class ProtocolFailure(Exception):
    """A request that JSON-RPC answers with an error; `request_id` is the client's, where it could be read."""

    def __init__(self, code: int, message: str, *, data: Any = None, request_id: MessageId = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.request_id = request_id

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code; a defect of ours has 200, as in the SDKs."""
        return _STATUS.get(self.code, 200)


def error(failure: ProtocolFailure, request_id: MessageId = None) -> dict[str, Any]:
    """The failure as a JSON-RPC message."""
    body: dict[str, Any] = {"code": failure.code, "message": failure.message}
    if failure.data is not None:
        body["data"] = failure.data
    answered = failure.request_id if request_id is None else request_id
    return {"jsonrpc": "2.0", "id": answered, "error": body}


def result(request_id: MessageId, body: dict[str, Any]) -> dict[str, Any]:
    """A result as a JSON-RPC message."""
    return {"jsonrpc": "2.0", "id": request_id, "result": body}


def internal(request_id: str) -> ProtocolFailure:
    """What a caller learns of a defect: nothing but the id under which the log has the rest."""
    message = f"Internal error (request {request_id})"
    return ProtocolFailure(INTERNAL_ERROR, message, data={"request": request_id})
