"""``[deployments.NAME.labels]``: where a deployment's labels come from, besides HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.core.entries import Entry, Place
from tidemill.core.errors import SettingsError

LABELS: tuple[Entry, ...] = (
    Entry(
        name="input",
        default="",
        doc="A table, a view or a file whose rows are labels; read again whenever the log is collected.",
    ),
    Entry(name="query", default="", doc="A query whose rows are labels, instead of an input."),
    Entry(
        name="id",
        default="",
        doc="The column with the prediction's id; prediction_id or id where there is one of them.",
    ),
    Entry(
        name="key",
        default="",
        doc="The column with the entity's key, where labels come by key; the deployment's own when left out.",
    ),
    Entry(
        name="label", default="", doc="The column with what came true; label, or the column that the model predicts."
    ),
    Entry(
        name="at",
        default="",
        doc="The column with the time at which it came true; labels by key need it. at or time when left out.",
    ),
    Entry(
        name="known",
        default="",
        doc="The column that says when the source came to know it: of two labels the later one counts, and only new"
        " rows are read.",
    ),
    Entry(
        name="coverage",
        default=0.0,
        low=0,
        high=1,
        doc="The share of answers that get a label in the end, where it is known; learnt when 0.",
    ),
)

LABEL_COLUMNS = ("id", "key", "label", "at", "known")
"""Those of them that name a column of the input, or of the query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSettings:
    """``[deployments.NAME.labels]``, checked."""

    input: str
    query: str
    id: str
    key: str
    label: str
    at: str
    known: str
    coverage: float

    @property
    def declared(self) -> bool:
        """Whether labels are read from somewhere."""
        return bool(self.input or self.query)


def label_settings(path: str, values: Mapping[str, Any], place: Place) -> LabelSettings:
    """The settings of one deployment, from the checked values of its rows."""
    settings = LabelSettings(**values)
    if settings.input and settings.query:
        raise SettingsError(f"{path}.labels has an input and a query: give one", where=place(f"{path}.labels.query"))
    return settings
