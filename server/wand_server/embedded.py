"""Wand for one person and one folder: launcher, host agent and server as children."""
