"""How far an incremental table is, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.runner.increments.gone_files import gone_files

if TYPE_CHECKING:
    from tidemill.warehouse.protocol import Warehouse


@dataclass(frozen=True, slots=True, kw_only=True)
class HowFar:
    """The newest version of an incremental table, how far it is in words, and which of its files are gone."""

    version: int
    watermark: str
    gone_files: tuple[str, ...] = ()


def how_far(table: str, *, warehouse: Warehouse, root: Path) -> HowFar | None:
    """How far a table is; None where it is not there, or nothing is known of it."""
    newest, state = warehouse.newest([table]), warehouse.state(table)
    if newest is None or not state:
        return None
    gone = gone_files(state.get("files") or {}, root=root)
    return HowFar(version=newest.version, watermark=watermark_words(state), gone_files=gone)


def watermark_words(state: Mapping[str, Any]) -> str:
    """What a table's state says, as plans and histories show it: ``updated_at 2026-01-05, 12 files``."""
    files = len(state.get("files") or ())
    parts = [f"{state['by']} {state['watermark']}"] if state.get("watermark") else []
    parts += [f"{files:,} file{'' if files == 1 else 's'}"] if files else []
    return ", ".join(parts) or "no rows"
