"""The built-in authorization server."""

from wand_server.spared import spare

spare("jwt", "cryptography.x509")  # only some ways to sign in need them
