"""Two passes over the rows: a cheap one that shows most checks hold, an exact one for those it cannot clear.

What the first pass costs, measured on 10 million rows of 18 columns in Parquet files, two cores, with DuckDB 1.5.5:
counts, least and greatest values come from the files' statistics (5 ms in all, while one aggregate beside them would
make it 1 s: so they stand in a query of their own); the distinct values of a dictionary-encoded column take 15 ms
where a regular expression on each row takes 600; a unique column takes 0.7 s, more than everything else together,
and 0.1 s where its whole numbers lie close enough for one bit each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidemill.contracts.rules import Rule
from tidemill.contracts.sample import source
from tidemill.core.names import quote_name
from tidemill.warehouse.protocol import Session, Staged

# Tables of so few rows are not sampled: whatever their values are, looking at the distinct ones costs little.
SMALL_TABLE = 200_000
SAMPLED_ROWS = 20_000
# A column that shows more distinct values than this among the sampled rows is checked row by row.
MOST_DISTINCT = 4_000
# Keys from the least to the greatest are marked in a row of bits, as long as there are at most so many bits a row.
BITS_PER_ROW = 8
MOST_BITS = 1 << 29
WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What is known of a rule: the failing rows, None when it is only known that there are some; its aggregates."""

    failing: int | None
    observed: dict[str, Any] = field(default_factory=dict)


def count_failing(session: Session, staged: Staged, rules: Sequence[Rule]) -> tuple[int, list[Count]]:
    """How many rows there are, and how many of them fail each rule."""
    reader = _Reader(session, staged)
    first = reader.first(rules)
    second = reader.second(rules, first)
    found = [first.get(number) or second[number] for number in range(len(rules))]
    open_ = [number for number, count in enumerate(found) if count.failing is None]
    for number, failing in zip(open_, reader.exact([rules[number] for number in open_]), strict=True):
        found[number] = Count(failing=failing, observed=found[number].observed)
    return reader.rows, found


class _Reader:
    """Asks one relation, several questions in a query."""

    def __init__(self, session: Session, staged: Staged) -> None:
        self._session = session
        self._from = source(staged)
        self._alias = quote_name(staged.table.rsplit(".", 1)[-1])
        self._relation = staged.relation
        self._many: set[str] = set()
        self._whole = {quote_name(column.name): column.type for column in staged.columns if column.type in WHOLE}
        self._spans: dict[str, tuple[int, int]] = {}
        self.rows = staged.rows

    def first(self, rules: Sequence[Rule]) -> dict[int, Count]:
        """What the statistics of the files say, and which columns have too many values to look at each once."""
        nulls = [(number, rule) for number, rule in enumerate(rules) if rule.way == "nulls"]
        bounds = [(number, rule) for number, rule in enumerate(rules) if rule.way == "bounds"]
        counts = [f"count(*) - count({rule.columns[0]})" for _, rule in nulls]
        asked = [f"(SELECT {', '.join(['count(*) AS n', *_named('k', counts)])} FROM {self._from})"]
        if bounds:
            asked.append(self._bounds([rule for _, rule in bounds]))
        sampled = self._worth_sampling(rules)
        if sampled:
            distinct = _named("s", [f"approx_count_distinct({column})" for column in sampled])
            listed = ", ".join(sampled)
            asked.append(
                f"(SELECT {', '.join(distinct)} FROM (SELECT {listed} FROM {self._from} LIMIT {SAMPLED_ROWS}))"
            )
        keys = self._keys_to_mark(rules)
        if keys:
            ends = [f"{end}({column})" for column in keys for end in ("min", "max")]
            asked.append(f"(SELECT {', '.join(_named('u', ends))} FROM {self._from})")
        self.rows, *rest = self._ask(asked)
        answers = iter(rest)
        found = {number: Count(failing=next(answers)) for number, _ in nulls}
        for number, _ in bounds:
            found[number] = Count(failing=0 if next(answers) is not False else None)
        self._many = {column for column in sampled if next(answers) > MOST_DISTINCT}
        for column in keys:
            low, high = next(answers), next(answers)
            if low is not None and high - low < min(BITS_PER_ROW * self.rows, MOST_BITS):
                self._spans[column] = low, high
        return found

    def second(self, rules: Sequence[Rule], known: dict[int, Count]) -> dict[int, Count]:
        """What takes a look at the rows: the aggregates in one scan, then a scan a column or a key."""
        todo = [(number, rule) for number, rule in enumerate(rules) if number not in known]
        shared = [(number, rule) for number, rule in todo if rule.way in {"table", "rows"} or self._is_wide(rule)]
        asked: list[str] = []
        takers: list[tuple[int, int]] = []  # a rule's number, and how many answers are its own
        expressions: list[str] = []
        for number, rule in shared:
            own = self._in_scan(rule)
            takers.append((number, len(own)))
            expressions += own
        if expressions:
            asked.append(f"(SELECT {', '.join(_named('a', expressions))} FROM {self._from})")
        alone = [(number, rule) for number, rule in todo if (number, rule) not in shared]
        for column in dict.fromkeys(rule.columns for _, rule in alone if rule.way == "values"):
            same = [(number, rule) for number, rule in alone if rule.way == "values" and rule.columns == column]
            tests = _named("v", [f"bool_and({rule.condition} IS NOT FALSE)" for _, rule in same])
            asked.append(
                f"(SELECT {', '.join(tests)} FROM (SELECT DISTINCT {column[0]} FROM {self._from}) AS {self._alias})"
            )
            takers += [(number, 1) for number, _ in same]
        for number, rule in alone:
            if rule.way != "values":
                asked.append(f"({self._own_scan(rule)})")
                takers.append((number, 1))
        if not asked:
            return {}
        answers = self._ask(asked)
        found: dict[int, Count] = {}
        taken = 0
        for number, width in takers:
            rule = rules[number]
            found[number] = _judge(rule, answers[taken : taken + width], counted=self._is_wide(rule))
            taken += width
        return found

    def exact(self, rules: Sequence[Rule]) -> list[int]:
        """The failing rows of rules that are known to fail."""
        if not rules:
            return []
        in_scan = [f"count(*) FILTER (WHERE {rule.fails})" for rule in rules if rule.fails]
        asked = [f"(SELECT {', '.join(_named('e', in_scan))} FROM {self._from})"] if in_scan else []
        asked += [f"({self._count_of(rule)})" for rule in rules if not rule.fails]
        answers = self._ask(asked)
        shared, alone = iter(answers[: len(in_scan)]), iter(answers[len(in_scan) :])
        return [int(next(shared if rule.fails else alone)) for rule in rules]

    def _count_of(self, rule: Rule) -> str:
        if rule.way == "unique":
            nulls = rule.nulls if rule.constraint.kind == "primary_key" else "false"
            return (
                f"SELECT (SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n {repeated(rule, self._from)}))"
                f" + (SELECT count(*) FROM {self._from} WHERE {nulls})"
            )
        return f"SELECT count(*) FROM ({failing_rows(rule, self._from)})"

    def _ask(self, asked: Sequence[str]) -> tuple[Any, ...]:
        """Several queries of one row each, side by side."""
        (answers,) = self._session.fetch(f"SELECT * FROM {', '.join(asked)}")
        return answers

    def _bounds(self, rules: Sequence[Rule]) -> str:
        """One row of truths: each condition asked of the least and of the greatest value of its column."""
        columns = list(dict.fromkeys(rule.columns[0] for rule in rules))
        pairs = [f"min({column}), max({column})" for column in columns]
        names = ", ".join(f"lo{i}, hi{i}" for i in range(len(columns)))
        least = ", ".join(f"lo{i} AS {column}" for i, column in enumerate(columns))
        greatest = ", ".join(f"hi{i}" for i in range(len(columns)))
        held = ", ".join(_named("b", [f"bool_and({rule.condition} IS NOT FALSE)" for rule in rules]))
        return (
            f"(WITH tm_bounds({names}) AS MATERIALIZED (SELECT {', '.join(pairs)} FROM {self._from})"
            f" SELECT {held} FROM (SELECT {least} FROM tm_bounds UNION ALL SELECT {greatest} FROM tm_bounds)"
            f" AS {self._alias})"
        )

    def _worth_sampling(self, rules: Iterable[Rule]) -> list[str]:
        if self.rows <= SMALL_TABLE:
            return []
        looked_at = [
            rule for rule in rules if rule.way == "values" or (rule.way == "orphans" and len(rule.columns) == 1)
        ]
        return list(dict.fromkeys(rule.columns[0] for rule in looked_at))

    def _keys_to_mark(self, rules: Iterable[Rule]) -> list[str]:
        """Unique columns of whole numbers, whose different values a row of bits may count."""
        if self.rows <= SMALL_TABLE:
            return []
        alone = [rule.columns[0] for rule in rules if rule.way == "unique" and len(rule.columns) == 1]
        return [column for column in dict.fromkeys(alone) if column in self._whole]

    def _different(self, column: str) -> str:
        """How many different values a column has."""
        if column not in self._spans:
            return f"count(DISTINCT {column})"
        low, high = (f"({end})::{self._whole[column]}" for end in self._spans[column])
        return f"coalesce(bit_count(bitstring_agg({column}, {low}, {high})), 0)"

    def _is_wide(self, rule: Rule) -> bool:
        return rule.way == "values" and rule.columns[0] in self._many

    def _in_scan(self, rule: Rule) -> list[str]:
        if rule.way == "table":
            return [f"({rule.condition} IS FALSE)", *rule.constraint.measures]
        return [f"count(*) FILTER (WHERE {rule.fails})"]

    def _own_scan(self, rule: Rule) -> str:
        """A query of one number: for a key the keys less the different ones, otherwise the failing rows."""
        if rule.way == "unique":
            return self._repeats(rule)
        if rule.way == "orphans" and len(rule.columns) == 1 and rule.columns[0] not in self._many:
            column = rule.columns[0]
            distinct = f"(SELECT DISTINCT {column} FROM {self._from} WHERE {column} IS NOT NULL)"
            return f"SELECT count(*) FROM {distinct} AS mine WHERE {_unmatched(rule)}"
        return f"SELECT count(*) FROM ({failing_rows(rule, self._from)})"

    def _repeats(self, rule: Rule) -> str:
        """Keys less different keys; and the NULLs that a primary key must not have."""
        strict = rule.constraint.kind == "primary_key"
        nulls = f"count(*) FILTER (WHERE {rule.nulls})" if strict else "0"
        if len(rule.columns) == 1:
            column = rule.columns[0]
            return f"SELECT count({column}) - {self._different(column)} + ({nulls}) FROM {self._from}"
        distinct = f"SELECT DISTINCT {', '.join(rule.columns)} FROM {self._from} WHERE NOT ({rule.nulls})"
        present = f"count(*) FILTER (WHERE NOT ({rule.nulls}))"
        return f"SELECT {present} - (SELECT count(*) FROM ({distinct})) + ({nulls}) FROM {self._from}"


def failing_rows(rule: Rule, rows: str) -> str:
    """The rows that fail, as a query."""
    if rule.way == "unique":
        listed = rule.columns[0] if len(rule.columns) == 1 else f"({', '.join(rule.columns)})"
        nulls = f"({rule.nulls}) OR " if rule.constraint.kind == "primary_key" else ""
        return f"SELECT * FROM {rows} WHERE {nulls}{listed} IN (SELECT {listed} {repeated(rule, rows)})"
    if rule.way == "orphans":
        present = " AND ".join(f"{column} IS NOT NULL" for column in rule.columns)
        return f"SELECT * FROM (FROM {rows}) AS mine WHERE {present} AND {_unmatched(rule)}"
    if rule.way == "window":
        return f"SELECT * FROM {rows} QUALIFY {rule.fails}"
    return f"SELECT * FROM {rows} WHERE {rule.fails}"


def repeated(rule: Rule, rows: str) -> str:
    """The groups of a key that have several rows. NULLs are not equal to each other, so they repeat nothing."""
    return f"FROM {rows} WHERE NOT ({rule.nulls}) GROUP BY {', '.join(rule.columns)} HAVING count(*) > 1"


def _unmatched(rule: Rule) -> str:
    pairs = zip(rule.columns, rule.foreign, strict=True)
    same = " AND ".join(f"mine.{ours} = theirs.{other}" for ours, other in pairs)
    return f"NOT EXISTS (SELECT 1 FROM {rule.other} AS theirs WHERE {same})"


def _judge(rule: Rule, answers: Sequence[Any], *, counted: bool) -> Count:
    """What answers of the second pass say; ``counted`` where a rule of values was asked of each row."""
    value = answers[0]
    if rule.way == "table":
        observed = dict(zip(rule.constraint.measures, answers[1:], strict=True))
        return Count(failing=1 if value else 0, observed=observed)
    if rule.way == "values" and not counted:
        return Count(failing=0 if value is not False else None)
    if rule.way in {"unique", "orphans"}:
        return Count(failing=None if value else 0)
    return Count(failing=int(value))


def _named(letter: str, expressions: Sequence[str]) -> list[str]:
    return [f"{expression} AS {letter}{number}" for number, expression in enumerate(expressions)]
