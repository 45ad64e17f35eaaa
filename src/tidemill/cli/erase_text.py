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
        enters = ["--yes enters them into the ledger, so that loads leave them out"] if looked.outside else []
        return "\n".join(["nothing is kept of them", *_elsewhere(looked), *_outside(looked, loads=False), *enters])
    lines = ["this would go, from every version:", *_kept(looked)]
    end = "nothing was changed: --yes erases it"
    return "\n".join([*lines, *_elsewhere(looked), *_versions(looked), *_outside(looked, loads=False), end])


def describe(asked: Asked) -> str:
    """What became of a request."""
    one = asked.erasure
    if one is None:
        return "\n".join(["nothing is kept of them", *_elsewhere(asked.before)])
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


def listed(found: Sequence[Erasure], at: datetime, *, restored: int = 0) -> str:
    """All erasures as a table, and what is awaited of those that are open.

    Parameters
    ----------
    restored
        How many of the ledger a backup has undone.
    """
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
    names = ["number", "asked", "known by", "status", "rows", "because"]
    lines = [text_table(names, rows, widest=60)] if rows else []
    for one in found:
        if one.status == "open":
            waiting = one.waiting or ("not begun: tidemill maintain carries it out, and so do run and serve",)
            lines += [f"erasure {one.number}: {text}" for text in waiting]
    if any("as text" in text for one in found for text in one.waiting):
        lines.append("to have values looked for again, say them again: tidemill erase COLUMN=VALUE --yes")
    if restored:
        whom = f"a backup brought back whom {count(restored, 'erasure')} of the ledger took out"
        lines.append(f"{whom}: run, serve or maintain erases them again")
    return "\n".join(lines) or "nobody was erased here: tidemill erase COLUMN=VALUE shows what is kept of somebody"


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
            "elsewhere": dict(looked.elsewhere),
            "nearly": dict(looked.nearly),
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
        quotes = "quotes" if looked.texts == 1 else "quote"
        facts.append(("the control database", f"{count(looked.texts, 'text')} that {quotes} them"))
    return [f"  {line}" for line in columns_of_text(facts, widest=40)]


def _elsewhere(looked: Looked) -> list[str]:
    others = [
        f"{place} holds a value in {count(rows, 'row')} that would stay: name that column too"
        for place, rows in looked.elsewhere.items()
    ]
    near = [
        f"{place} has {count(rows, 'row')} in which letter case or blanks differ: say the value as it stands there"
        for place, rows in looked.nearly.items()
    ]
    return [*others, *near]


def _versions(looked: Looked) -> list[str]:
    found = looked.found.versions
    if not found:
        return []
    shown = [f"{model} version {version}" for model, version in list(found)[:SHOWN]]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    models = sorted({model for model, _ in found})
    return [
        f"trained on these rows: {', '.join(shown)}{more}",
        "  they answer as before, and a version keeps some rows of its training as samples; to have none of it:",
        f"  tidemill run --full-refresh {' '.join(models)}, deploy what comes, then tidemill models --prune",
    ]


def _outside(looked: Looked, *, loads: bool = True) -> list[str]:
    if not looked.outside:
        return []
    shown = ", ".join(looked.outside[:SHOWN])
    more = f" and {len(looked.outside) - SHOWN} more" if len(looked.outside) > SHOWN else ""
    until = "; until then loads leave such rows out" if loads else ""
    return [f"files of yours that hold a value: {shown}{more}", f"  take it out there{until}"]


def _due(one: Erasure) -> str:
    return f"due {one.due_at:%Y-%m-%d}"


def _status(one: Erasure, at: datetime) -> str:
    if one.status == "done" and one.proved_at is not None:
        return f"proved {one.proved_at:%Y-%m-%d}"
    if one.status != "open":
        return one.status
    return f"late since {one.due_at:%Y-%m-%d}" if at > one.due_at else f"open, due {one.due_at:%Y-%m-%d}"
