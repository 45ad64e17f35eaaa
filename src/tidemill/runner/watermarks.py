"""How far an incremental table is, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def watermark_words(state: Mapping[str, Any]) -> str:
    """What a table's state says, as plans and histories show it: ``updated_at 2026-01-05, 12 files``."""
    files = len(state.get("files") or ())
    parts = [f"{state['by']} {state['watermark']}"] if state.get("watermark") else []
    parts += [f"{files:,} file{'' if files == 1 else 's'}"] if files else []
    return ", ".join(parts) or "no rows"
