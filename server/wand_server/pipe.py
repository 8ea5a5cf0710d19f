"""`wand-server stdio`: a pipe to the running server."""
