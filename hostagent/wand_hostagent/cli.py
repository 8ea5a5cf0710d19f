"""The `wand-hostagent` command."""
