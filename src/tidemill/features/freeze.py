"""The analytic preprocessing functions: what each learns from the training rows, and the scalar SQL it becomes.

Sums are numpy's, over the rows in the query's order: the same rows give the same constants.

References
----------
.. [1] https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-preprocessing-functions
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np  # noqa: TID253
from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import EmptyDataError
from tidemill.features.arrow import numbers, plain
from tidemill.sql.scalar_call import ScalarCall
from tidemill.sql.scalars_sql import BUILDERS

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.warehouse.protocol import Session

#: What a function looks at: numbers in order; values, texts or an array's members, which are counted.
Look = Literal["numbers", "values", "texts", "members"]


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the training rows hold of one argument: its numbers in order (without NULL), or its values counted."""

    numbers: np.ndarray = field(default_factory=lambda: np.empty(0))
    counts: Counter[Any] = field(default_factory=Counter)
    numeric: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Freezer:
    """How one analytic function is frozen."""

    look: Callable[[ScalarCall], Look]
    write: Callable[[ScalarCall, str, Seen], str]


def gather(session: Session, sql: str, arguments: Sequence[str], *, kinds: Sequence[Look]) -> list[Seen]:
    """Read all arguments in one pass over the training rows."""
    columns = ", ".join(
        f"{argument if kind == 'numbers' else _as_values(argument, kind)} AS v{i}"
        for i, (argument, kind) in enumerate(zip(arguments, kinds, strict=True))
    )
    seen = [Seen() for _ in arguments]
    chunks: list[list[np.ndarray]] = [[] for _ in arguments]
    for batch in session.query(f"SELECT {columns} FROM ({sql}) AS tm_raw"):
        for i, kind in enumerate(kinds):
            array = plain(batch.column(i))
            if kind == "numbers":
                chunks[i].append(numbers(array).astype(np.float64))
            else:
                _count(seen[i], array.flatten() if kind == "members" else array)
    for one, parts, kind in zip(seen, chunks, kinds, strict=True):
        if kind == "numbers":
            values = np.concatenate(parts) if parts else np.empty(0)
            one.numbers = values[~np.isnan(values)]
    return seen


def _as_values(argument: str, kind: Look) -> str:
    types = {"texts": "VARCHAR", "members": "VARCHAR[]"}
    return f"CAST({argument} AS {types[kind]})" if kind in types else argument


def _count(seen: Seen, array: pa.Array) -> None:
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    seen.numeric = not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type))
    if seen.numeric:
        array = pa.array(numbers(array).astype(np.float64), from_pandas=True)
    for item in array.value_counts().to_pylist():
        if item["values"] is not None:
            seen.counts[item["values"]] += item["counts"]


def number_sql(value: float) -> str:
    """A DOUBLE literal that reads back as the same number (without an exponent it would be a DECIMAL)."""
    text = repr(float(value))
    text = text if "e" in text else f"{text}e0"
    return f"({text})" if value < 0 else text


def text_sql(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("'", "''") + "'"


def quantile(ascending: np.ndarray, share: float) -> float:
    """The smallest value with at least a share of the rows at or below it: always a value that occurs."""
    return float(ascending[max(0, math.ceil(share * len(ascending)) - 1)])


def _ascending(call: ScalarCall, seen: Seen) -> np.ndarray:
    if not len(seen.numbers):
        raise EmptyDataError(f"{call.function}: the training rows hold nothing but NULL", where=call.where)
    return np.sort(seen.numbers)


def _x(argument: str) -> str:
    return f"CAST({argument} AS DOUBLE)"


def _standard_scaler(call: ScalarCall, argument: str, seen: Seen) -> str:
    values = seen.numbers
    low = float(_ascending(call, seen)[0])
    mean = float(np.add.reduce(values)) / len(values) if low != values.max() else low
    centred = values - mean
    deviation = math.sqrt(float(np.add.reduce(centred * centred)) / (len(values) - 1)) if len(values) > 1 else 0.0
    shifted = f"{_x(argument)} - {number_sql(mean)}"
    return f"({shifted}) / {number_sql(deviation)}" if deviation else shifted


def _min_max_scaler(call: ScalarCall, argument: str, seen: Seen) -> str:
    values = _ascending(call, seen)
    low, high = float(values[0]), float(values[-1])
    x = _x(argument)
    scaled = f"({x} - {number_sql(low)}) / {number_sql(high - low)}" if high > low else f"{x} * 0e0"
    return f"CASE WHEN {x} < {number_sql(low)} THEN 0e0 WHEN {x} > {number_sql(high)} THEN 1e0 ELSE {scaled} END"


def _max_abs_scaler(call: ScalarCall, argument: str, seen: Seen) -> str:
    greatest = float(np.abs(_ascending(call, seen)).max())
    return f"{_x(argument)} / {number_sql(greatest)}" if greatest else _x(argument)


def _robust_scaler(call: ScalarCall, argument: str, seen: Seen) -> str:
    values = _ascending(call, seen)
    low, high = call.numbers(1, name="quantile_range") if len(call.arguments) > 1 else (25.0, 75.0)
    if not 0 < low < high < 100:
        raise call.wrong("quantile_range is two rising numbers between 0 and 100")
    written = _x(argument)
    if call.flag(2, True, name="with_median"):
        written = f"({written} - {number_sql(quantile(values, 0.5))})"
    spread = quantile(values, high / 100) - quantile(values, low / 100)
    if call.flag(3, True, name="with_quantile_range") and spread:
        written = f"{written} / {number_sql(spread)}"
    return written


def _quantile_bucketize(call: ScalarCall, argument: str, seen: Seen) -> str:
    values = _ascending(call, seen)
    buckets = call.whole(1, 2, name="the number of buckets", low=2, high=10_000)
    cuts = sorted({quantile(values, number / buckets) for number in range(1, buckets)})
    splits = exp.Array(expressions=[_literal(cut) for cut in cuts])
    bucketize = ScalarCall(
        function=call.function,
        arguments=[exp.column("tm_x"), splits, exp.false(), *call.arguments[2:3]],
        where=call.where,
    )
    written = BUILDERS["ML.BUCKETIZE"](bucketize).sql(dialect="duckdb")
    return written.replace("tm_x", f"({argument})")


def _literal(value: float) -> exp.Expr:
    literal = exp.Literal.number(repr(abs(value)))
    return exp.Neg(this=literal) if value < 0 else literal


def _imputer(call: ScalarCall, argument: str, seen: Seen) -> str:
    strategy = call.choice(1, ("mean", "median", "most_frequent"), name="the strategy")
    if strategy == "most_frequent":
        if not seen.counts:
            raise EmptyDataError(f"{call.function}: the training rows hold nothing but NULL", where=call.where)
        value = min(seen.counts, key=lambda known: (-seen.counts[known], known))
        written = _x(argument) if seen.numeric else argument
        return f"coalesce({written}, {number_sql(value) if seen.numeric else text_sql(value)})"
    values = _ascending(call, seen)
    fill = float(np.add.reduce(seen.numbers)) / len(values) if strategy == "mean" else quantile(values, 0.5)
    return f"coalesce({_x(argument)}, {number_sql(fill)})"


def vocabulary(call: ScalarCall, counts: Mapping[str, int], first: int) -> list[str]:
    """The ``top_k`` most frequent values (ties alphabetical) at or above the frequency threshold, alphabetical."""
    top = call.whole(first, 32_000, name="top_k", low=1, high=1_000_000)
    frequency = call.whole(first + 1, 5, name="frequency_threshold", low=0, high=10**9)
    ranked = sorted((value for value in counts if counts[value] >= frequency), key=lambda v: (-counts[v], v))
    return sorted(ranked[:top])


def _code(x: str, words: Sequence[str]) -> str:
    # A cast to ENUM looks a word up by hashing, whatever the length of the vocabulary.
    if not words:
        return f"CASE WHEN {x} IS NULL THEN 0 ELSE 0 END"
    return f"coalesce(CAST(enum_code(TRY_CAST({x} AS ENUM({', '.join(map(text_sql, words))}))) AS BIGINT) + 1, 0)"


def _label_encoder(call: ScalarCall, argument: str, seen: Seen) -> str:
    words = vocabulary(call, seen.counts, 1)
    return f"CAST({_code(f'CAST({argument} AS VARCHAR)', words)} AS BIGINT)"


def _one_hot_encoder(call: ScalarCall, argument: str, seen: Seen) -> str:
    counts = seen.counts
    drop = call.choice(1, ("none", "most_frequent"), name="the category to drop")
    words = vocabulary(call, counts, 2)
    x = f"CAST({argument} AS VARCHAR)"
    value = "1e0"
    if drop == "most_frequent" and counts:
        most = min(counts, key=lambda known: (-counts[known], known))
        value = f"CASE WHEN {x} = {text_sql(most)} THEN 0e0 ELSE 1e0 END"
    return f"[{{'index': CAST({_code(x, words)} AS BIGINT), 'value': {value}}}]"


def _multi_hot_encoder(call: ScalarCall, argument: str, seen: Seen) -> str:
    code = _code("tm_e", vocabulary(call, seen.counts, 1))
    codes = (
        f"list_sort(list_distinct(list_transform(CAST({argument} AS VARCHAR[]), lambda tm_e: CAST({code} AS BIGINT))))"
    )
    return f"list_transform({codes}, lambda tm_i: {{'index': tm_i, 'value': 1e0}})"


def _numbers(_: ScalarCall) -> Look:
    return "numbers"


def _texts(_: ScalarCall) -> Look:
    return "texts"


def _members(_: ScalarCall) -> Look:
    return "members"


def _imputed(call: ScalarCall) -> Look:
    strategy = call.choice(1, ("mean", "median", "most_frequent"), name="the strategy")
    return "values" if strategy == "most_frequent" else "numbers"


FREEZERS: Mapping[str, Freezer] = MappingProxyType(
    {
        "ML.STANDARD_SCALER": Freezer(look=_numbers, write=_standard_scaler),
        "ML.MIN_MAX_SCALER": Freezer(look=_numbers, write=_min_max_scaler),
        "ML.MAX_ABS_SCALER": Freezer(look=_numbers, write=_max_abs_scaler),
        "ML.ROBUST_SCALER": Freezer(look=_numbers, write=_robust_scaler),
        "ML.QUANTILE_BUCKETIZE": Freezer(look=_numbers, write=_quantile_bucketize),
        "ML.IMPUTER": Freezer(look=_imputed, write=_imputer),
        "ML.LABEL_ENCODER": Freezer(look=_texts, write=_label_encoder),
        "ML.ONE_HOT_ENCODER": Freezer(look=_texts, write=_one_hot_encoder),
        "ML.MULTI_HOT_ENCODER": Freezer(look=_members, write=_multi_hot_encoder),
    }
)
"""One row per analytic function that TRANSFORM supports; a test holds it equal to the table of functions."""
