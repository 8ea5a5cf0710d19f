"""The system calls that Python lacks."""
