"""Who may come in: a request in, a Principal or a refusal out."""

from wand_server.spared import spare

spare("jwt", "cryptography.x509")  # only some ways to sign in need them
