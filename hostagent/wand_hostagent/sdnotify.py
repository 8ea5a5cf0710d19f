"""Tell systemd how we are."""
