"""What each scalar and analytic ML function says in SQL.

Templates are written in DuckDB's dialect and read by sqlglot once; ``:name`` stands for an argument. Quantiles are
values that occur (``quantile_disc``), as BigQuery ML's published samples have them. A constant column is 0 when scaled.

References
----------
.. [1] https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-preprocessing-functions
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from types import MappingProxyType

from sqlglot import exp  # noqa: TID253

from tidemill.core import tfdv
from tidemill.core.errors import UnsupportedError
from tidemill.core.farm import FUNCTION, SIGNED
from tidemill.sql.scalar_call import ScalarCall, fill, literal_number, number

FORMATS = ("bucket_names", "bucket_ranges", "bucket_ranges_json")


def _shown(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _standard_scaler(call: ScalarCall) -> exp.Expr:
    return fill(
        "coalesce((:x - avg(:x) OVER ()) / nullif(stddev_samp(:x) OVER (), 0), :x - avg(:x) OVER ())",
        x=call.arguments[0],
    )


def _min_max_scaler(call: ScalarCall) -> exp.Expr:
    return fill(
        "CAST(coalesce((:x - min(:x) OVER ()) / nullif(max(:x) OVER () - min(:x) OVER (), 0), :x - min(:x) OVER ()) "
        "AS DOUBLE)",
        x=call.arguments[0],
    )


def _max_abs_scaler(call: ScalarCall) -> exp.Expr:
    return fill("CAST(coalesce(:x / nullif(max(abs(:x)) OVER (), 0), :x) AS DOUBLE)", x=call.arguments[0])


def _robust_scaler(call: ScalarCall) -> exp.Expr:
    low, high = _quantile_range(call)
    x = call.arguments[0]
    centred = x
    if call.flag(2, True, name="with_median"):
        centred = fill(":x - quantile_disc(:x, 0.5) OVER ()", x=x)
    if not call.flag(3, True, name="with_quantile_range"):
        return fill("CAST(:centred AS DOUBLE)", centred=centred)
    return fill(
        "CAST(coalesce(:centred / nullif(quantile_disc(:x, :high) OVER () - quantile_disc(:x, :low) OVER (), 0), "
        ":centred) AS DOUBLE)",
        x=x,
        centred=centred,
        low=number(low / 100),
        high=number(high / 100),
    )


def _quantile_range(call: ScalarCall) -> tuple[float, float]:
    if len(call.arguments) < 2:
        return 25.0, 75.0
    bounds = call.numbers(1, name="quantile_range")
    if len(bounds) != 2 or not 0 < bounds[0] < bounds[1] < 100:
        raise call.wrong("quantile_range is two rising numbers between 0 and 100")
    return bounds[0], bounds[1]


def _imputer(call: ScalarCall) -> exp.Expr:
    strategy = call.choice(1, ("mean", "median", "most_frequent"), name="the strategy")
    templates = {
        "mean": "coalesce(:x, avg(:x) OVER ())",
        "median": "CAST(coalesce(:x, quantile_disc(:x, 0.5) OVER ()) AS DOUBLE)",
        "most_frequent": f"coalesce(:x, {_BY_COUNT}[1].k)",
    }
    return fill(templates[strategy], x=call.arguments[0])


def _bucketize(call: ScalarCall) -> exp.Expr:
    inner = call.flag(2, False, name="exclude_boundaries")
    style = call.choice(3, FORMATS, name="output_format")
    if not isinstance(call.arguments[1], exp.Array) or any(
        literal_number(item) is None for item in call.arguments[1].expressions
    ):
        return _bucketize_array(call, inner=inner, style=style)
    splits = sorted(set(call.numbers(1, name="array_split_points")))
    if inner:
        if len(splits) < 3:
            raise call.wrong("without its boundaries there are no split points left")
        splits = splits[1:-1]
    names = _bucket_names(splits, style)
    x = call.arguments[0]
    case = exp.Case(ifs=[exp.If(this=fill(":x IS NULL", x=x), true=exp.null())])
    for split, name in zip(splits, names, strict=False):
        case.append("ifs", exp.If(this=fill(":x < :split", x=x, split=number(split)), true=exp.Literal.string(name)))
    case.set("default", exp.Literal.string(names[-1]))
    return case


def _bucketize_array(call: ScalarCall, *, inner: bool, style: str) -> exp.Expr:
    """Split points that are computed: they are counted for each row."""
    splits = fill("list_sort(list_distinct(:s))" + ("[2:-2]" if inner else ""), s=call.arguments[1])
    return _named_bucket(call.arguments[0], splits, style, cuts=":cuts")


def _bucket_names(splits: Sequence[float], style: str) -> list[str]:
    if style == "bucket_names":
        return [f"bin_{number}" for number in range(1, len(splits) + 2)]
    shown = [_shown(split) for split in splits]
    if style == "bucket_ranges":
        bounds = itertools.pairwise(["(-inf", *(f"[{split}" for split in shown), ""])
        return [f"{low}, {high.lstrip('[') or '+inf'})" for low, high in bounds]
    pairs = itertools.pairwise(["-Infinity", *shown, "Infinity"])
    return [f'{{"start": "{low}", "end": "{high}"}}' for low, high in pairs]


def _hash_bucketize(call: ScalarCall) -> exp.Expr:
    """The unsigned fingerprint modulo the buckets; without buckets the fingerprint itself, as a signed number."""
    buckets = call.whole(1, 0, name="hash_bucket_size", low=0, high=2**62)
    template = f"CAST({FUNCTION}(CAST(:x AS VARCHAR)) % :n AS BIGINT)" if buckets else f"{SIGNED}(CAST(:x AS VARCHAR))"
    return fill(template, x=call.arguments[0], n=number(buckets))


def _quantile_bucketize(call: ScalarCall) -> exp.Expr:
    buckets = call.whole(1, 2, name="the number of buckets", low=2, high=10_000)
    style = call.choice(2, FORMATS, name="output_format")
    shares = exp.Array(expressions=[number(step / buckets) for step in range(1, buckets)])
    return _named_bucket(call.arguments[0], shares, style, cuts="quantile_disc(:x, :cuts) OVER ()")


def _named_bucket(x: exp.Expr, parts: exp.Expr, style: str, *, cuts: str) -> exp.Expr:
    """The bucket of a value among the rising points of an array, which the template ``cuts`` says."""
    bucket = f"len(list_filter({cuts}, lambda tm_c: tm_c <= :x))"
    low = f"({cuts})[{bucket}]"
    high = f"({cuts})[{bucket} + 1]"
    templates = {
        "bucket_names": f"'bin_' || CAST(1 + {bucket} AS VARCHAR)",
        "bucket_ranges": f"coalesce('[' || {_cut(low)}, '(-inf') || ', ' || coalesce({_cut(high)}, '+inf') || ')'",
        "bucket_ranges_json": f'\'{{"start": "\' || coalesce({_cut(low)}, \'-Infinity\') || \'", "end": "\' || '
        f"coalesce({_cut(high)}, 'Infinity') || '\"}}'",
    }
    return fill(f"CASE WHEN :x IS NULL THEN NULL ELSE {templates[style]} END", x=x, cuts=parts)


def _cut(sql: str) -> str:
    return f"regexp_replace(CAST({sql} AS VARCHAR), '[.]0$', '')"


# Variables of lambdas begin with tm_, so that none of them hides a column.
# Values by how often they occur, ties in alphabetical order: [{'n': -2, 'k': 'a'}, ...]
_BY_COUNT = (
    "list_sort(list_transform(map_entries(histogram(:x) OVER ()), "
    "lambda tm_e: {'n': -CAST(tm_e.value AS BIGINT), 'k': tm_e.key}))"
)
_VOCABULARY = (
    f"list_sort(list_transform(list_filter({_BY_COUNT}, lambda tm_s: -tm_s.n >= :frequency)[1:CAST(:top AS INTEGER)], "
    "lambda tm_s: tm_s.k))"
)


def _vocabulary_parts(call: ScalarCall, first: int) -> dict[str, exp.Expr]:
    top = call.whole(first, 32_000, name="top_k", low=1, high=1_000_000)
    frequency = call.whole(first + 1, 5, name="frequency_threshold", low=0, high=10**9)
    return {"x": call.arguments[0], "top": number(top), "frequency": number(frequency)}


def _label_encoder(call: ScalarCall) -> exp.Expr:
    template = f"CAST(coalesce(list_position({_VOCABULARY}, :x), 0) AS BIGINT)"
    return fill(template, **_vocabulary_parts(call, 1))


def _one_hot_encoder(call: ScalarCall) -> exp.Expr:
    drop = call.choice(1, ("none", "most_frequent"), name="the category to drop")
    value = f"CASE WHEN :x = {_BY_COUNT}[1].k THEN 0.0 ELSE 1.0 END" if drop == "most_frequent" else "1.0"
    template = (
        f"[{{'index': CAST(coalesce(list_position({_VOCABULARY}, :x), 0) AS BIGINT), "
        f"'value': CAST({value} AS DOUBLE)}}]"
    )
    return fill(template, **_vocabulary_parts(call, 2))


def _norm(p: float) -> str:
    """The template of the p-norm of ``:v``; p = 0 counts what is not zero."""
    if p == 0:
        return "CAST(len(list_filter(:v, lambda tm_e: tm_e <> 0)) AS DOUBLE)"
    if p == float("inf"):
        return "CAST(list_max(list_transform(:v, lambda tm_e: abs(tm_e))) AS DOUBLE)"
    if p == 1:
        return "CAST(list_sum(list_transform(:v, lambda tm_e: abs(tm_e))) AS DOUBLE)"
    if p == 2:
        return "sqrt(list_sum(list_transform(:v, lambda tm_e: tm_e * tm_e)))"
    return f"pow(list_sum(list_transform(:v, lambda tm_e: pow(abs(tm_e), {p!r}))), 1.0 / {p!r})"


def _p(call: ScalarCall) -> float:
    p = call.number(1, 2.0, name="p")
    if p != 0 and p < 1:
        raise call.wrong("p is 0, a number of at least 1, or CAST('+inf' AS FLOAT64)")
    return p


def _normalizer(call: ScalarCall) -> exp.Expr:
    template = f"list_transform(:v, lambda tm_i: CAST(coalesce(tm_i / nullif({_norm(_p(call))}, 0), tm_i) AS DOUBLE))"
    return fill(template, v=call.arguments[0])


def _lp_norm(call: ScalarCall) -> exp.Expr:
    return fill(_norm(_p(call)), v=call.arguments[0])


def _distance(call: ScalarCall) -> exp.Expr:
    kind = call.choice(2, ("EUCLIDEAN", "MANHATTAN", "COSINE"), name="the type of distance")
    templates = {
        "EUCLIDEAN": "list_distance(CAST(:a AS DOUBLE[]), CAST(:b AS DOUBLE[]))",
        "COSINE": "list_cosine_distance(CAST(:a AS DOUBLE[]), CAST(:b AS DOUBLE[]))",
        "MANHATTAN": "CAST(list_sum(list_transform(:a, lambda tm_e, tm_i: abs(tm_e - (:b)[tm_i]))) AS DOUBLE)",
    }
    return fill(templates[kind], a=call.arguments[0], b=call.arguments[1])


def _tfdv_validate(call: ScalarCall) -> exp.Expr:
    """A function of the engine's Python; what is written out in the call becomes one text of settings."""
    for at, name in ((3, "categorical_default_threshold"), (5, "numerical_default_threshold")):
        if not 0 <= call.number(at, 0.3, name=name) < 1:
            raise call.wrong(f"{name} is at least 0 and below 1")
    call.choice(6, (tfdv.JENSEN_SHANNON,), name="numerical_metric_type")
    settings = {
        "kind": call.choice(2, tuple(tfdv.KINDS), name="detection_type"),
        "categorical": call.number(3, 0.3, name="categorical_default_threshold"),
        "categorical_metric": call.choice(4, (tfdv.L_INFTY, tfdv.JENSEN_SHANNON), name="categorical_metric_type"),
        "numerical": call.number(5, 0.3, name="numerical_default_threshold"),
        "columns": _thresholds(call, 7),
    }
    base, study = call.arguments[:2]
    written = f"{tfdv.FUNCTION}(CAST(:base AS VARCHAR), CAST(:study AS VARCHAR), :settings)"
    return fill(written, base=base, study=study, settings=exp.Literal.string(json.dumps(settings, sort_keys=True)))


def _thresholds(call: ScalarCall, index: int) -> dict[str, float]:
    if index >= len(call.arguments):
        return {}
    argument = call.arguments[index]
    found: dict[str, float] = {}
    for pair in argument.expressions if isinstance(argument, exp.Array) else [argument]:
        parts = [part.this if isinstance(part, exp.PropertyEQ) else part for part in pair.expressions]
        limit = literal_number(parts[1]) if len(parts) == 2 else None
        if limit is None or not isinstance(parts[0], exp.Literal) or not 0 <= limit < 1:
            raise call.wrong("thresholds is an array of pairs of a column and a limit: [('age', 0.1)]")
        found[parts[0].name] = limit
    return found


def _ngrams(call: ScalarCall) -> exp.Expr:
    if isinstance(call.arguments[1], exp.Array):
        sizes = call.numbers(1, name="ngram_size")
    else:
        sizes = [call.number(1, 1, name="ngram_size")] * 2
    if len(sizes) != 2 or not 1 <= sizes[0] <= sizes[1] or any(size != int(size) for size in sizes):
        raise call.wrong("the sizes are a whole number of at least 1, or two rising ones")
    separator = call.arguments[2] if len(call.arguments) > 2 else exp.Literal.string(" ")
    template = (
        "flatten(list_transform(range(1, len(:v) + 1), lambda tm_i: list_transform("
        "range(:low, least(:high, len(:v) - tm_i + 1) + 1), "
        "lambda tm_k: array_to_string((:v)[tm_i:tm_i + tm_k - 1], :separator))))"
    )
    low, high = (number(size) for size in sizes)
    return fill(template, v=call.arguments[0], low=low, high=high, separator=separator)


def _polynomial_expand(call: ScalarCall) -> exp.Expr:
    degree = call.whole(1, 2, name="degree", low=1, high=4)
    fields = struct_fields(call)
    # f1, f1_f1, f1_f2, f2, f2_f2: each product stands before the longer ones it begins.
    products = [
        combination
        for size in range(1, degree + 1)
        for combination in itertools.combinations_with_replacement(range(len(fields)), size)
    ]
    return _struct(fields, sorted(products), lambda left, right: fill(":a * :b", a=left, b=right), kind="DOUBLE")


def _feature_cross(call: ScalarCall) -> exp.Expr:
    degree = call.whole(1, 2, name="degree", low=2, high=4)
    fields = struct_fields(call)
    crosses = [
        combination for size in range(2, degree + 1) for combination in itertools.combinations(range(len(fields)), size)
    ]
    if not crosses:
        raise call.wrong("a cross needs a STRUCT of at least two columns")
    return _struct(
        fields, sorted(crosses), lambda left, right: fill(":a || '_' || :b", a=left, b=right), kind="VARCHAR"
    )


def struct_fields(call: ScalarCall) -> list[tuple[str, exp.Expr]]:
    """Names and expressions of the STRUCT that is the first argument.

    Raises
    ------
    BindError
        It is not a STRUCT written out, has more than ten fields, or a field has no name.
    """
    struct = call.arguments[0]
    if not isinstance(struct, exp.Struct):
        raise call.wrong("the first argument is a STRUCT written out: STRUCT(a, b)")
    fields = []
    for item in struct.expressions:
        name = item.this.name if isinstance(item, exp.PropertyEQ) else item.alias_or_name
        if not name or (not isinstance(item, exp.PropertyEQ | exp.Alias | exp.Column)):
            raise call.wrong("each field of the STRUCT needs a name: STRUCT(a + b AS c)")
        value = item.expression if isinstance(item, exp.PropertyEQ) else item.unalias()
        fields.append((name, value))
    if not 1 <= len(fields) <= 10:
        raise call.wrong(f"the STRUCT has 1 to 10 fields, not {len(fields)}")
    return fields


def _struct(
    fields: Sequence[tuple[str, exp.Expr]],
    combinations: Sequence[tuple[int, ...]],
    join: Callable[[exp.Expr, exp.Expr], exp.Expr],
    *,
    kind: str,
) -> exp.Expr:
    items = []
    for combination in combinations:
        value = fill(f"CAST(:x AS {kind})", x=fields[combination[0]][1])
        for index in combination[1:]:
            value = join(value, fill(f"CAST(:x AS {kind})", x=fields[index][1]))
        name = "_".join(fields[index][0] for index in combination)
        items.append(exp.PropertyEQ(this=exp.to_identifier(name), expression=value))
    return exp.Struct(expressions=items)


TRANSFORM_ONLY = MappingProxyType(
    {
        "ML.MULTI_HOT_ENCODER": "its vocabulary spans the elements of all rows; in a query, unnest the array and use "
        "ML.LABEL_ENCODER",
    }
)
"""Functions that a query cannot say, and why."""


def _only_in_transform(call: ScalarCall) -> exp.Expr:
    message = f"{call.function} is supported in TRANSFORM only: {TRANSFORM_ONLY[call.function]}"
    raise UnsupportedError(message, where=call.where, function=call.function)


BUILDERS = MappingProxyType(
    {
        "ML.STANDARD_SCALER": _standard_scaler,
        "ML.MIN_MAX_SCALER": _min_max_scaler,
        "ML.MAX_ABS_SCALER": _max_abs_scaler,
        "ML.ROBUST_SCALER": _robust_scaler,
        "ML.IMPUTER": _imputer,
        "ML.BUCKETIZE": _bucketize,
        "ML.QUANTILE_BUCKETIZE": _quantile_bucketize,
        "ML.LABEL_ENCODER": _label_encoder,
        "ML.ONE_HOT_ENCODER": _one_hot_encoder,
        "ML.NORMALIZER": _normalizer,
        "ML.LP_NORM": _lp_norm,
        "ML.DISTANCE": _distance,
        "ML.TFDV_VALIDATE": _tfdv_validate,
        "ML.NGRAMS": _ngrams,
        "ML.POLYNOMIAL_EXPAND": _polynomial_expand,
        "ML.FEATURE_CROSS": _feature_cross,
        "ML.HASH_BUCKETIZE": _hash_bucketize,
        "ML.MULTI_HOT_ENCODER": _only_in_transform,
    }
)
"""One builder for each scalar and analytic function that is supported; a test holds the two tables equal."""
