"""Builds every part, opens the socket, stops in order."""
