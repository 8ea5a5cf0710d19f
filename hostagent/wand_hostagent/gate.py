"""The one door: decide, record, act, record."""
