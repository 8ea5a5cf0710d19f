"""The order of the child's system calls, as a table."""
