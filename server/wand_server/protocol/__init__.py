"""MCP: the SDK's kernel, our methods on it, and a lane past its models."""

from wand_server.spared import spare, without

spare("mcp", "mcp.server")
with without("uvicorn"):  # in which sse_starlette would hang a handler
    import mcp.server.lowlevel  # noqa: F401
