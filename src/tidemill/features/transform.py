"""TRANSFORM, frozen: stars spelled out, statistics of the training rows put in as constants, plain scalar SQL left.

References
----------
.. [1] https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create#transform
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp, parse_one  # noqa: TID253

from tidemill.core.errors import BindError, StatementError, Where
from tidemill.core.names import did_you_mean, name_key, quote_name
from tidemill.features.freeze import FREEZERS, gather
from tidemill.features.plan import FrozenColumn
from tidemill.sql.bind_foreign import adapt
from tidemill.sql.check_transform import check_transform
from tidemill.sql.dialects import generate
from tidemill.sql.scalar_call import ScalarCall, ml_name, place_of
from tidemill.sql.scalars import over_of, write_scalar
from tidemill.sql.statements import Source, TransformItem
from tidemill.sql.text import Text

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.warehouse.protocol import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """An expression of TRANSFORM under its name; the raw column's own name when it passes through."""

    name: str
    tree: exp.Expr
    passed: str = ""
    where: Where | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Training:
    session: Session
    sql: str
    schema: pa.Schema
    where: Where | None


def freeze_transform(
    items: Sequence[TransformItem],
    *,
    session: Session,
    sql: str,
    schema: pa.Schema,
    label_like: Sequence[str] = (),
    where: Where | None = None,
) -> tuple[FrozenColumn, ...]:
    """The columns of a TRANSFORM clause as scalar SQL over the raw columns (DuckDB), with their Arrow types.

    Parameters
    ----------
    sql
        The training rows, in a fixed order: means and deviations are summed in it.
    schema
        Its schema.
    label_like
        Columns that must pass through under their own name: the label, the split column, weights.

    Raises
    ------
    StatementError
        TRANSFORM has a subquery, an aggregate, an unnamed expression, two columns of one name, or changes or leaves
        out a column of ``label_like``.
    BindError
        It names a column that does not exist.
    """
    check_transform(items, source=_source(where))
    training = _Training(session=session, sql=sql, schema=schema, where=where)
    named = [column for item in items for column in _expand(item, training)]
    _check_names(named, where)
    _check_passed(named, label_like, where)
    trees = [_plain(column, training) for column in named]
    _freeze(trees, training)
    frozen = [(column.name, generate(tree.this, "duckdb")) for column, tree in zip(named, trees, strict=True)]
    columns: list[FrozenColumn] = []
    types = _schema_of(frozen, training)
    for (name, text), column in zip(frozen, named, strict=True):
        columns += (
            _spread(text, types.field(name).type)
            if column.name.startswith(_SPREAD)
            else [FrozenColumn(name=name, sql=text, type=str(types.field(name).type))]
        )
    return tuple(columns)


_SPREAD = "\0spread"  # stands in the name of an ``expr.*`` until its type is known


def _source(where: Where | None) -> Source:
    if where is None:
        return Source(file="", line=1, column=1, text="", dialect="duckdb")
    return Source(file=where.file, line=where.line, column=where.column, text="", dialect="duckdb")


def _expand(item: TransformItem, training: _Training) -> list[_Named]:
    where = _where(item, training.where)
    tree = item.tree if item.tree is not None else parse_one(item.sql, dialect="duckdb")
    if item.star:
        return _star(item, training, where)
    if isinstance(tree, exp.Column) and isinstance(tree.this, exp.Star):
        inner = exp.column(exp.to_identifier(tree.table, quoted=True))
        return [_Named(name=f"{_SPREAD}{id(tree)}", tree=inner, where=where)]
    if isinstance(tree, exp.Dot) and isinstance(tree.expression, exp.Star):
        return [_Named(name=f"{_SPREAD}{id(tree)}", tree=tree.this.copy(), where=where)]
    passed = (
        tree.name
        if isinstance(tree, exp.Column) and not tree.table and name_key(tree.name) == name_key(item.name)
        else ""
    )
    return [_Named(name=item.name, tree=tree.copy(), passed=passed, where=where)]


def _star(item: TransformItem, training: _Training, where: Where | None) -> list[_Named]:
    names: list[str] = training.schema.names
    known = {name_key(name) for name in names}
    replaced = {name_key(part.name): part for part in item.replaced}
    for name in [*item.excepted, *(part.name for part in item.replaced)]:
        if name_key(name) not in known:
            raise BindError(f"there is no column {name}", where=where, hint=did_you_mean(name, names), column=name)
    excepted = {name_key(name) for name in item.excepted}
    columns = []
    for name in names:
        if name_key(name) in replaced:
            columns += _expand(replaced[name_key(name)], training)
        elif name_key(name) not in excepted:
            columns.append(_Named(name=name, tree=exp.column(exp.to_identifier(name, quoted=True)), passed=name))
    return columns


def _check_names(named: Sequence[_Named], where: Where | None) -> None:
    seen: set[str] = set()
    for column in named:
        if name_key(column.name) in seen:
            hint = "leave one of them out with * EXCEPT(...), or rename it"
            raise StatementError(
                f"TRANSFORM has two columns named {column.name}", where=column.where or where, hint=hint
            )
        seen.add(name_key(column.name))


def _check_passed(named: Sequence[_Named], label_like: Sequence[str], where: Where | None) -> None:
    for name in label_like:
        found = next((column for column in named if name_key(column.name) == name_key(name)), None)
        if found is None:
            hint = f"add {name} to TRANSFORM as it is"
            raise StatementError(
                f"TRANSFORM leaves out {name}, which training needs", where=where, hint=hint, column=name
            )
        if not found.passed:
            message = f"TRANSFORM changes {name}, which training needs as it is"
            hint = f"write {name} alone; change it in the query after AS"
            raise StatementError(message, where=found.where or where, hint=hint, column=name)


def _plain(column: _Named, training: _Training) -> exp.Expr:
    """The expression under a root of its own, with names as the schema spells them."""
    root: exp.Expr = exp.Paren(this=column.tree.copy())
    text, span = (column.tree.meta.get(key) for key in ("text", "span"))
    root = adapt(root, text.dialect if isinstance(text, Text) else "duckdb", text, span)
    bound = {
        name_key(name) for lambda_ in root.find_all(exp.Lambda) for name in (part.name for part in lambda_.expressions)
    }
    names = {name_key(name): name for name in training.schema.names}
    for node in list(root.find_all(exp.Column)):
        first = node.parts[0].name
        if name_key(first) in bound:
            continue
        if name_key(first) not in names:
            hint = did_you_mean(first, training.schema.names)
            raise BindError(
                f"there is no column {first}", where=column.where or training.where, hint=hint, column=first
            )
        value: exp.Expr = exp.column(exp.to_identifier(names[name_key(first)], quoted=True))
        for part in node.parts[1:]:
            value = exp.Anonymous(this="struct_extract", expressions=[value, exp.Literal.string(part.name)])
        node.replace(value)
    return root


def _freeze(trees: Sequence[exp.Expr], training: _Training) -> None:
    """Replace ML calls, innermost first; each round asks the rows once for all arguments it needs."""
    while True:
        calls = [node for tree in trees for node in tree.find_all(exp.Dot) if ml_name(node)]
        inner = [node for node in calls if not any(ml_name(below) for below in node.expression.find_all(exp.Dot))]
        if not inner:
            return
        analytic = [node for node in inner if ml_name(node) in FREEZERS]
        for node in inner:
            if ml_name(node) not in FREEZERS:
                node.replace(exp.paren(write_scalar(node), copy=False))
        if analytic:
            _freeze_analytic(analytic, training)


def _freeze_analytic(nodes: Sequence[exp.Expr], training: _Training) -> None:
    calls = [_call(node) for node in nodes]
    arguments = [generate(call.arguments[0], "duckdb") for call in calls]
    kinds = [FREEZERS[call.function].look(call) for call in calls]
    values = gather(training.session, training.sql, arguments, kinds=kinds)
    for node, call, argument, learned in zip(nodes, calls, arguments, values, strict=True):
        written = FREEZERS[call.function].write(call, argument, learned)
        (over_of(node) or node).replace(exp.paren(parse_one(written, dialect="duckdb"), copy=False))


def _call(node: exp.Expr) -> ScalarCall:
    return ScalarCall(function=ml_name(node), arguments=list(node.expression.expressions), where=place_of(node))


def _schema_of(frozen: Sequence[tuple[str, str]], training: _Training) -> pa.Schema:
    columns = ", ".join(f"{text} AS {quote_name(name.replace(chr(0), ''))}" for name, text in frozen)
    import pyarrow as pa

    found = training.session.schema(f"SELECT {columns} FROM ({training.sql}) AS tm_raw")
    return pa.schema([found.field(i).with_name(name) for i, (name, _) in enumerate(frozen)])


def _spread(text: str, type_: pa.DataType) -> list[FrozenColumn]:
    """``expr.*``: a column per field of a STRUCT."""
    import pyarrow as pa

    if not pa.types.is_struct(type_):
        raise StatementError(f"{text[:60]}.* needs a STRUCT, and it is {type_}")
    fields = [type_.field(i) for i in range(type_.num_fields)]
    return [
        FrozenColumn(
            name=field.name, sql=f"struct_extract({text}, {quote_name(field.name, chr(39))})", type=str(field.type)
        )
        for field in fields
    ]


def _where(item: TransformItem, where: Where | None) -> Where | None:
    if where is None or not item.line:
        return where
    return Where(file=where.file, line=item.line, column=item.column)
