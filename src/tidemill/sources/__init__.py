"""Rows come in: which files a pattern names, what a file holds."""
