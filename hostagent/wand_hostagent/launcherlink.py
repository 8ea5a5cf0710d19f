"""The host agent's end of the launcher's socket."""
