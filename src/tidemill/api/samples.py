"""A row that a model can answer: for documentation, and for the line that a new server prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemill.api.context import Context
from tidemill.serving.online.model import OnlineModel

_MADE_UP: Mapping[str, Any] = {
    "number": 1.5,
    "integer": 1,
    "decimal": 1.5,
    "text": "a",
    "bool": True,
    "bytes": "AAEC",
    "date": "2024-02-29",
    "time": "13:45:00",
    "datetime": "2024-02-29T13:45:00",
    "timestamp": "2024-02-29T13:45:00Z",
}


def sample_row(model: OnlineModel) -> dict[str, Any]:
    """One of the rows that training kept; a made-up one for versions without."""
    rows = model.golden_rows()
    kept = dict(rows[0]) if rows else {}
    return {one.name: kept.get(one.name, _MADE_UP.get(one.kind)) for one in model.inputs}


def sample_request(ctx: Context) -> dict[str, Any] | None:
    """A request that works, for the first deployment that answers."""
    for one in ctx.live.deployments.values():
        if one.champion is not None:
            return {"deployment": one.name, "body": {"rows": [sample_row(one.champion)]}}
    return None
