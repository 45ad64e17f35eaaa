"""What is kept of a person, and what became of it, as people read it in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tidemill.cli.words import columns_of_text
from tidemill.core.words import count
from tidemill.runner.result import text_table

if TYPE_CHECKING:
    from tidemill.runner.erase.request import Asked, Looked
    from tidemill.warehouse.control.erasures import Erasure

SHOWN = 8


def describe_looked(looked: Looked) -> str:
    """What would go."""
    if not looked.any:
        return "\n".join(["nothing is kept of them", *_outside(looked)])
    lines = ["this would go, from every version:", *_kept(looked)]
    return "\n".join([*lines, *_versions(looked), *_outside(looked), "nothing was changed: --yes erases it"])


def describe(asked: Asked) -> str:
    """What became of a request."""
    one = asked.erasure
    if one is None:
        return "\n".join(["nothing is kept of them", *_outside(asked.before)])
    if asked.busy is not None:
        lines = [f"erasure {one.number} is asked for, and waits: {asked.busy.message}"]
        lines.append(
            "the run carries it out when it ends, and so do maintain and serve; loads leave their rows out from now on"
        )
        return "\n".join([*lines, _due(one)])
    lines = [f"erasure {one.number}: gone from every version", *_kept(asked.before), *_versions(asked.before)]
    if one.status == "done":
        lines.append("proved: no file that is kept has their rows or values")
    else:
        lines += [f"still there: {text}" for text in one.waiting]
        lines.append(_due(one))
    return "\n".join([*lines, *_outside(asked.before)])


def listed(found: Sequence[Erasure], at: datetime) -> str:
    """All erasures as a table, and what is awaited of those that are open."""
    if not found:
        return "nobody was erased here: tidemill erase COLUMN=VALUE shows what is kept of somebody"
    rows = [
        (
            one.number,
            f"{one.asked_at:%Y-%m-%d}",
            ", ".join(one.columns),
            _status(one, at),
            sum(one.removed.values()),
            one.why,
        )
        for one in found
    ]
    lines = [text_table(["number", "asked", "known by", "status", "rows", "because"], rows, widest=60)]
    for one in found:
        lines += [f"erasure {one.number}: {text}" for text in one.waiting if one.status == "open"]
    return "\n".join(lines)


def as_facts(one: Erasure | None, looked: Looked | None) -> dict[str, Any]:
    """The same as plain data."""
    facts: dict[str, Any] = {}
    if one is not None:
        facts |= {
            "number": one.number,
            "id": one.erasure_id,
            "columns": list(one.columns),
            "status": one.status,
            "removed": dict(one.removed),
            "waiting": list(one.waiting),
            "who": one.who,
            "why": one.why,
            "asked_at": one.asked_at,
            "due_at": one.due_at,
            "removed_at": one.removed_at,
            "proved_at": one.proved_at,
        }
    if looked is not None:
        facts["found"] = {
            "rows": looked.found.rows,
            "uncollected": looked.found.waiting,
            "texts": looked.texts,
            "versions": [
                {"model": model, "version": version, "tables": sorted(tables)}
                for (model, version), tables in looked.found.versions.items()
            ],
            "outside": list(looked.outside),
        }
    return facts


def _kept(looked: Looked) -> list[str]:
    facts = [(table, f"{count(rows, 'row')}") for table, rows in looked.found.rows.items()]
    left = sum(not one.read for one in looked.found.held)
    facts += [("files that no version reads", f"{count(left, 'file')}")] if left else []
    if looked.found.waiting:
        facts.append(("the prediction log", f"{count(looked.found.waiting, 'answer')} not collected yet"))
    if looked.texts:
        facts.append(("the control database", f"{count(looked.texts, 'text')} that quote them"))
    return [f"  {line}" for line in columns_of_text(facts, widest=40)]


def _versions(looked: Looked) -> list[str]:
    found = looked.found.versions
    if not found:
        return []
    shown = [f"{model} version {version}" for model, version in list(found)[:SHOWN]]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    models = sorted({model for model, _ in found})
    return [
        f"trained on these rows: {', '.join(shown)}{more}",
        f"  they answer as before; to have none of it: tidemill run --full-refresh {' '.join(models)}",
    ]


def _outside(looked: Looked) -> list[str]:
    if not looked.outside:
        return []
    shown = ", ".join(looked.outside[:SHOWN])
    more = f" and {len(looked.outside) - SHOWN} more" if len(looked.outside) > SHOWN else ""
    return [
        f"files of yours that hold a value: {shown}{more}",
        "  take it out there; until then loads leave such rows out",
    ]


def _due(one: Erasure) -> str:
    return f"due {one.due_at:%Y-%m-%d}"


def _status(one: Erasure, at: datetime) -> str:
    if one.status != "open":
        return one.status if one.proved_at is None else f"proved {one.proved_at:%Y-%m-%d}"
    return f"late since {one.due_at:%Y-%m-%d}" if at > one.due_at else f"open, due {one.due_at:%Y-%m-%d}"
