"""Where tasks, projects and agents are kept, in SQLite or PostgreSQL, and the buses that wake who waits."""
