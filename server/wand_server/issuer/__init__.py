"""The built-in authorization server."""

from wand_server.spared import spare, unread_authorities

spare("jwt", "cryptography.x509")  # only some ways to sign in need them
with unread_authorities():
    import aiohttp  # noqa: F401
