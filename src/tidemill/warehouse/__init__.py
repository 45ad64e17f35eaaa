"""Rows rest here: tables with every past version, and the control database. Only this folder knows DuckDB."""
