"""Profiles: who, where, what, how much."""
