"""Fixtures: control databases on SQLite and PostgreSQL."""

from __future__ import annotations

from tidemill.testing.control import control_url, db, postgresql

__all__ = ["control_url", "db", "postgresql"]
