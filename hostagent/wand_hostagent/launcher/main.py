"""The loop: receive, check, record, start, reap, report."""
