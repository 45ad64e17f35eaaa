"""Where BigQuery raises and the engine answers: division by zero, and places that an array does not have.

References
----------
.. [1] https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/operators#arithmetic_operators
.. [2] https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/operators#array_subscript_operator
"""

from __future__ import annotations

from sqlglot import exp  # noqa: TID253

from tidemill.sql.bigquery_arrays import call, is_small

# One text for all: the engine takes two expressions in GROUP BY for the same only when they are written alike.
ZERO = "division by zero (SAFE_DIVIDE gives NULL there)"
OUTSIDE = "an array index is out of bounds (SAFE_OFFSET and SAFE_ORDINAL give NULL there)"
ELEMENT = "tm_v"
# The engine lets nothing that may raise stand inside TRY, which SAFE functions become.
SAFE = (exp.SafeFunc, exp.SafeAdd, exp.SafeSubtract, exp.SafeMultiply, exp.SafeNegate)


def raise_errors(tree: exp.Expr) -> exp.Expr:
    """Make a query raise as in BigQuery; the tree is changed in place. It comes before any other translation."""
    for node in reversed(list(tree.walk())):  # inner ones first
        if node.parent is None or node.find_ancestor(*SAFE) is not None:
            continue
        if isinstance(node, exp.Div | exp.IntDiv | exp.Mod):
            _guard_division(node)
        elif isinstance(node, exp.Bracket):
            new = _indexed(node)
            if new is not None:
                node.replace(new)
    return tree


def _guard_division(node: exp.Div | exp.IntDiv | exp.Mod) -> None:
    # What may be large is moved, not copied: quotients of quotients would be copied over and over.
    divisor = node.expression
    number = _literal(divisor)
    if number is not None and number != 0:
        return
    if _is_repeatable(divisor):
        test = exp.EQ(this=exp.paren(divisor), expression=exp.Literal.number(0))
        place = exp.Null()
        node.replace(place)
        place.replace(_unless(test, ZERO, node))
        return
    element = exp.to_identifier(ELEMENT)
    test = exp.EQ(this=element, expression=exp.Literal.number(0))
    node.set("expression", _once(divisor, _unless(test, ZERO, element.copy())))


def _indexed(node: exp.Bracket) -> exp.Expr | None:
    """``array[OFFSET(i)]`` and its kin. What has no such word may be JSON, and is left alone."""
    first = node.args.get("offset")
    if first not in (0, 1) or len(node.expressions) != 1:
        return None
    index = node.expressions[0]
    number = _literal(index)
    if number is None and not _is_repeatable(index):
        return _element(node.this, index, first)
    if node.args.get("safe"):  # the engine counts negative numbers from the end
        if number is not None:
            return exp.null() if number < first else _element(node.this, index, first)
        before = exp.If(this=_below(index, first), true=exp.null())
        return exp.paren(exp.Case(ifs=[before], default=_element(node.this, index, first)))
    if _is_repeatable(node.this):
        found = _element(node.this, index, first)
        return exp.paren(_unless(_outside(node.this, index, first), OUTSIDE, found))
    array = exp.to_identifier(ELEMENT)
    return _once(node.this, _unless(_outside(array, index, first), OUTSIDE, _element(array, index, first)))


def _element(array: exp.Expr, index: exp.Expr, first: int) -> exp.Expr:
    """An element by its number; the engine counts from 1."""
    one = exp.Literal.number(1)
    number = index if first == 1 else exp.Add(this=exp.paren(index), expression=one)
    return call("LIST_EXTRACT", array, number)


def _outside(array: exp.Expr, index: exp.Expr, first: int) -> exp.Expr:
    beyond = exp.GTE if first == 0 else exp.GT
    return exp.Or(this=_below(index, first), expression=beyond(this=exp.paren(index), expression=call("LEN", array)))


def _below(index: exp.Expr, first: int) -> exp.Expr:
    return exp.LT(this=exp.paren(index), expression=exp.Literal.number(first))


def _unless(test: exp.Expr, message: str, value: exp.Expr) -> exp.Expr:
    failed = call("ERROR", exp.Literal.string(message))
    return exp.Case(ifs=[exp.If(this=test, true=failed)], default=value)


def _once(value: exp.Expr, result: exp.Expr) -> exp.Expr:
    """A value under the name `ELEMENT`, worked out one time."""
    rule = exp.Lambda(this=result, expressions=[exp.to_identifier(ELEMENT)])
    listed = exp.Anonymous(this="LIST_VALUE", expressions=[value])
    checked = exp.Anonymous(this="LIST_TRANSFORM", expressions=[listed, rule])
    return exp.Anonymous(this="LIST_EXTRACT", expressions=[checked, exp.Literal.number(1)])


def _is_repeatable(value: exp.Expr) -> bool:
    return is_small(value) and value.find(exp.Query, exp.Rand, exp.Uuid) is None


def _literal(value: exp.Expr) -> float | None:
    """The number that is written out, if one is."""
    if isinstance(value, exp.Paren):
        return _literal(value.this)
    if isinstance(value, exp.Neg):
        number = _literal(value.this)
        return None if number is None else -number
    if not isinstance(value, exp.Literal) or value.is_string:
        return None
    try:
        return float(value.name)
    except ValueError:
        return None
