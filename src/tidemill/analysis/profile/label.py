"""The column that is to be predicted, and the columns that give it away."""

from __future__ import annotations

from collections.abc import Sequence

from tidemill.analysis.profile.result import ColumnProfile, Leak
from tidemill.analysis.table import Column, Sample, Table
from tidemill.core.errors import BindError, LabelError
from tidemill.core.names import did_you_mean, name_key, quote_name
from tidemill.sources.choose import CLASS_NUMBERS, SAMPLE_ROWS
from tidemill.sources.leaks import find_leaks

KINDS = ("number", "text", "bool")


def find_label(table: Table, name: str) -> Column:
    """The column of that name.

    Raises
    ------
    BindError
        There is no such column.
    LabelError
        It is of a kind that nothing here predicts.
    """
    found = next((column for column in table.columns if name_key(column.name) == name_key(name)), None)
    if found is None:
        names = [column.name for column in table.columns]
        raise BindError(f"there is no column {name} to be the label", hint=did_you_mean(name, names), columns=names)
    if found.kind not in KINDS:
        raise LabelError(
            f"the label {found.name} has the type {found.type}, which no model here predicts",
            hint="name a column of numbers, texts or truth values",
        )
    return found


def label_leaks(table: Table, sample: Sample, label: Column, columns: Sequence[ColumnProfile]) -> tuple[Leak, ...]:
    """Columns that know the label, found in at most 20,000 rows of the sample."""
    suspects = [
        column.name
        for column in columns
        if column.name != label.name and column.kind in KINDS and column.distinct + (column.nulls > 0) >= 2
        if column.kind == "number" or column.distinct < column.rows
    ]
    distinct = next(column.distinct for column in columns if column.name == label.name)
    if not suspects or distinct < 2:
        return ()
    listed = ", ".join(quote_name(name) for name in (label.name, *suspects))
    step = max(1, -(-sample.rows // SAMPLE_ROWS))
    rows = table.read(
        f"SELECT * EXCLUDE (tm_n) FROM (SELECT {listed}, row_number() OVER () AS tm_n FROM {sample.relation})"
        f" WHERE tm_n % {step} = 0"
    )
    found = find_leaks(rows, label.name, regression=label.kind == "number" and distinct > CLASS_NUMBERS)
    return tuple(Leak(columns=leak.columns, why=leak.why) for leak in found)
