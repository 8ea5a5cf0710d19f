"""The `wand-server` command."""
