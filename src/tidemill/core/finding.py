"""One thing that `tidemill doctor` looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. ``bad`` stops work, ``warning`` may."""

    check: str
    status: Literal["ok", "warning", "bad"]
    detail: str
    hint: str = ""

    def as_json(self) -> dict[str, Any]:
        """The finding as plain data."""
        return asdict(self)
