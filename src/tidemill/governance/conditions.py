"""Whose a row is, as engine SQL: rows are known by digests of values, or by the values while somebody tells them.

The tables of the prediction log have no columns of their own for that: a prediction is somebody's by the row that was
asked for or by its key, a label by its key or by the prediction it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tidemill.core.names import name_key, quote_name, quote_text
from tidemill.governance.subject import SEPARATOR, Mark, digest
from tidemill.serving.log.tables import LABELS_TABLE, PREDICTIONS_TABLE

_FINAL_SIGMA, _SIGMA = "\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whose rows are meant: by the marks of a request, and up to when. What the log holds later is new."""

    marks: tuple[Mark, ...]
    before: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """Whose rows are meant.

    Parameters
    ----------
    keys
        The column that each deployment's keys come from, by the deployment's name.
    predictions
        Ids of predictions that are theirs: their labels are, too.
    """

    people: tuple[Person, ...]
    salt: str
    keys: Mapping[str, str] = field(default_factory=dict)
    predictions: Collection[str] = ()

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Everybody's marks, one for each column."""
        found: dict[str, list[Mark]] = {}
        for mark in (mark for person in self.people for mark in person.marks):
            found.setdefault(mark.column, []).append(mark)
        return tuple(_joined(column, marks) for column, marks in found.items())

    def condition(self, table: str, columns: Sequence[str]) -> str:
        """Engine SQL that is true of their rows (`warehouse.upkeep.Condition`); '' where nothing says whose it is."""
        if table == PREDICTIONS_TABLE:
            found = [self._of_log(person, "at", self.key, self.inputs) for person in self.people]
        elif table == LABELS_TABLE:
            found = [self._of_log(person, "arrived_at", self.key) for person in self.people] + [self.labels()]
        else:
            found = self.of_columns(columns)
        return " OR ".join(f"coalesce({one}, false)" for one in found if one)

    def of_columns(self, columns: Sequence[str]) -> list[str]:
        """What is true of their rows in a relation that has the columns that name them."""
        there = {name_key(column): column for column in columns}
        return [self.of_column(mark, there[mark.column]) for mark in self.marks if mark.column in there]

    def of_column(self, mark: Mark, column: str) -> str:
        """Whether a column has one of the values that a mark stands for; what is no text may show it otherwise."""
        text, kind = f"CAST({quote_name(column)} AS VARCHAR)", f"typeof({quote_name(column)})"
        told = self.is_told(mark, text)
        if not mark.shown:
            return told
        number = f"CAST(TRY_CAST({text} AS DOUBLE) AS VARCHAR)"
        shown = self._is_among(mark, f"CASE WHEN starts_with({kind}, 'DECIMAL') THEN {number} ELSE {text} END")
        return f"CASE WHEN {kind} = 'VARCHAR' THEN {told} ELSE {told} OR {shown} END"

    def is_of(self, row: Mapping[str, Any]) -> bool:
        """Whether a row as JSON has it is one of theirs."""
        marks = {mark.column: mark for mark in self.marks}

        def is_theirs(name: str, value: Any) -> bool:
            mark = marks.get(name_key(name))
            if mark is None or value is None:
                return False
            known = mark.digests if isinstance(value, str) else (*mark.digests, *mark.shown)
            return digest(self.salt, name, str(value)) in known

        return any(is_theirs(name, value) for name, value in row.items())

    def _of_log(self, person: Person, time: str, *ways: Callable[[Mark], str]) -> str:
        found = [one for way in ways for mark in person.marks if (one := way(mark))]
        if not found:
            return ""
        before = person.before.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
        each = " OR ".join(f"coalesce({one}, false)" for one in found)
        return f"({quote_name(time)} < TIMESTAMP {quote_text(before)} AND ({each}))"

    def is_told(self, mark: Mark, text: str) -> str:
        """Whether a text is a value that was told."""
        return self._is_in(mark, text, mark.texts, mark.digests)

    def _is_among(self, mark: Mark, text: str) -> str:
        """Whether a text is one that a value is shown as."""
        return self._is_in(mark, text, mark.shown_texts, mark.shown)

    def _is_in(self, mark: Mark, text: str, texts: Sequence[str], digests: Sequence[str]) -> str:
        if texts:
            return f"{text} IN ({', '.join(map(quote_text, texts))})"
        start = quote_text(SEPARATOR.join((self.salt, mark.column, "")))
        return f"sha256({start} || {text}) IN ({', '.join(map(quote_text, digests))})"

    def key(self, mark: Mark) -> str:
        """Whether the key of an answer or a label is one of a mark's."""
        keyed = sorted(name for name, column in self.keys.items() if name_key(column) == mark.column)
        if not keyed:
            return ""
        return f"(deployment IN ({', '.join(map(quote_text, keyed))}) AND {self.is_told(mark, quote_name('key'))})"

    def inputs(self, mark: Mark) -> str:
        """Whether the row that was asked for, a JSON object, names one of a mark's."""
        place = "'/' || replace(replace(k, '~', '~0'), '/', '~1')"  # a pointer (RFC 6901): paths know not every name
        value = f"json_extract_string(inputs, {place})"
        theirs = self.is_told(mark, value)
        if mark.shown:
            theirs += f" OR (json_type(inputs, {place}) <> 'VARCHAR' AND {self._is_among(mark, value)})"
        same = f"{_folded('k', mark)} = {quote_text(mark.column)} AND ({theirs})"
        found = f"list_filter(json_keys(inputs), lambda k: {same})"
        # Most logs hold no such column: the text tells in a fraction of the time that reading JSON takes. Where a sign
        # is escaped, it does not tell.
        named = f"(contains({_folded('inputs', mark)}, {quote_text(mark.column)}) OR contains(inputs, '\\')) AND "
        named = named if mark.column.isascii() else ""
        return f"(CASE WHEN {named}json_valid(inputs) THEN len({found}) > 0 ELSE false END)"

    def labels(self) -> str:
        """Whether a label belongs to one of their predictions."""
        if not self.predictions:
            return ""
        return f"prediction_id IN ({', '.join(map(quote_text, sorted(self.predictions)))})"


def _folded(text: str, mark: Mark) -> str:
    """A text as `name_key` folds names, so that a mark's column stands in it: ss for ß, one sigma, small letters."""
    folded = f"lower({text})"
    for sign, folds in (("ß", "ss"), (_FINAL_SIGMA, _SIGMA)):
        if folds in mark.column:
            folded = f"replace({folded}, '{sign}', '{folds}')"
    return folded


def _joined(column: str, marks: Sequence[Mark]) -> Mark:
    def every(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one for mark in marks for one in getattr(mark, name)))

    # Texts stand for all of them, or for none.
    told = all(mark.texts for mark in marks)
    return Mark(
        column=column,
        digests=every("digests"),
        shown=every("shown"),
        texts=every("texts") if told else (),
        shown_texts=every("shown_texts") if told else (),
    )
