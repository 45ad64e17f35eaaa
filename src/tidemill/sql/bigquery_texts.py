"""BigQuery's functions of strings and numbers that the engine has under another name, or not at all.

References
----------
.. [1] https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/string_functions
.. [2] https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/format-elements
.. [3] https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/mathematical_functions
"""

from __future__ import annotations

import re
from types import MappingProxyType

from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import UnsupportedError
from tidemill.core.farm import SIGNED, SIGNED_BYTES
from tidemill.sql.bigquery_arrays import call, cast, is_small

# %[flags][width][.precision]specifier
_SPECIFIER = re.compile(r"%(?P<flags>[-+ #0']*)(?P<width>[0-9*]*(?:\.[0-9*]+)?)(?P<kind>[A-Za-z%])")
_KINDS = MappingProxyType(
    {
        **dict.fromkeys("dixXo", None),
        **dict.fromkeys("fFeEgG", "DOUBLE"),
        **dict.fromkeys("stT", "VARCHAR"),
    }
)
_BYTES = (exp.ByteString, exp.MD5Digest, exp.SHA1Digest, exp.SHA2Digest, exp.FromBase64, exp.Unhex)


def format_text(node: exp.Format) -> exp.Expr:
    """``FORMAT``: the engine's PRINTF wants each value in the type of its place.

    Raises
    ------
    UnsupportedError
        A place of the format is not one that PRINTF has.
    """
    pattern = node.this
    if not isinstance(pattern, exp.Literal):
        return call("PRINTF", pattern, *node.expressions)
    values: list[exp.Expr] = []
    waiting = list(node.expressions)

    def place(found: re.Match[str]) -> str:
        kind = found["kind"]
        if kind == "%":
            return "%%"
        if kind not in _KINDS or "*" in found["width"]:
            raise UnsupportedError(f"FORMAT is not supported with {found.group()}", hint="use %d, %f, %e, %s or %t")
        if waiting:
            value, wanted = waiting.pop(0), _KINDS[kind]
            values.append(cast(value, wanted) if wanted else value)
        written = {"t": "s", "T": "s", "i": "d"}.get(kind, kind)
        return f"%{found['flags'].replace(chr(39), ',')}{found['width']}{written}"

    said = _SPECIFIER.sub(place, pattern.name)
    return call("PRINTF", exp.Literal.string(said), *values, *waiting)


def substring(node: exp.Substring) -> exp.Expr | None:
    """Position 0 is the first character, as 1 is."""
    start = node.args.get("start")
    if isinstance(start, exp.Literal) and start.name == "0":
        node.set("start", exp.Literal.number(1))
    return None


def fingerprint(node: exp.FarmFingerprint) -> exp.Expr:
    """``FARM_FINGERPRINT`` of a string, or of bytes where the text shows that it is given bytes."""
    value = node.expressions[0]
    binary = isinstance(value, exp.Cast) and value.to.is_type(exp.DType.BINARY, exp.DType.VARBINARY)
    return call(SIGNED_BYTES if binary or isinstance(value, _BYTES) else SIGNED, value)


def safe_add(node: exp.SafeAdd) -> exp.Expr:
    """NULL where the sum is out of range."""
    return call("TRY", exp.Add(this=_wrapped(node.this), expression=_wrapped(node.expression)))


def safe_subtract(node: exp.SafeSubtract) -> exp.Expr:
    """NULL where the difference is out of range."""
    return call("TRY", exp.Sub(this=_wrapped(node.this), expression=_wrapped(node.expression)))


def safe_multiply(node: exp.SafeMultiply) -> exp.Expr:
    """NULL where the product is out of range."""
    return call("TRY", exp.Mul(this=_wrapped(node.this), expression=_wrapped(node.expression)))


def safe_negate(node: exp.SafeNegate) -> exp.Expr:
    """NULL where there is no such positive number."""
    return call("TRY", exp.Neg(this=exp.paren(node.this)))


def _wrapped(value: exp.Expr) -> exp.Expr:
    """A whole number written out is an INT64, whatever its size."""
    if isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit():
        return cast(value, "BIGINT")
    return exp.paren(value)


def parse_numeric(node: exp.ParseNumeric) -> exp.Expr:
    """A string as NUMERIC."""
    return cast(call("TRIM", node.this), "DECIMAL(38, 9)")


def float_literal(node: exp.Literal) -> exp.Expr | None:
    """``0.1`` is a FLOAT64; without an exponent the engine would read a decimal number."""
    if node.is_string or "." not in node.name or "e" in node.name.lower():
        return None
    return None if isinstance(node.parent, exp.TableSample) else exp.Literal.number(f"{node.name}e0")


def converted(node: exp.Cast) -> exp.Expr | None:
    """A cast whose outcome depends on the type of its value.

    A fraction becomes the nearest whole number, halves away from zero; a number as text has no zeros behind its last
    digit. The engine knows the type when it binds, and keeps one branch.
    """
    value = node.this
    if _is_plain(value) or not is_small(value) or value.find(exp.Query, exp.Rand, exp.Uuid):
        return None
    if node.to.is_type(exp.DType.TEXT, exp.DType.VARCHAR):
        decimal = exp.Like(this=call("TYPEOF", value), expression=exp.Literal.string("DECIMAL%"))
        short = call("REGEXP_REPLACE", node, exp.Literal.string(r"(\.\d*?)0+$"), exp.Literal.string(r"\1"))
        short = call("REGEXP_REPLACE", short, exp.Literal.string(r"\.$"), exp.Literal.string(""))
        return exp.Case(ifs=[exp.If(this=exp.or_(_is_float(value), decimal), true=short)], default=node.copy())
    if node.to.is_type(exp.DType.BIGINT):
        double = exp.TryCast(this=value.copy(), to=exp.DataType.build("DOUBLE"))
        whole = type(node)(this=call("ROUND", double), to=node.to.copy())
        return exp.Case(ifs=[exp.If(this=_is_float(value), true=whole)], default=node.copy())
    return None


def _is_plain(value: exp.Expr) -> bool:
    """Whether a value is a string or a whole number written out."""
    return isinstance(value, exp.Literal) and (value.is_string or value.name.isdigit())


def _is_float(value: exp.Expr) -> exp.Expr:
    names = [exp.Literal.string(name) for name in ("DOUBLE", "FLOAT")]
    return exp.In(this=call("TYPEOF", value), expressions=names)
