"""Rows are checked: constraints compiled to few scans over staged rows."""
