"""What this host is and how it fares."""
