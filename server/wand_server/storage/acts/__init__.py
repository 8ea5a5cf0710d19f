"""What is done with the tables, one module for each moment of a task."""
