"""The ledger: durable before the act."""
