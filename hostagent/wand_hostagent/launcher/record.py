"""One line a record, each sealed by the one before."""
