"""The settings of the host agent."""
