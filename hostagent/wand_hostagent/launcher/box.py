"""What is prepared once a profile."""
