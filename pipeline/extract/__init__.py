"""Strict chunked readers of extracts: Arrow batches of what is needed, and rejects."""
