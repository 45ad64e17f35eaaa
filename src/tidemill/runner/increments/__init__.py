"""Incremental tables: built whole once, then only what is new is taken in."""
