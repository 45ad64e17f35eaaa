"""The answers of a window as a relation: what callers sent as typed columns, and what was answered beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.analysis.table import Column, Kind, Table
from tidemill.core.names import quote_name, quote_text
from tidemill.monitoring.measurement import Window
from tidemill.serving.labels.joined import moment
from tidemill.warehouse.protocol import Session

_NUMBER = re.compile(r"(u?int\d+|halffloat|float|double|decimal.*)")
_TIME = re.compile(r"(timestamp.*|date\d+.*)")

ANSWERED = ("champion", "challenger")
"""Routes whose answers somebody got from a version; a shadow's nobody saw, a fallback is no version's."""

KINDS: Mapping[str, Kind] = {"DOUBLE": "number", "TIMESTAMP": "time", "VARCHAR": "text"}

PREDICTION, SCORE = "tm_prediction", "tm_score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A column that callers send: its name, and how a monitor reads it."""

    name: str
    type: str  # DOUBLE, TIMESTAMP or VARCHAR


def inputs_of(manifest: Mapping[str, Any], *, without: Iterable[str] = ()) -> list[Input]:
    """The raw columns a version reads that have plain values; those in ``without`` are left out."""
    left_out = {name.casefold() for name in without}
    found = []
    for given in manifest["inputs"]:
        type_ = _read_as(str(given["type"]))
        if type_ and given["name"].casefold() not in left_out:
            found.append(Input(name=given["name"], type=type_))
    return found


def _read_as(arrow: str) -> str:
    """The engine's type for an Arrow type; '' for nested ones."""
    if _NUMBER.fullmatch(arrow):
        return "DOUBLE"
    if _TIME.fullmatch(arrow):
        return "TIMESTAMP"
    return "VARCHAR" if arrow in {"string", "large_string", "bool", "string_view"} else ""


def during(window: Window) -> str:
    """The condition that an answer was given in a window."""
    return f'"at" >= {moment(window.start)} AND "at" < {moment(window.end)}'


def answers_table(session: Session, deployment: str, window: Window, inputs: Sequence[Input], version: int) -> Table:
    """What a deployment was sent in a window, and what one version answered, unpacked and kept for this session.

    What another version answered is NULL: its scores are no sign that this one's moved.
    """
    routes = ", ".join(map(quote_text, ANSWERED))
    answers = [f"CASE WHEN version = {version} THEN {one} END AS {one}" for one in ("prediction", "score")]
    items = [*sent_columns(inputs), f"prediction AS {PREDICTION}", f"score AS {SCORE}"]
    relation = session.materialise(
        f"SELECT {', '.join(items)} FROM (SELECT {', '.join(answers)}{sent_item(inputs)} FROM tidemill.predictions"
        f" WHERE deployment = {quote_text(deployment)} AND route IN ({routes}) AND {during(window)})"
    )
    ((rows,),) = session.fetch(f"SELECT count(*) FROM {relation}")
    columns = [Column(name=one.name, type=one.type, kind=KINDS[one.type]) for one in inputs]
    columns += [
        Column(name=PREDICTION, type="VARCHAR", kind="text"),
        Column(name=SCORE, type="DOUBLE", kind="number"),
    ]
    return Table(session=session, relation=relation, rows=rows, columns=tuple(columns))


def sent_item(inputs: Sequence[Input]) -> str:
    """What callers sent, unpacked from the log's JSON once for all columns: an item of a SELECT, after a comma."""
    # Times are read as text and cast: a text that is none is a missing value, not the end of the query.
    structure = {one.name: "VARCHAR" if one.type == "TIMESTAMP" else one.type for one in inputs}
    return f", from_json(inputs, {quote_text(json.dumps(structure))}) AS tm_sent" if inputs else ""


def sent_columns(inputs: Sequence[Input]) -> list[str]:
    """The columns of what `sent_item` unpacked."""
    return [_item(one) for one in inputs]


def _item(one: Input) -> str:
    field = f"tm_sent.{quote_name(one.name)}"
    return f"{f'TRY_CAST({field} AS TIMESTAMP)' if one.type == 'TIMESTAMP' else field} AS {quote_name(one.name)}"
