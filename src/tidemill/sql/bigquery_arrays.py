"""BigQuery's arrays said in the engine's SQL: UNNEST with its offsets and fields, and the aggregates that make arrays.

References
----------
.. [1] https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#unnest_operator
.. [2] https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/array_functions
"""

from __future__ import annotations

from itertools import islice

from sqlglot import exp  # noqa: TID253

ELEMENT = "tm_e"
MOST_NODES = 200


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A function of the engine, by name."""
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def cast(value: exp.Expr, kind: str) -> exp.Cast:
    """A value in a type of the engine."""
    return exp.Cast(this=value.copy(), to=exp.DataType.build(kind, dialect="duckdb"))


def is_small(value: exp.Expr) -> bool:
    """Whether a value may be written more than once: in nested calls, sizes would multiply."""
    return sum(1 for _ in islice(value.walk(), MOST_NODES + 1)) <= MOST_NODES


def unnest(node: exp.Unnest) -> exp.Expr | None:
    """A table of an array's elements.

    The fields of structs are columns, and the element itself goes by the alias: the engine spreads structs, and leaves
    other elements alone, when it goes two levels deep. Offsets count from 0.
    """
    if not isinstance(node.parent, exp.From | exp.Join) or len(node.expressions) != 1:
        return None
    array = node.expressions[0]
    alias = node.args.get("alias")
    names = alias.columns if isinstance(alias, exp.TableAlias) else []
    name = names[0] if names and isinstance(names[0], exp.Identifier) else None
    offset = node.args.get("offset")
    if not isinstance(offset, exp.Identifier):
        elements: exp.Expr = exp.Anonymous(this="UNNEST", expressions=[array.copy(), _two_levels()])
        inner = exp.select(exp.alias_(elements, name.copy()) if name else elements)
    elif name is None:
        spread: exp.Expr = exp.Anonymous(this="UNNEST", expressions=[array.copy(), _two_levels()])
        inner = exp.select(spread, exp.alias_(_positions(array), offset.copy()))
    elif array.find(exp.Query) or not is_small(array):  # not to be run twice
        inner = _numbered(array, name, offset)
    else:
        inner = exp.select(exp.alias_(call("UNNEST", array), name.copy()), exp.alias_(_positions(array), offset.copy()))
    outer = name if name is not None and not isinstance(offset, exp.Identifier) else exp.to_identifier("tm_elements")
    return exp.Subquery(this=inner, alias=exp.TableAlias(this=outer.copy()))


def _two_levels() -> exp.Expr:
    return exp.Kwarg(this=exp.var("max_depth"), expression=exp.Literal.number(2))


def _positions(array: exp.Expr) -> exp.Expr:
    return call("UNNEST", call("RANGE", call("LEN", array)))


def _numbered(array: exp.Expr, name: exp.Identifier, offset: exp.Identifier) -> exp.Select:
    alias = exp.TableAlias(this=exp.to_identifier("tm_u"), columns=[name.copy(), offset.copy()])
    source = exp.Unnest(expressions=[array.copy()], alias=alias, offset=True)
    position = exp.Sub(this=exp.Column(this=offset.copy()), expression=exp.Literal.number(1))
    return exp.select(exp.Column(this=name.copy()), exp.alias_(position, offset.copy())).from_(source, copy=False)


def array_agg(node: exp.ArrayAgg) -> exp.Expr | None:
    """``ARRAY_AGG(x ORDER BY y LIMIT n)``: the first elements of the whole array."""
    limit = node.this
    if not isinstance(limit, exp.Limit):
        return None
    number = limit.expression.copy()
    node.set("this", limit.this)
    outer: exp.Expr = node
    while isinstance(outer.parent, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
        outer = outer.parent
    whole = outer.copy()
    sliced = call("LIST_SLICE", whole, exp.Literal.number(1), number)
    if outer is node:
        return sliced
    outer.replace(sliced)
    return None


def generate_array(node: exp.GenerateSeries) -> exp.Expr | None:
    """Numbers from one to another; the engine makes series of integers only, so other steps are counted out."""
    start, end, step = (node.args.get(part) for part in ("start", "end", "step"))
    if start is None or end is None or not isinstance(node.parent, exp.Expr):
        return None
    step = step if step is not None else exp.Literal.number(1)
    if all(isinstance(part, exp.Literal) and part.name.isdigit() for part in (start, end, step)):
        return None
    if not (is_small(start) and is_small(step)):
        return None
    index = exp.to_identifier("tm_i")
    start, end, step = (
        part.copy() if isinstance(part, exp.Literal) else exp.paren(part) for part in (start, end, step)
    )
    # A little is added so that 0.3 is the last of (0, 0.3, 0.1).
    steps = exp.Add(
        this=exp.paren(exp.Div(this=exp.paren(exp.Sub(this=end, expression=start)), expression=step, typed=False)),
        expression=exp.Literal.number("1e-9"),
    )
    count = exp.Add(this=cast(call("FLOOR", steps), "BIGINT"), expression=exp.Literal.number(1))
    value = exp.Add(this=start.copy(), expression=exp.Mul(this=index.copy(), expression=step.copy()))
    return call(
        "LIST_TRANSFORM",
        call("RANGE", exp.Literal.number(0), count),
        exp.Lambda(this=value, expressions=[index]),
    )


def range_bucket(node: exp.RangeBucket) -> exp.Expr:
    """How many points lie at or below a value."""
    element = exp.to_identifier(ELEMENT)
    test = exp.LTE(this=element.copy(), expression=node.this.copy())
    smaller = call("LEN", call("LIST_FILTER", node.expression, exp.Lambda(this=test, expressions=[element])))
    if not is_small(node.this):
        return smaller
    missing = exp.Is(this=node.this.copy(), expression=exp.null())
    return exp.Case(ifs=[exp.If(this=missing, true=exp.null())], default=smaller)


def array_first(node: exp.ArrayFirst) -> exp.Expr:
    """The first element."""
    return call("LIST_EXTRACT", node.this, exp.Literal.number(1))


def array_last(node: exp.ArrayLast) -> exp.Expr:
    """The last element."""
    return call("LIST_EXTRACT", node.this, exp.Neg(this=exp.Literal.number(1)))
