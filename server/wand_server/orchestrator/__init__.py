"""What carries tasks out: the agents, their pool, and how a task is done."""
