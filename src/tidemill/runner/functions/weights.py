"""ML.WEIGHTS and ML.ADVANCED_WEIGHTS: what a linear model learnt for each input.

A linear model is fitted on standardised numbers. By default its weights are given back in the inputs' own units:
a number's weight is divided by its deviation, and the intercept takes the means up.

References
----------
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-weights
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-advanced-weights
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import StatementError
from tidemill.features.plan import FeaturePlan, Instant, Number, OneHot, encoded_columns
from tidemill.runner.functions.columns import small_rows
from tidemill.runner.functions.facts import facts_of

if TYPE_CHECKING:
    from tidemill.core.rows import Rows
    from tidemill.runner.call import FunctionCall

INTERCEPT = "__INTERCEPT__"
NULL_CATEGORY = "_null_filler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One term of the weighted sum.

    ``column`` is its encoded column, None for the category that DUMMY_ENCODING drops. A number has no ``category``;
    ``mean`` and ``deviation`` are those it was standardised with.
    """

    processed: str
    column: int | None
    category: str | None = None
    mean: float = 0.0
    deviation: float = 1.0


def weights(call: FunctionCall) -> Rows:
    """Return a row per input, numbers with their weight, categories with a weight each; the intercept comes last."""
    import pyarrow as pa

    facts = facts_of(call)
    pair = pa.struct([pa.field("category", pa.string()), pa.field("weight", pa.float64())])
    fields = [
        pa.field("processed_input", pa.string()),
        pa.field("weight", pa.float64()),
        pa.field("category_weights", pa.list_(pair)),
    ]
    per_class = len(facts.labels.classes) > 2
    if per_class:
        fields.append(pa.field("class_label", facts.label_type))

    def make() -> list[dict[str, Any]]:
        terms, standardized = terms_of(facts.plan), bool(call.settings.get("standardize"))
        classes = facts.class_values().to_pylist() if per_class else [None]
        rows: list[dict[str, Any]] = []
        for value, (by_column, intercept) in zip(classes, facts.weights(), strict=True):
            found = _weight_rows(terms, by_column, intercept, standardized=standardized)
            rows += [{**row, "class_label": value} for row in found]
        return rows

    return small_rows(call, pa.schema(fields), make)


def advanced_weights(call: FunctionCall) -> Rows:
    """Return a row per term with its standard error and p-value.

    Raises
    ------
    StatementError
        The model was not trained with CALCULATE_P_VALUES.
    """
    import pyarrow as pa

    facts = facts_of(call)
    errors, p_values = facts.fitted.get("standard_errors"), facts.fitted.get("p_values")
    if errors is None or p_values is None:
        raise StatementError(
            f"ML.ADVANCED_WEIGHTS needs a model trained with CALCULATE_P_VALUES = TRUE; {facts.name} was not",
            where=call.where,
            hint="add CALCULATE_P_VALUES = TRUE to the model's OPTIONS (and CATEGORY_ENCODING_METHOD = "
            "'DUMMY_ENCODING' when it has categories), or use ML.WEIGHTS",
        )
    schema = pa.schema(
        [
            ("processed_input", pa.string()),
            ("category", pa.string()),
            *((name, pa.float64()) for name in ("weight", "standard_error", "p_value")),
        ]
    )

    def make() -> list[dict[str, Any]]:
        terms, standardized = terms_of(facts.plan), bool(call.settings.get("standardize"))
        ((by_column, intercept),) = facts.weights()
        return _advanced_rows(terms, by_column, intercept, (errors, p_values), standardized=standardized)

    return small_rows(call, schema, make)


def terms_of(plan: FeaturePlan) -> list[Term]:
    """Name the terms of a linear model, in the order of its features."""
    terms: list[Term] = []
    columns = list(enumerate(encoded_columns(plan)))
    for ordinal, feature in enumerate(plan.features):
        mine = [(place, column) for place, column in columns if column.feature == ordinal]
        encoding = feature.encoding
        if isinstance(encoding, Number):
            terms.append(_number(feature.name, mine[0][0], encoding))
            continue
        if isinstance(encoding, Instant):
            terms.append(_number(feature.name, mine.pop(0)[0], encoding.seconds))
        for place, column in mine:
            processed = f"_TS_{column.part}_{feature.name}" if column.part else feature.name
            category = NULL_CATEGORY if column.null else column.category
            if category is None:
                category = str(column.position)  # an array of numbers: a weight per place
            terms.append(Term(processed=processed, column=place, category=category))
        if isinstance(encoding, OneHot) and encoding.dropped is not None:
            terms.insert(len(terms) - len(mine) + encoding.dropped, _dropped(feature.name, encoding))
    return terms


def _number(name: str, place: int, number: Number) -> Term:
    return Term(processed=name, column=place, mean=number.mean or 0.0, deviation=number.deviation or 1.0)


def _dropped(name: str, encoding: OneHot) -> Term:
    ordinal = encoding.dropped or 0
    known = ordinal < len(encoding.vocabulary)
    return Term(processed=name, column=None, category=encoding.vocabulary[ordinal] if known else NULL_CATEGORY)


def _weight(term: Term, by_column: Sequence[float], *, standardized: bool) -> float:
    if term.column is None:
        return 0.0
    return by_column[term.column] / (1.0 if standardized else term.deviation)


def _intercept(terms: Sequence[Term], by_column: Sequence[float], intercept: float, *, standardized: bool) -> float:
    if standardized:
        return intercept
    return intercept - sum(_weight(term, by_column, standardized=False) * term.mean for term in terms)


def _weight_rows(
    terms: Sequence[Term], by_column: Sequence[float], intercept: float, *, standardized: bool
) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for term in terms:
        weight = _weight(term, by_column, standardized=standardized)
        row = rows.setdefault(
            term.processed, {"processed_input": term.processed, "weight": None, "category_weights": []}
        )
        if term.category is None:
            row["weight"] = weight
        else:
            row["category_weights"].append({"category": term.category, "weight": weight})
    last = _intercept(terms, by_column, intercept, standardized=standardized)
    return [*rows.values(), {"processed_input": INTERCEPT, "weight": last, "category_weights": []}]


def _advanced_rows(
    terms: Sequence[Term],
    by_column: Sequence[float],
    intercept: float,
    inference: tuple[Sequence[float | None], Sequence[float | None]],
    *,
    standardized: bool,
) -> list[dict[str, Any]]:
    errors, p_values = inference
    rows: list[dict[str, Any]] = []
    for term in terms:
        error = None if term.column is None else errors[term.column]
        rows.append(
            {
                "processed_input": term.processed,
                "category": term.category,
                "weight": _weight(term, by_column, standardized=standardized),
                "standard_error": error if error is None or standardized else error / term.deviation,
                "p_value": None if term.column is None else p_values[term.column],
            }
        )
    last: dict[str, Any] = {"weight": _intercept(terms, by_column, intercept, standardized=standardized)}
    if standardized and len(errors) > len(by_column):
        # In the inputs' own units the intercept would need the covariances; BigQuery leaves it out there too.
        last |= {"standard_error": errors[-1], "p_value": p_values[-1]}
    return [*rows, {"processed_input": INTERCEPT, "category": None, **last}]
