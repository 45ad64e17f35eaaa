"""Values seen beside the others of their group: gaps filled, outliers marked, rare and deviating values replaced.

All are window functions. Nothing is left to the order in which an engine happens to read rows: where two values are
equally frequent, the smaller one counts, or none.

References
----------
.. [1] J. W. Tukey, Exploratory Data Analysis, Addison-Wesley, 1977 (fences at 1.5 times the distance of the quartiles).
.. [2] B. Iglewicz and D. C. Hoaglin, How to Detect and Handle Outliers, ASQC Quality Press, 1993 (modified z-scores
   0.6745 (x - median) / MAD above 3.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import BindError
from tidemill.sql.scalar_call import ScalarCall, fill, number

FILLS = ("mean", "median", "mode", "forward", "backward", "linear")
THRESHOLDS = MappingProxyType({"IQR": 1.5, "ZSCORE": 3.0, "MAD": 3.5})
CONSISTENT = 0.6745
"""The median absolute deviation of a normal variable is this many standard deviations."""


def _over(
    call: ScalarCall,
    sql: str,
    *,
    also: Sequence[exp.Expr] = (),
    order: exp.Order | None = None,
    frame: tuple[str, str] | None = None,
    **parts: exp.Expr,
) -> exp.Expr:
    """A window function over the call's own partition; ``also`` splits it further."""
    window = call.over
    groups = [part.copy() for part in (window.args.get("partition_by") or ())] if window else []
    groups += [part.copy() for part in also]
    function = fill(sql, **parts)
    spec = None
    if frame:
        (start, start_side), (end, end_side) = (side.rsplit(" ", 1) if " " in side else (side, "") for side in frame)
        spec = exp.WindowSpec(
            kind="ROWS", start=start, start_side=start_side or None, end=end, end_side=end_side or None
        )
    return exp.Window(this=function, partition_by=groups, order=order, spec=spec, over="OVER")


def _mode(call: ScalarCall, *, descending: bool = False) -> exp.Expr:
    """The most frequent value; of several the first in the order.

    The order stands inside the aggregate: ordered windows would sort all rows, once for each direction (1.7 times).
    """
    return _over(call, f"mode(:x ORDER BY :x {'DESC' if descending else 'ASC'} NULLS LAST)", x=call.arguments[0])


def clean_fill(call: ScalarCall) -> exp.Expr:
    """A value for NULL: of the group, or of the rows before and behind it."""
    x = call.arguments[0]
    method = call.choice(1, FILLS, name="the method")
    order = call.over.args.get("order") if call.over else None
    in_time = method in ("forward", "backward", "linear")
    if in_time and order is None:
        hint = f"write {call.function}(x, '{method}') OVER (ORDER BY time)"
        message = f"{call.function} '{method}' needs an ORDER BY in OVER()"
        raise BindError(message, where=call.where, hint=hint, function=call.function)
    if not in_time and order is not None:
        hint = "take ORDER BY away: it looks at the whole group"
        message = f"{call.function} '{method}' takes no ORDER BY"
        raise BindError(message, where=call.where, hint=hint, function=call.function)
    most = call.settings["most"]
    if most is not None and method not in ("forward", "backward"):
        raise call.wrong("most is for 'forward' and 'backward'")
    reach = "UNBOUNDED" if most is None else str(most)
    match method:
        case "mean":
            value = _over(call, "avg(:x)", x=x)
        case "median":
            value = _over(call, "median(:x)", x=x)
        case "mode":
            value = _mode(call)
        case "forward":
            value = _over(
                call,
                "last_value(:x IGNORE NULLS)",
                order=_copy(order),
                frame=(f"{reach} PRECEDING", "CURRENT ROW"),
                x=x,
            )
        case "backward":
            value = _over(
                call,
                "first_value(:x IGNORE NULLS)",
                order=_copy(order),
                frame=("CURRENT ROW", f"{reach} FOLLOWING"),
                x=x,
            )
        case _:
            # The engine's fill draws the line on beyond the first and the last value: nothing is known there.
            before, behind = ("UNBOUNDED PRECEDING", "CURRENT ROW"), ("CURRENT ROW", "UNBOUNDED FOLLOWING")
            return fill(
                "CASE WHEN :before > 0 AND :behind > 0 THEN :value END",
                before=_over(call, "count(:x)", order=_copy(order), frame=before, x=x),
                behind=_over(call, "count(:x)", order=_copy(order), frame=behind, x=x),
                value=_over(call, "fill(CAST(:x AS DOUBLE))", order=_copy(order), x=x),
            )
    return fill("coalesce(:x, :value)", x=x, value=value)


def _copy(order: exp.Expr | None) -> exp.Order | None:
    return order.copy() if isinstance(order, exp.Order) else None


def clean_is_outlier(call: ScalarCall) -> exp.Expr:
    """Whether a number lies far from its group; NULL for NULL."""
    x = call.arguments[0]
    method = call.settings["method"]
    threshold = call.settings["threshold"]
    limit = number(THRESHOLDS[method] if threshold is None else threshold)
    if method == "IQR":
        quartiles = _over(call, "quantile_cont(CAST(:x AS DOUBLE), [0.25, 0.75])", x=x)
        return fill(
            "list_transform([{'x': CAST(:x AS DOUBLE), 'q': :quartiles}], lambda tm_o: "
            "tm_o.x < tm_o.q[1] - :limit * (tm_o.q[2] - tm_o.q[1]) "
            "OR tm_o.x > tm_o.q[2] + :limit * (tm_o.q[2] - tm_o.q[1]))[1]",
            x=x,
            quartiles=quartiles,
            limit=limit,
        )
    middle, spread = ("avg", "stddev_samp") if method == "ZSCORE" else ("median", "mad")
    scale = "" if method == "ZSCORE" else f" / {CONSISTENT}"
    return fill(
        f"abs(CAST(:x AS DOUBLE) - :middle) > coalesce(:spread, 0) * :limit{scale}",
        x=x,
        middle=_over(call, f"{middle}(CAST(:x AS DOUBLE))", x=x),
        spread=_over(call, f"{spread}(CAST(:x AS DOUBLE))", x=x),
        limit=limit,
    )


def clean_rare(call: ScalarCall) -> exp.Expr:
    """Another value for values that are rare in their group."""
    x = call.arguments[0]
    least, share = call.settings["least"], call.settings["share"]
    if (least is None) == (share is None):
        raise call.wrong("give one of least (a number of rows) and share (of the rows with a value)")
    count = _over(call, "count(*)", also=[x])
    limit = (
        number(least)
        if least is not None
        else fill(":share * :all", share=number(share), all=_over(call, "count(:x)", x=x))
    )
    return fill(
        "CASE WHEN :x IS NULL THEN NULL WHEN :count < :limit THEN :other ELSE CAST(:x AS VARCHAR) END",
        x=x,
        count=count,
        limit=limit,
        other=exp.Literal.string(call.settings["other"]),
    )


def clean_majority(call: ScalarCall) -> exp.Expr:
    """The most frequent value of the group; where two are equally frequent, each row keeps what it has."""
    return fill(
        "CASE WHEN :first IS NOT DISTINCT FROM :last THEN :first ELSE :x END",
        first=_mode(call),
        last=_mode(call, descending=True),
        x=call.arguments[0],
    )
