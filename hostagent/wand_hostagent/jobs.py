"""Which jobs run now, how many may, how one is stopped, where its output is."""
