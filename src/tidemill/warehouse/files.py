"""A data file, as every part of a warehouse speaks of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A data file of a table version: its path relative to the lake, its SHA-256, bytes and rows."""

    path: str
    sha256: str
    bytes: int
    rows: int
