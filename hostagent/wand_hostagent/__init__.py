"""The host agent and its launcher."""

VERSION = "0.1.0"  # of the distribution; to look it up there would take three megabytes
